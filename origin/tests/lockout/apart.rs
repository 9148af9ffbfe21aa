//! Whom a stranger cannot lock out.

use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use super::{
    ADA, AWAY, HOME, WRONG, assert_locked, assert_locked_out, assert_signs_in, attempt, guess, server,
};
use crate::common::TestServer;
use crate::fixtures::{PASSWORD, Person, assert_refused, execute, login, register, register_at, text};

/// Tries to sign in on a device.
async fn attempt_on(server: &TestServer, device: &str, email: &str, password: &str) -> Response {
    server
        .post("/auth/login")
        .header("x-forwarded-for", AWAY)
        .header("x-device-token", device)
        .json(&json!({"email": email, "password": password}))
        .send()
        .await
        .unwrap()
}

async fn change(server: &TestServer, person: &Person, current: &str) -> Response {
    server
        .request(Method::PUT, "/auth/change-password")
        .bearer_auth(&person.access)
        .json(&json!({"currentPassword": current, "newPassword": "passwordpassword"}))
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_device_that_the_account_knows_is_not_locked_out_by_strangers() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    let device = text(&ada.body, "/deviceToken");
    // Not by those in the same network either.
    guess(&server, AWAY, ADA, 5).await;
    for number in 0..5 {
        guess(&server, AWAY, &format!("person-{number}@example.com"), 1).await;
    }
    let answer = attempt_on(&server, &device, ADA, PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::OK);
    // And its sign-in gives strangers nothing back.
    assert_locked_out(&server, HOME, ADA, "900").await;
}

#[tokio::test]
async fn a_known_device_is_counted_by_itself() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    let device = text(&ada.body, "/deviceToken");
    for _ in 0..5 {
        let answer = attempt_on(&server, &device, ADA, WRONG).await;
        assert_refused(answer, 401, "invalid_credentials").await;
    }
    let answer = attempt_on(&server, &device, ADA, PASSWORD).await;
    assert_locked(answer, "account_locked", "900").await;
    assert_signs_in(&server, HOME, ADA).await;
    // It is known to nobody else.
    register(&server, "eve@example.com").await;
    guess(&server, AWAY, "eve@example.com", 5).await;
    let answer = attempt_on(&server, &device, "eve@example.com", PASSWORD).await;
    assert_locked(answer, "account_locked", "900").await;
}

#[tokio::test]
async fn an_account_of_another_tenant_is_another_account() {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES ('01890000-0000-7000-8000-00000000000b', 'other', 'Other', now())",
    )
    .await;
    register(&server, ADA).await;
    register_at(&server, Some("other"), ADA).await;
    guess(&server, HOME, ADA, 5).await;
    let body = json!({"email": ADA, "password": PASSWORD});
    let there = server.post("/auth/login").header("x-tenant", "other").json(&body);
    assert_eq!(there.send().await.unwrap().status(), StatusCode::OK);
    assert_locked_out(&server, HOME, ADA, "900").await;
}

#[tokio::test]
async fn sign_ins_and_current_passwords_are_counted_apart() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    let other = login(&server, ADA).await;
    guess(&server, HOME, ADA, 5).await;
    for session in [&ada, &other, &ada, &other, &ada] {
        let answer = change(&server, session, WRONG).await;
        assert_refused(answer, 401, "invalid_credentials").await;
    }
    // Not even whether the new password would do is told now.
    let answer = change(&server, &other, PASSWORD).await;
    assert_locked(answer, "rate_limited", "900").await;
    let deletion = server
        .request(Method::DELETE, "/auth/account")
        .bearer_auth(&ada.access);
    let answer = deletion
        .json(&json!({"password": PASSWORD}))
        .send()
        .await
        .unwrap();
    assert_locked(answer, "rate_limited", "900").await;
    server
        .clock
        .advance(portcullis_origin::kernel::time::TimeDelta::minutes(14));
    let answer = attempt(&server, AWAY, ADA, PASSWORD).await;
    assert_locked(answer, "account_locked", "60").await;
}
