//! How often a password may be guessed, and whom that locks out.

mod apart;
mod counting;
mod ending;
mod races;
mod telling;

use reqwest::{Response, StatusCode};
use serde_json::json;

use crate::common::{Settings, TestServer};
use crate::fixtures::{PASSWORD, assert_refused, count, without_limits};

const ADA: &str = "ada@example.com";
const EVE: &str = "eve@example.com";
const WRONG: &str = "not the password at all";
const HOME: &str = "192.0.2.1";
const AWAY: &str = "198.51.100.1";

/// The lockout as it is by default, no other limit, and clients that say where they come from.
fn settings(settings: &mut Settings) {
    without_limits(settings);
    settings.retain(|name, _| !name.starts_with("PORTCULLIS__LOCKOUT__"));
    for (name, value) in [
        ("HTTP__TRUSTED_PROXIES", "127.0.0.1/32"),
        ("PASSWORDS__QUEUE", "500"),
    ] {
        settings.insert(format!("PORTCULLIS__{name}"), value.into());
    }
}

async fn server() -> TestServer {
    TestServer::start_with(settings).await
}

/// Somebody at this address tries to sign in.
async fn attempt(server: &TestServer, from: &str, email: &str, password: &str) -> Response {
    server
        .post("/auth/login")
        .header("x-forwarded-for", from)
        .json(&json!({"email": email, "password": password}))
        .send()
        .await
        .unwrap()
}

/// Somebody at this address guesses wrong so often, and is told so each time.
async fn guess(server: &TestServer, from: &str, email: &str, times: usize) {
    for _ in 0..times {
        let answer = attempt(server, from, email, WRONG).await;
        assert_refused(answer, 401, "invalid_credentials").await;
    }
}

async fn assert_signs_in(server: &TestServer, from: &str, email: &str) {
    let answer = attempt(server, from, email, PASSWORD).await;
    assert_eq!(
        answer.status(),
        StatusCode::OK,
        "{}",
        answer.text().await.unwrap()
    );
}

/// Asserts that an answer is the refusal of a lock that lasts so many seconds more.
async fn assert_locked(answer: Response, code: &str, seconds: &str) {
    assert_eq!(answer.headers()["retry-after"], seconds);
    assert_refused(answer, 429, code).await;
}

/// Asserts that not even the right password is of use, for so many seconds.
async fn assert_locked_out(server: &TestServer, from: &str, email: &str, seconds: &str) {
    assert_locked(
        attempt(server, from, email, PASSWORD).await,
        "account_locked",
        seconds,
    )
    .await;
}

async fn locks(server: &TestServer) -> i64 {
    count(
        server,
        "SELECT count(*) FROM login_failures WHERE locked_until IS NOT NULL",
    )
    .await
}

/// Letters about locks that wait to be sent.
async fn letters(server: &TestServer) -> i64 {
    count(
        server,
        "SELECT count(*) FROM graphile_worker._private_jobs WHERE payload ->> 'kind' = 'sign_in_locked'",
    )
    .await
}
