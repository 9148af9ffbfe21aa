//! Redis or Postgres dies.

use std::time::{Duration, Instant};

use portcullis_tests::account::{Account, access_token_in};
use portcullis_tests::answer::Answer;
use portcullis_tests::eventually;
use portcullis_tests::own_stack::{OwnStack, Wanted};
use portcullis_tests::world::Door;
use xtask::stack::Part;

/// How soon health must be known.
const SOON: Duration = Duration::from_secs(2);

async fn stack_with_own_stores(name: &str) -> OwnStack {
    Wanted {
        own_stores: true,
        ..Wanted::origin()
    }
    .start(name)
    .await
}

async fn ask(door: &Door, path: &str) -> Answer {
    let started = Instant::now();
    let answer = door.client().get(path).send().await;
    // The check itself may take 2 s; the rest is a busy machine.
    assert!(
        started.elapsed() < SOON + Duration::from_secs(1),
        "{path} took {:?}",
        started.elapsed()
    );
    let text = String::from_utf8_lossy(&answer.body).to_lowercase();
    for internal in [
        "refused",
        "os error",
        "127.0.0.1",
        "postgres:",
        "redis:",
        "socket",
    ] {
        assert!(!text.contains(internal), "{path} tells {internal}: {text}");
    }
    answer
}

#[tokio::test]
async fn without_redis_the_system_is_degraded_and_goes_on() {
    let mut stack = stack_with_own_stores("redis_outage").await;
    let door = stack.origin();
    let account = Account::register(&door).await;
    stack.kill(Part::Redis).await;

    for path in ["/ready", "/health"] {
        eventually("the outage is told", SOON, async || {
            let answer = ask(&door, path).await.expect(200);
            (answer.json()["status"] == "degraded").then_some(())
        })
        .await;
    }
    ask(&door, "/live").await.expect(200);
    ask(&door, "/health/db").await.expect(200);
    account.me(account.access_token()).await.expect(200);
    let login = account.login().await.expect(200);
    account.refresh(account.refresh_token()).await.expect(200);
    let newcomer = Account::register(&door).await;
    newcomer
        .client
        .post("/auth/logout")
        .bearer(newcomer.access_token())
        .send()
        .await
        .expect(204);
    // Limits hold without Redis too.
    let mut statuses = Vec::new();
    let client = door.client();
    for _ in 0..4 {
        let body = portcullis_tests::account::registration(
            &portcullis_tests::account::fresh_email(),
            &portcullis_tests::account::fresh_password(),
        );
        statuses.push(
            client
                .post("/auth/register")
                .json(&body)
                .send()
                .await
                .status
                .as_u16(),
        );
    }
    assert_eq!(statuses, [201, 201, 201, 429]);

    stack.start(Part::Redis).await;
    eventually(
        "the origin finds Redis again",
        Duration::from_secs(15),
        async || {
            let answer = door.client().get("/ready").send().await.expect(200);
            (answer.json()["status"] != "degraded").then_some(())
        },
    )
    .await;
    account.me(&access_token_in(&login)).await.expect(200);
}

#[tokio::test]
async fn without_postgres_the_origin_is_not_ready_and_says_so_in_time() {
    let mut stack = stack_with_own_stores("postgres_outage").await;
    let door = stack.origin();
    let account = Account::register(&door).await;
    stack.kill(Part::Postgres).await;

    for path in ["/ready", "/health", "/health/db"] {
        eventually("the outage is told", SOON, async || {
            (ask(&door, path).await.status == 503).then_some(())
        })
        .await;
    }
    ask(&door, "/live").await.expect(200);
    account.login().await.problem(503, "unavailable");
    account
        .me(account.access_token())
        .await
        .problem(503, "unavailable");
    account
        .refresh(account.refresh_token())
        .await
        .problem(503, "unavailable");
    // Keys are in memory: those who verify tokens themselves can go on.
    door.client()
        .get("/.well-known/jwks.json")
        .send()
        .await
        .expect(200);

    stack.start(Part::Postgres).await;
    eventually(
        "the origin finds Postgres again",
        Duration::from_secs(15),
        async || (door.client().get("/ready").send().await.status == 200).then_some(()),
    )
    .await;
    account.me(account.access_token()).await.expect(200);
    account.refresh(account.refresh_token()).await.expect(200);
}
