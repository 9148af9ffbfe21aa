//! Signing in with a password.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use portcullis_origin::accounts::{self, EmailAddress};
use portcullis_origin::kernel::passwords::PasswordHash;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;
use serde_json::json;

use crate::common::{Settings, TestServer};
use crate::fixtures::{
    DEFAULT_TENANT, PASSWORD, assert_refused, audit_trail, count, execute, login, me, moment, register,
    registration, server, try_login, without_limits,
};

#[tokio::test]
async fn signing_in_opens_a_session_of_its_own() {
    let server = server().await;
    let first = register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::minutes(5));
    let second = login(&server, " ADA@example.com ").await;
    assert_eq!(first.user_id, second.user_id);
    assert_ne!(first.session_id, second.session_id);
    let (before, after) = (&first.body["user"], &second.body["user"]);
    assert_eq!(
        moment(&after["lastLoginAt"]) - moment(&before["lastLoginAt"]),
        TimeDelta::minutes(5)
    );
    for person in [first, second] {
        assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
    }
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "logged_in"]
    );
}

#[tokio::test]
async fn the_same_password_from_another_keyboard_is_the_same_password() {
    let server = server().await;
    let mut request = registration("zoe@example.com");
    request["password"] = json!("zu\u{308}rich-kr\u{e4}ht-f\u{fc}nfmal");
    let answer = server.post("/auth/register").json(&request).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let answer = try_login(
        &server,
        "zoe@example.com",
        "z\u{fc}rich-kra\u{308}ht-fu\u{308}nfmal",
    )
    .await;
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_unknown_address_and_a_wrong_password_are_answered_alike() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    execute(&server, "INSERT INTO users (id, tenant_id, email, first_name, last_name, created_at, updated_at)
        SELECT gen_random_uuid(), tenant_id, 'no-password@example.com', 'A', 'L', created_at, updated_at FROM users").await;
    let mut answers = Vec::new();
    for email in ["ada@example.com", "nobody@example.com", "no-password@example.com"] {
        let answer = try_login(&server, email, "a wrong password").await;
        let mut headers = answer.headers().clone();
        for name in ["x-request-id", "date", "ratelimit"] {
            headers.remove(name);
        }
        let mut body = assert_refused(answer, 401, "invalid_credentials").await;
        body.as_object_mut().unwrap().remove("requestId").unwrap();
        answers.push((format!("{headers:?}"), body));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    let refusals = "SELECT count(*) FROM audit_events
                    WHERE type = 'login_failed' AND detail = '{\"reason\": \"address or password is wrong\"}'";
    assert_eq!(count(&server, refusals).await, 3);
}

#[tokio::test]
async fn an_unknown_address_costs_a_hash_like_any_other() {
    // One hash at a time and nobody may wait: while one is being computed, whoever needs another is turned away.
    // Who needs none would be answered at once.
    let server = TestServer::start_with(|settings| {
        without_limits(settings);
        for (name, value) in [("PERMITS", "1"), ("QUEUE", "0"), ("ITERATIONS", "40")] {
            settings.insert(format!("PORTCULLIS__PASSWORDS__{name}"), value.into());
        }
    })
    .await;
    register(&server, "ada@example.com").await;
    for email in ["ada@example.com", "nobody@example.com"] {
        let attempts = (0..8).map(|_| try_login(&server, email, "a wrong password"));
        let statuses: BTreeSet<u16> = join_all(attempts)
            .await
            .iter()
            .map(|answer| answer.status().as_u16())
            .collect();
        assert_eq!(statuses, BTreeSet::from([401, 503]), "{email}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_told_only_to_its_holder() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    execute(&server, "UPDATE users SET status = 'disabled'").await;
    assert_refused(
        try_login(&server, "ada@example.com", "a wrong password").await,
        401,
        "invalid_credentials",
    )
    .await;
    assert_refused(
        try_login(&server, "ada@example.com", PASSWORD).await,
        403,
        "account_disabled",
    )
    .await;

    execute(&server, "UPDATE users SET status = 'locked'").await;
    assert_refused(
        try_login(&server, "ada@example.com", "a wrong password").await,
        401,
        "invalid_credentials",
    )
    .await;
    let locked = try_login(&server, "ada@example.com", PASSWORD).await;
    assert_eq!(locked.headers()["retry-after"], "900");
    assert_refused(locked, 429, "account_locked").await;

    execute(&server, "UPDATE users SET status = 'active', deleted_at = now()").await;
    assert_refused(
        try_login(&server, "ada@example.com", PASSWORD).await,
        401,
        "invalid_credentials",
    )
    .await;
}

#[tokio::test]
async fn a_login_form_with_nothing_in_it_is_a_mistake_of_form() {
    let server = server().await;
    let answer = server
        .post("/auth/login")
        .json(&json!({"password": ""}))
        .send()
        .await
        .unwrap();
    let body = assert_refused(answer, 400, "validation_failed").await;
    assert_eq!(body["errors"].as_array().unwrap().len(), 2);
    assert_eq!(body["errors"][0]["code"], "required");
    assert_refused(
        try_login(&server, "not an address", PASSWORD).await,
        400,
        "validation_failed",
    )
    .await;
}

/// Settings with every limit but that of failures.
fn without_lockout(settings: &mut Settings) {
    for (limit, most) in [("ACCOUNT", "100"), ("CLIENT", "1000")] {
        settings.insert(format!("PORTCULLIS__LOCKOUT__FAILURES_PER_{limit}"), most.into());
    }
}

#[tokio::test]
async fn eleven_logins_to_one_address_in_a_minute_are_too_many() {
    let server = TestServer::start_with(without_lockout).await;
    register(&server, "ada@example.com").await;
    for _ in 0..10 {
        let answer = try_login(&server, "ada@example.com", "a wrong password").await;
        assert!(answer.headers().contains_key("ratelimit-policy"));
        assert_refused(answer, 401, "invalid_credentials").await;
    }
    let limited = try_login(&server, "ADA@example.com", PASSWORD).await;
    assert!(limited.headers().contains_key("retry-after"));
    assert_refused(limited, 429, "rate_limited").await;
    assert_refused(
        try_login(&server, "eve@example.com", PASSWORD).await,
        401,
        "invalid_credentials",
    )
    .await;
    server.clock.advance(TimeDelta::seconds(60));
    assert_eq!(
        try_login(&server, "ada@example.com", PASSWORD).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn thirty_one_logins_of_one_client_in_a_minute_are_too_many() {
    let server = TestServer::start_with(without_lockout).await;
    for number in 0..30 {
        let answer = try_login(
            &server,
            &format!("nobody-{number}@example.com"),
            "a wrong password",
        )
        .await;
        assert_refused(answer, 401, "invalid_credentials").await;
    }
    assert_refused(
        try_login(&server, "nobody@example.com", PASSWORD).await,
        429,
        "rate_limited",
    )
    .await;
}

#[tokio::test]
async fn a_password_or_an_account_that_changed_while_the_hash_was_computed_does_not_let_in() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    let app = server.app.core();
    let mut connection = app.pool().acquire().await.unwrap();
    let tenant = DEFAULT_TENANT.parse().unwrap();
    let email = EmailAddress::parse("ada@example.com").unwrap();
    let mut found = async || {
        let credentials = accounts::find_credentials(&mut connection, tenant, &email)
            .await
            .unwrap()
            .unwrap();
        (credentials.user, credentials.password_hash.unwrap())
    };
    let (user, hash) = found().await;
    let mut connection = app.pool().acquire().await.unwrap();
    let other = PasswordHash::from_stored("changed".to_owned());
    let mut lock = async |hash| {
        accounts::lock_checked(&mut connection, &user, hash)
            .await
            .unwrap()
    };
    assert!(lock(&hash).await.is_some());
    assert!(lock(&other).await.is_none());
    execute(&server, "UPDATE users SET status = 'disabled'").await;
    assert!(lock(&hash).await.is_none());
}
