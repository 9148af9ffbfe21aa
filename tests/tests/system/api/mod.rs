//! `/api/*`: what stands between a client and an upstream. The upstream answers with what it saw.

mod bodies;
mod disguise;
mod forwarding;
mod identity;
mod odd_upstream;
mod policy;
mod stream;
mod tokens;
mod ws;

use portcullis_tests::account::Account;
use portcullis_tests::answer::Answer;
use portcullis_tests::forge::{claims_for, trusted};
use portcullis_tests::now;
use portcullis_tests::world::Door;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// The venue of all tests.
const VENUE: &str = "11111111-1111-7111-8111-111111111111";

/// The claims of some account of the shared system, as of now.
async fn claims() -> Value {
    static CLAIMS: OnceCell<Value> = OnceCell::const_new();
    let mut claims = CLAIMS
        .get_or_init(async || claims_for(&Account::register(&Door::origin()).await))
        .await
        .clone();
    let now = now();
    claims["iat"] = json!(now);
    claims["auth_time"] = json!(now);
    claims["exp"] = json!(now + 600);
    claims
}

/// A token that the edge accepts, with some claims changed.
async fn token_with(changes: Value) -> String {
    let issuer = trusted().await;
    let mut claims = claims().await;
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    issuer.token(&claims)
}

/// All values of a header that the upstream saw.
fn seen_headers(answer: &Answer, name: &str) -> Vec<String> {
    let seen = answer.json();
    let headers = seen["headers"]
        .as_array()
        .unwrap_or_else(|| panic!("not the upstream's answer: {answer:?}"));
    let of_name = headers.iter().filter(|header| header[0] == name);
    of_name
        .map(|header| header[1].as_str().unwrap().to_owned())
        .collect()
}

/// The one value of a header that the upstream saw.
#[track_caller]
fn seen_header(answer: &Answer, name: &str) -> String {
    let mut values = seen_headers(answer, name);
    assert_eq!(values.len(), 1, "{name}: {answer:?}");
    values.remove(0)
}
