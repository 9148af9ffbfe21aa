//! Replacing the key that edge and origin share, at both ends.

use std::fs;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use portcullis_tests::account::Account;
use portcullis_tests::eventually;
use portcullis_tests::own_stack::Wanted;
use serde_json::json;
use xtask::stack::Part;

use crate::edge_signature::edge_key_of;

const NEXT: &[u8; 32] = b"1mzH4Xr9dQ2vLw7TnBc5Ke8YpUa1Gs6J";

#[tokio::test]
async fn a_new_key_is_taken_into_use_without_anybody_being_refused() {
    // The first step of the procedure: the origin knows the new key beside the old one.
    let next = Base64::encode_string(NEXT);
    let wanted = Wanted {
        origin_settings: vec![("PORTCULLIS__EDGE__SIGNING_KEYS__next".to_owned(), next.clone())],
        ..Wanted::all()
    };
    let mut stack = wanted.start("edge_keys").await;
    let account = Account::register(&stack.edge()).await;
    let (old_id, old_secret) = edge_key_of(stack.state_dir());
    assert_eq!(signed_with(&account).await, old_id);
    let csrf = account.client.get("/auth/csrf").bearer(account.access_token());
    csrf.send().await.expect(200);

    // The second: the edge signs with it.
    let keys = json!({&*old_id: Base64::encode_string(&old_secret), "next": next});
    stack.stop(Part::Edge).await;
    let secrets = stack.state_dir().join("worker.vars");
    fs::write(
        secrets,
        format!("EDGE_SIGNING_KEYS='{keys}'\nEDGE_SIGNING_KEY_ID='next'\n"),
    )
    .unwrap();
    stack.start(Part::Edge).await;
    assert_eq!(signed_with(&account).await, "next");
    account.me(account.access_token()).await.expect(200);

    // The feed is asked for, and answered, with the new key too.
    account
        .client
        .post("/auth/logout")
        .bearer(account.access_token())
        .send()
        .await
        .expect(204);
    eventually(
        "the end of the session has reached the edge",
        Duration::from_secs(10),
        async || {
            let call = account.client.get("/api/echo").bearer(account.access_token());
            (call.send().await.status == 401).then_some(())
        },
    )
    .await;
    let faults = fs::read_to_string(stack.log(Part::Edge)).unwrap();
    assert!(!faults.contains("\"event\":\"revocations\""), "{faults}");
}

/// The key with which the edge signs what it forwards.
async fn signed_with(account: &Account) -> String {
    let call = account.client.get("/api/echo").bearer(account.access_token());
    let seen = call.send().await.expect(200).json();
    let headers = seen["headers"].as_array().unwrap();
    let input = headers
        .iter()
        .find(|header| header[0] == "signature-input")
        .unwrap();
    let input = input[1].as_str().unwrap();
    input
        .split("keyid=\"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap()
        .to_owned()
}
