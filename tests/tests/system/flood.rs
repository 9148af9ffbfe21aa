//! A flood of logins costs answers, not memory.

use futures_util::future::join_all;
use portcullis_tests::account::{Account, fresh_email};
use portcullis_tests::own_stack::Wanted;
use serde_json::json;
use xtask::stack::Part;

const PERMITS: u64 = 2;
const HASH_KIB: u64 = 64 * 1024;
/// All that is not hashing: code, pools, buffers of the connections.
const REST_KIB: u64 = 96 * 1024;

/// The most memory that a process has ever had resident, in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .expect("a peak");
    line.split_whitespace()
        .nth(1)
        .and_then(|kib| kib.parse().ok())
        .expect("a number of KiB")
}

#[tokio::test]
async fn a_flood_of_logins_is_shed_with_503_and_its_memory_is_bounded() {
    let mut wanted = Wanted::origin();
    wanted.origin_settings = vec![
        ("PORTCULLIS__PASSWORDS__PERMITS".to_owned(), PERMITS.to_string()),
        ("PORTCULLIS__PASSWORDS__QUEUE".to_owned(), "8".to_owned()),
    ];
    let stack = wanted.start("flood").await;
    let door = stack.origin();
    let account = Account::register(&door).await;

    let flood = (0..150).map(|_| {
        let body = json!({"email": fresh_email(), "password": "whatever it may be"});
        tokio::spawn(door.client().post("/auth/login").json(&body).send())
    });
    let answers: Vec<_> = join_all(flood).await.into_iter().map(Result::unwrap).collect();
    let (shed, served): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 503);
    assert!(shed.len() >= 50, "only {} of 150 were shed", shed.len());
    assert!(!served.is_empty());
    for answer in shed {
        answer.problem(503, "overloaded");
    }
    for answer in served {
        answer.problem(401, "invalid_credentials");
    }
    let peak = peak_kib(stack.pid(Part::Origin));
    assert!(peak < PERMITS * HASH_KIB + REST_KIB, "the origin took {peak} KiB");

    // What needs no hash was never in the way, and the next login is served.
    account.me(account.access_token()).await.expect(200);
    account.login().await.expect(200);
}
