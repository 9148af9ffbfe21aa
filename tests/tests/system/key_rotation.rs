//! Signing keys are replaced while the system is in use, and nobody who uses it can tell.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use portcullis_tests::account::{Account, access_token_in, decode, refresh_token_in};
use portcullis_tests::eventually;
use portcullis_tests::own_stack::{OwnStack, Wanted, portcullis};
use portcullis_tests::worker_config::WorkerConfig;

/// How many people use the system at the same time.
const PEOPLE: usize = 8;
/// How often the keys are rotated.
const ROTATIONS: usize = 4;
/// How soon the origin must sign with another key, and a removed key's tokens must be refused by it.
const SOON: Duration = Duration::from_secs(15);
/// How many requests each person makes with one access token.
const REQUESTS: usize = 5;

/// What has come of all requests.
#[derive(Debug, Default)]
struct Counts {
    stop: AtomicBool,
    /// Answers of `/api/echo` and `/auth/refresh` as they should be.
    echoed: AtomicUsize,
    refreshed: AtomicUsize,
    /// Access tokens that were refused, and replaced by a refresh.
    refused: AtomicUsize,
    /// Everything else.
    failed: AtomicUsize,
}

impl Counts {
    fn requests(&self) -> usize {
        self.echoed.load(Ordering::Relaxed) + self.refreshed.load(Ordering::Relaxed)
    }
}

fn add(count: &AtomicUsize) {
    count.fetch_add(1, Ordering::Relaxed);
}

/// Uses an access token a few times, then refreshes, and so on until told to stop.
async fn use_it(account: Account, counts: Arc<Counts>) {
    let (mut access, mut refresh) = (
        account.access_token().to_owned(),
        account.refresh_token().to_owned(),
    );
    while !counts.stop.load(Ordering::Relaxed) {
        for _ in 0..REQUESTS {
            let answer = account.client.get("/api/echo").bearer(&access).send().await;
            match answer.status.as_u16() {
                200 => add(&counts.echoed),
                401 => {
                    add(&counts.refused);
                    break;
                }
                _ => {
                    add(&counts.failed);
                    eprintln!("{answer:?}");
                }
            }
        }
        let answer = account.refresh(&refresh).await;
        if answer.status == 200 {
            add(&counts.refreshed);
            (access, refresh) = (access_token_in(&answer), refresh_token_in(&answer));
        } else {
            add(&counts.failed);
            eprintln!("{answer:?}");
        }
    }
}

async fn keys(stack: &OwnStack, arguments: &[&str]) -> String {
    let done = portcullis(stack.state_dir(), &[&["keys"], arguments].concat()).await;
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

/// Waits until a fresh access token is signed with another key than `old`, and names that key.
async fn signed_by_another(account: &Account, refresh: &mut String, old: &str) -> String {
    let latest = RefCell::new(refresh.clone());
    let kid = eventually("another key signs", SOON, async || {
        let presented = latest.borrow().clone();
        let answer = account.refresh(&presented).await.expect(200);
        latest.replace(refresh_token_in(&answer));
        let kid = decode(&access_token_in(&answer)).0["kid"].as_str()?.to_owned();
        (kid != old).then_some(kid)
    })
    .await;
    *refresh = latest.into_inner();
    kid
}

#[tokio::test]
async fn rotating_keys_under_load_fails_no_request() {
    let mut wanted = Wanted::all();
    wanted.origin_settings = ["DEFAULT_PER_MINUTE", "REFRESH_PER_MINUTE_SESSION"]
        .map(|limit| (format!("PORTCULLIS__LIMITS__{limit}"), "1000000".to_owned()))
        .into();
    wanted.worker_config = Some(WorkerConfig::development().without_limits());
    let stack = wanted.start("key_rotation").await;
    let door = stack.edge();
    let people = join_all((0..PEOPLE).map(|_| Account::register(&door))).await;
    let watcher = Account::register(&door).await;
    let (mut refresh, mut kid) = (
        watcher.refresh_token().to_owned(),
        decode(watcher.access_token()).0["kid"]
            .as_str()
            .unwrap()
            .to_owned(),
    );

    let counts = Arc::new(Counts::default());
    let load: Vec<_> = people
        .into_iter()
        .map(|person| tokio::spawn(use_it(person, Arc::clone(&counts))))
        .collect();
    for _ in 0..ROTATIONS {
        keys(&stack, &["rotate", "--now"]).await;
        kid = signed_by_another(&watcher, &mut refresh, &kid).await;
        // All of them hold tokens of the new key by the time they have made this many requests more.
        let enough = counts.requests() + 2 * PEOPLE * (REQUESTS + 1);
        eventually("the load goes on", SOON, async || {
            (counts.requests() >= enough).then_some(())
        })
        .await;
    }
    println!("{ROTATIONS} rotations: {counts:?}");
    assert_eq!(counts.failed.load(Ordering::Relaxed), 0, "{counts:?}");
    assert_eq!(counts.refused.load(Ordering::Relaxed), 0, "{counts:?}");
    // The very first token is still good.
    watcher
        .client
        .get("/api/echo")
        .bearer(watcher.access_token())
        .send()
        .await
        .expect(200);

    let answer = watcher.refresh(&refresh).await.expect(200);
    let (stolen, mut refresh) = (access_token_in(&answer), refresh_token_in(&answer));
    keys(&stack, &["retire", &kid, "--compromised"]).await;
    eventually(
        "the removed key's tokens are refused by the origin",
        SOON,
        async || (watcher.me(&stolen).await.status == 401).then_some(()),
    )
    .await;
    signed_by_another(&watcher, &mut refresh, &kid).await;
    let enough = counts.requests() + 2 * PEOPLE * (REQUESTS + 1);
    eventually("everybody goes on by refreshing", SOON, async || {
        (counts.requests() >= enough).then_some(())
    })
    .await;
    counts.stop.store(true, Ordering::Relaxed);
    for person in load {
        person.await.unwrap();
    }
    println!("and an emergency removal: {counts:?}");
    assert_eq!(counts.failed.load(Ordering::Relaxed), 0, "{counts:?}");
}
