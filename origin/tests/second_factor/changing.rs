//! Giving a second factor up, and what else changes with one.

use super::*;
use crate::fixtures::server;
use crate::recovery::{CHOOSE, post as post_to};

#[tokio::test]
async fn it_is_given_up_with_the_password_after_a_fresh_proof_of_both_factors() {
    let (server, folder, ada) = server_with_ada().await;
    assert_refused(
        disable(&server, &ada.person.access, PASSWORD).await,
        401,
        "step_up_required",
    )
    .await;
    let fresh = login_with(&server, &ada.app).await;
    let wrong = disable(&server, &fresh.access, "not the password at all").await;
    assert_refused(wrong, 401, "invalid_credentials").await;
    assert!(mfa_enabled(&server, &fresh.access).await);

    assert_eq!(
        disable(&server, &fresh.access, PASSWORD).await.status(),
        StatusCode::NO_CONTENT
    );
    assert!(!mfa_enabled(&server, &fresh.access).await);
    assert_refused(me(&server, &ada.person.access).await, 401, "invalid_token").await;
    only(
        &mails(&server, &folder).await,
        "No second factor protects your account with Default any more",
    );
    login(&server, ADA).await;
    assert_refused(
        disable(&server, &fresh.access, PASSWORD).await,
        409,
        "mfa_not_enabled",
    )
    .await;
    assert_refused(
        new_backup_codes(&server, &fresh.access).await,
        409,
        "mfa_not_enabled",
    )
    .await;
}

#[tokio::test]
async fn a_new_password_leaves_it_as_it_is() {
    let (server, folder, ada) = server_with_ada().await;
    post_to(&server, "/auth/forgot-password", &json!({"email": ADA})).await;
    let ticket = only(&mails(&server, &folder).await, CHOOSE).token();
    let new = json!({"token": ticket, "newPassword": "another battery, staple and horse"});
    let reset = post_to(&server, "/auth/reset-password", &new).await;
    assert_eq!(reset.status(), StatusCode::NO_CONTENT);
    let body = body_of(
        try_login(&server, ADA, "another battery, staple and horse").await,
        StatusCode::OK,
    )
    .await;
    let token = text(&body, "/mfaToken");
    let answered = answer(&server, &token, "totp", &ada.app.code(&server)).await;
    assert_eq!(answered.status(), StatusCode::OK);
}

#[tokio::test]
async fn what_waited_before_a_change_is_over() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let waiting = challenged(&server).await;
    let fresh = login_with(&server, &ada.app).await;
    assert_eq!(
        disable(&server, &fresh.access, PASSWORD).await.status(),
        StatusCode::NO_CONTENT
    );
    next_step(&server);
    let late = answer(&server, &waiting, "totp", &ada.app.code(&server)).await;
    assert_refused(late, 401, "invalid_mfa_token").await;
}
