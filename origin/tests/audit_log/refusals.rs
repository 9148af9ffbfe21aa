//! What strangers are refused for free is not in the log: it may not grow as fast as they can ask.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use crate::common::TestServer;
use crate::fixtures::{PASSWORD, assert_refused, audit_trail, register, registration, server};

/// Each with the refusal that it meets, at no cost of a hash and without a guess at a secret.
fn refused_for_free(server: &TestServer, access: &str) -> Vec<(RequestBuilder, u16, &'static str)> {
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    let cookie = format!("__Host-pc_access={access}");
    vec![
        (server.get("/auth/me"), 401, "invalid_token"),
        (
            server.get("/auth/me").bearer_auth("not.a.token"),
            401,
            "invalid_token",
        ),
        (
            server
                .get("/auth/me")
                .bearer_auth(access)
                .header("cookie", &cookie),
            400,
            "ambiguous_credentials",
        ),
        (
            server
                .post("/auth/logout")
                .header("cookie", &cookie)
                .header("sec-fetch-site", "cross-site"),
            403,
            "csrf_rejected",
        ),
        (
            server
                .post("/auth/login")
                .json(&login)
                .header("signature", "edge=:AAAA:")
                .header("signature-input", "edge=()"),
            401,
            "invalid_edge_signature",
        ),
        (
            server
                .post("/auth/refresh")
                .json(&json!({"refreshToken": "made up"})),
            401,
            "invalid_refresh_token",
        ),
        (
            server.post("/auth/login").json(&json!({})),
            400,
            "validation_failed",
        ),
        (
            server
                .post("/auth/login")
                .body("{")
                .header("content-type", "application/json"),
            400,
            "malformed_request",
        ),
        (
            server
                .post("/auth/register")
                .json(&registration("ada@example.com")),
            409,
            "email_taken",
        ),
        (
            server
                .request(Method::POST, "/auth/verify-email")
                .json(&json!({"token": "A".repeat(43)})),
            400,
            "invalid_or_expired_token",
        ),
    ]
}

#[tokio::test]
async fn what_costs_a_stranger_nothing_leaves_no_event() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let before = audit_trail(&server).await;
    for (request, status, code) in refused_for_free(&server, &person.access) {
        assert_refused(request.send().await.unwrap(), status, code).await;
    }
    assert_eq!(audit_trail(&server).await, before);
}

#[tokio::test]
async fn guesses_beyond_a_limit_leave_no_event() {
    // The limits of requests, and not the lock of the account: what is refused for that is a guess all the same.
    let server = TestServer::start_with(|settings| {
        settings.insert("PORTCULLIS__LOCKOUT__FAILURES_PER_ACCOUNT".into(), "100".into());
        settings.insert("PORTCULLIS__LOCKOUT__FAILURES_PER_CLIENT".into(), "1000".into());
    })
    .await;
    register(&server, "ada@example.com").await;
    let guess = async || {
        let login = server.post("/auth/login");
        login
            .json(&json!({"email": "ada@example.com", "password": "a guess"}))
            .send()
            .await
            .unwrap()
    };
    // How many of them are refused as guesses is the limits' to say.
    let mut refused = 0;
    let mut answer = guess().await;
    while answer.status() == 401 {
        refused += 1;
        answer = guess().await;
    }
    assert_eq!(answer.status(), 429);
    let before = audit_trail(&server).await;
    assert_eq!(
        before.iter().filter(|kind| *kind == "login_failed").count(),
        refused
    );
    for _ in 0..5 {
        assert_eq!(guess().await.status(), 429);
    }
    assert_eq!(audit_trail(&server).await, before);
}
