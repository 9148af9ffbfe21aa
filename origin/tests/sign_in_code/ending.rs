//! What ends a sign-in that waits for a code.

use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_origin::mfa;

use super::*;
use crate::recovery::{CHOOSE, post};

#[tokio::test]
async fn a_code_is_good_for_five_minutes_and_is_not_mailed_later() {
    let (server, folder, _) = server_with_ada().await;
    let token = challenged(&server).await;
    let code = code(&server, &folder).await;
    let late = challenged(&server).await;
    server.clock.advance(TimeDelta::seconds(299));
    let other = challenged(&server).await;
    assert_wrong(&server, &token, &wrong(&code)).await;
    server.clock.advance(TimeDelta::seconds(1));
    assert_over(&server, &token, &code).await;
    assert_over(&server, &late, &code).await;
    assert_wrong(&server, &other, &code).await;
    assert_eq!(
        mails(&server, &folder).await.len(),
        1,
        "a code that nobody can use is not sent"
    );

    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let now = server.clock.now();
    assert_eq!(mfa::purge_expired(&mut connection, now).await.unwrap(), 2);
    assert_wrong(&server, &other, &code).await;
}

#[tokio::test]
async fn a_password_that_is_replaced_ends_it() {
    let (server, folder, ada) = server_with_ada().await;
    let token = challenged(&server).await;
    let code_before = code(&server, &folder).await;
    let new = json!({"currentPassword": PASSWORD, "newPassword": "another battery, staple and horse"});
    let changed = server
        .request(reqwest::Method::PUT, "/auth/change-password")
        .bearer_auth(&ada.access)
        .json(&new)
        .send()
        .await
        .unwrap();
    assert_eq!(changed.status(), StatusCode::NO_CONTENT);
    assert_over(&server, &token, &code_before).await;

    let body = json!({"email": ADA, "password": "another battery, staple and horse"});
    let body = body_of(post(&server, "/auth/login", &body).await, StatusCode::OK).await;
    let token = text(&body, "/mfaToken");
    let code_before = code_in(&only(&mails(&server, &folder).await, SUBJECT).text);
    post(&server, "/auth/forgot-password", &json!({"email": ADA})).await;
    let ticket = only(&mails(&server, &folder).await, CHOOSE).token();
    let new = json!({"token": ticket, "newPassword": "yet another battery and horse"});
    let reset = post(&server, "/auth/reset-password", &new).await;
    assert_eq!(reset.status(), StatusCode::NO_CONTENT);
    assert_over(&server, &token, &code_before).await;
}

#[tokio::test]
async fn an_account_that_may_not_sign_in_any_more_is_told_so_only_with_the_right_code() {
    for (status, answered, problem) in [
        ("UPDATE users SET status = 'locked'", 429, "account_locked"),
        ("UPDATE users SET status = 'disabled'", 403, "account_disabled"),
    ] {
        let (server, folder, _) = server_with_ada().await;
        let token = challenged(&server).await;
        let code = code(&server, &folder).await;
        execute(&server, status).await;
        assert_wrong(&server, &token, &wrong(&code)).await;
        assert_refused(answer(&server, &token, &code).await, answered, problem).await;
        assert_eq!(sessions(&server).await, 1);
    }
}

#[tokio::test]
async fn a_deleted_account_cannot_be_entered() {
    let (server, folder, _) = server_with_ada().await;
    let token = challenged(&server).await;
    let code = code(&server, &folder).await;
    execute(&server, "UPDATE users SET deleted_at = now()").await;
    assert_over(&server, &token, &code).await;
}

#[tokio::test]
async fn another_tenant_cannot_go_on_with_it() {
    let (server, folder, _) = server_with_ada().await;
    execute(
        &server,
        "INSERT INTO tenants (id, slug, name, created_at) VALUES ('00000000-0000-0000-0000-0000000000aa', 'other', 'Other', now())",
    )
    .await;
    let token = challenged(&server).await;
    let code = code(&server, &folder).await;
    let from = async |tenant: &'static str| {
        let request = server.post("/auth/login/mfa").header("x-tenant", tenant);
        request.json(&with(&token, &code)).send().await.unwrap()
    };
    assert_refused(from("other").await, 401, "invalid_mfa_token").await;
    assert_refused(from("nowhere").await, 400, "unknown_tenant").await;
    body_of(from("default").await, StatusCode::OK).await;
}

#[tokio::test]
async fn another_device_cannot_go_on_with_it() {
    let (server, folder, ada) = server_with_ada().await;
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
    let newer_firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0";
    let body = json!({"email": ADA, "password": PASSWORD});
    let request = server
        .post("/auth/login")
        .header("user-agent", firefox)
        .json(&body);
    let token = text(
        &body_of(request.send().await.unwrap(), StatusCode::OK).await,
        "/mfaToken",
    );
    let code = code(&server, &folder).await;
    let from = |user_agent: &'static str| {
        let request = server.post("/auth/login/mfa").header("user-agent", user_agent);
        request.json(&with(&token, &code))
    };
    let known = text(&ada.body, "/deviceToken");
    for other in [from("curl/8.5.0"), from(firefox).header("x-device-token", known)] {
        assert_refused(other.send().await.unwrap(), 401, "invalid_mfa_token").await;
    }
    body_of(from(newer_firefox).send().await.unwrap(), StatusCode::OK).await;
}
