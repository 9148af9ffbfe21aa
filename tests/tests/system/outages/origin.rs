//! The origin dies while the edge is in use.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_tests::account::{Account, access_token_in};
use portcullis_tests::eventually;
use portcullis_tests::forge::{Issuer, claims_for};
use portcullis_tests::own_stack::Wanted;
use serde_json::json;
use xtask::stack::Part;

#[tokio::test]
async fn while_the_origin_is_dead_tokens_verify_and_auth_is_a_problem_until_it_is_back() {
    let mut stack = Wanted::all().start("origin_outage").await;
    let door = stack.edge();
    let account = Account::register(&door).await;
    let bystander = Account::register(&door).await;
    let echo = account
        .client
        .get("/api/echo")
        .bearer(account.access_token())
        .send()
        .await;
    echo.expect(200);

    // Traffic that goes on through all of it.
    let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let traffic = {
        let (account, stop, count) = (account.clone(), Arc::clone(&stop), Arc::clone(&count));
        tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                account
                    .client
                    .get("/api/echo")
                    .bearer(account.access_token())
                    .send()
                    .await
                    .expect(200);
                count.fetch_add(1, Ordering::Relaxed);
            }
        })
    };

    stack.kill(Part::Origin).await;
    let before = count.load(Ordering::Relaxed);
    for call in [
        account.client.get("/auth/me").bearer(account.access_token()),
        account
            .client
            .post("/auth/login")
            .json(&json!({"email": account.email, "password": account.password})),
        account
            .client
            .post("/auth/refresh")
            .json(&json!({"refreshToken": account.refresh_token()})),
        account.client.get("/health"),
    ] {
        let answer = call.send().await;
        match answer.status.as_u16() {
            502 => answer.problem(502, "bad_gateway"),
            _ => answer.problem(503, "unavailable"),
        };
    }
    // A token that this edge has not seen before is verified with the keys it has.
    bystander
        .client
        .get("/api/echo")
        .bearer(bystander.access_token())
        .send()
        .await
        .expect(200);
    // One that it cannot verify is refused, not waved through.
    let stranger = Issuer::unknown().token(&claims_for(&account));
    let refused = account.client.get("/api/echo").bearer(&stranger).send().await;
    match refused.status.as_u16() {
        503 => refused.problem(503, "unavailable"),
        _ => refused.problem(401, "invalid_token"),
    };
    account.client.get("/api/public/x").send().await.expect(200);
    eventually(
        "traffic goes on without the origin",
        Duration::from_secs(10),
        async || (count.load(Ordering::Relaxed) > before + 20).then_some(()),
    )
    .await;

    stack.start(Part::Origin).await;
    let login = eventually(
        "the edge finds the origin again",
        Duration::from_secs(10),
        async || {
            let answer = account.login().await;
            (answer.status == 200).then_some(answer)
        },
    )
    .await;
    account.me(account.access_token()).await.expect(200);
    account
        .client
        .get("/api/echo")
        .bearer(&access_token_in(&login))
        .send()
        .await
        .expect(200);
    stop.store(true, Ordering::Relaxed);
    traffic.await.unwrap();
}
