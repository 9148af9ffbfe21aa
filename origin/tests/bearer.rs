//! Being known by an access token, and being known no longer.

use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{
    DEFAULT_TENANT, assert_refused, audit_trail, body_of, execute, login, me, register, server, try_refresh,
};

#[tokio::test]
async fn an_account_that_is_closed_is_out_at_once() {
    for closed in [
        "UPDATE users SET status = 'disabled'",
        "UPDATE users SET deleted_at = now()",
    ] {
        let server = server().await;
        let person = register(&server, "ada@example.com").await;
        execute(&server, closed).await;
        assert_refused(me(&server, &person.access).await, 401, "invalid_token").await;
        assert_refused(
            try_refresh(&server, &person.refresh).await,
            401,
            "invalid_refresh_token",
        )
        .await;
    }
}

#[tokio::test]
async fn verify_shows_the_claims_of_the_token() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let answer = server
        .get("/auth/verify")
        .bearer_auth(&person.access)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let body = body_of(answer, StatusCode::OK).await;
    assert_eq!(body["active"], true);
    let claims = &body["claims"];
    for (claim, expected) in [
        ("iss", json!("https://auth.example.com")),
        ("aud", json!("example")),
        ("sub", json!(person.user_id)),
        ("sid", json!(person.session_id)),
        ("tenant_id", json!(DEFAULT_TENANT)),
        ("client_id", json!("portcullis")),
        ("role", json!("customer")),
        ("permissions", person.body["user"]["permissions"].clone()),
        ("venues", json!({})),
        ("amr", json!(["pwd"])),
        ("acr", json!("aal1")),
    ] {
        assert_eq!(claims[claim], expected, "{claim}");
    }
    let (issued, expires) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!(expires - issued, 900);
    assert_eq!(claims["auth_time"], issued);
    assert_eq!(claims["jti"].as_str().unwrap().len(), 36);
}

#[tokio::test]
async fn without_a_good_token_the_answer_says_how_to_come_by_one() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    for path in ["/auth/me", "/auth/verify"] {
        let none = server.get(path).send().await.unwrap();
        assert_eq!(none.headers()["www-authenticate"], "Bearer");
        assert_refused(none, 401, "invalid_token").await;

        let (signed, signature) = person.access.rsplit_once('.').unwrap();
        let other = if signature.starts_with('A') { "B" } else { "A" };
        let tampered = format!("{signed}.{other}{}", &signature[1..]);
        let bad = server.get(path).bearer_auth(tampered).send().await.unwrap();
        assert_eq!(
            bad.headers()["www-authenticate"],
            r#"Bearer error="invalid_token""#
        );
        assert_refused(bad, 401, "invalid_token").await;

        let twice = server
            .get(path)
            .bearer_auth(&person.access)
            .bearer_auth(&person.access)
            .send()
            .await
            .unwrap();
        assert_refused(twice, 400, "ambiguous_credentials").await;
    }
    server.clock.advance(TimeDelta::seconds(900 + 5));
    let late = me(&server, &person.access).await;
    let challenge = late.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(challenge.contains("expired"), "{challenge}");
    assert_refused(late, 401, "invalid_token").await;
}

#[tokio::test]
async fn a_token_of_another_installation_is_refused() {
    let (ours, theirs) = (server().await, server().await);
    let stranger = register(&theirs, "ada@example.com").await;
    register(&ours, "ada@example.com").await;
    assert_refused(me(&ours, &stranger.access).await, 401, "invalid_token").await;
    assert_refused(
        try_refresh(&ours, &stranger.refresh).await,
        401,
        "invalid_refresh_token",
    )
    .await;
}

#[tokio::test]
async fn signing_out_ends_the_session_and_no_other() {
    let server = server().await;
    let here = register(&server, "ada@example.com").await;
    let there = login(&server, "ada@example.com").await;
    let answer = server
        .post("/auth/logout")
        .bearer_auth(&here.access)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_refused(me(&server, &here.access).await, 401, "invalid_token").await;
    assert_refused(
        try_refresh(&server, &here.refresh).await,
        401,
        "invalid_refresh_token",
    )
    .await;
    let again = server
        .post("/auth/logout")
        .bearer_auth(&here.access)
        .send()
        .await
        .unwrap();
    assert_refused(again, 401, "invalid_token").await;
    assert_eq!(me(&server, &there.access).await.status(), StatusCode::OK);
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "logged_in", "logged_out"]
    );
}

#[tokio::test]
async fn signing_out_also_ends_the_session_of_ones_own_refresh_token() {
    let server = server().await;
    let here = register(&server, "ada@example.com").await;
    let there = login(&server, "ada@example.com").await;
    let stranger = register(&server, "eve@example.com").await;
    let logout = |access: &str, token: Value| {
        server
            .post("/auth/logout")
            .bearer_auth(access)
            .json(&json!({"refreshToken": token}))
            .send()
    };
    let answer = logout(&here.access, json!(there.refresh)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    for person in [&here, &there] {
        assert_refused(me(&server, &person.access).await, 401, "invalid_token").await;
    }
    let here = login(&server, "ada@example.com").await;
    let answer = logout(&here.access, json!(stranger.refresh)).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(me(&server, &stranger.access).await.status(), StatusCode::OK);

    let here = login(&server, "ada@example.com").await;
    let answer = logout(&here.access, json!("no token at all")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_refused(
        logout(&stranger.access, json!(7)).await.unwrap(),
        400,
        "malformed_request",
    )
    .await;
}

#[tokio::test]
async fn a_client_that_asks_a_hundred_and_one_times_in_a_minute_is_refused_before_its_token_is_read() {
    let server = TestServer::start().await;
    for _ in 0..100 {
        assert_refused(me(&server, "garbage").await, 401, "invalid_token").await;
    }
    assert_refused(me(&server, "garbage").await, 429, "rate_limited").await;
}
