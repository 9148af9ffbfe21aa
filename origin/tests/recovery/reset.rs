//! `POST /auth/reset-password`.

use futures_util::future::join_all;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;

use super::*;
use crate::fixtures::{
    PASSWORD, assert_refused, audit_trail, body_of, count, execute, login, me, register, try_login,
    try_refresh,
};
use crate::mail::server_with_folder;

const NEW: &str = "violet anchors drift at noon";

#[tokio::test]
async fn a_new_password_ends_every_session_and_is_announced() {
    let (server, folder) = server_with_folder().await;
    let person = register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let token = reset_token(&server, &folder, "ada@example.com").await;
    assert_eq!(
        me(&server, &person.access).await.status(),
        StatusCode::OK,
        "a wish changes nothing"
    );

    let answer = reset(&server, &token, NEW).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(answer.bytes().await.unwrap().is_empty());
    assert_refused(me(&server, &person.access).await, 401, "invalid_token").await;
    assert_refused(
        try_refresh(&server, &person.refresh).await,
        401,
        "invalid_refresh_token",
    )
    .await;
    assert_refused(
        try_login(&server, "ada@example.com", PASSWORD).await,
        401,
        "invalid_credentials",
    )
    .await;
    let body = body_of(try_login(&server, "ada@example.com", NEW).await, StatusCode::OK).await;
    assert_eq!(
        body["user"]["emailVerified"], true,
        "who has the link reads the mail of this address"
    );

    let arrived = mails(&server, &folder).await;
    assert_eq!(
        only(&arrived, "Your password for Default is a new one").to,
        "ada@example.com"
    );
    let trail = audit_trail(&server).await;
    let after: Vec<&str> = trail.iter().skip(2).map(String::as_str).collect();
    assert_eq!(
        after,
        [
            "password_reset_requested",
            "password_reset_offered",
            "password_reset",
            "email_verified",
            "devices_forgotten",
            "sessions_revoked",
            "login_failed",
            "logged_in"
        ]
    );
}

#[tokio::test]
async fn the_link_of_a_reset_opens_the_page_of_the_application() {
    let (server, folder) = crate::mail::server_with_folder_and(|settings| {
        settings.insert(
            "PORTCULLIS__MAIL__FRONT_END_URL".into(),
            "https://www.example.com/app".into(),
        );
    })
    .await;
    register(&server, "ada@example.com").await;
    forgot(&server, "ADA@example.com").await;
    let arrived = mails(&server, &folder).await;
    let mail = only(&arrived, CHOOSE);
    assert!(
        mail.link()
            .starts_with("https://www.example.com/app/reset-password?token=")
    );
    assert!(mail.text.contains("1 hour"));
    let confirm = only(&arrived, CONFIRM);
    assert!(
        confirm
            .link()
            .starts_with("https://auth.example.com/auth/verify-email?token=")
    );
}

#[tokio::test]
async fn a_link_is_good_once_for_an_hour_and_until_a_newer_one_is_sent() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let first = reset_token(&server, &folder, "ada@example.com").await;
    let second = reset_token(&server, &folder, "ada@example.com").await;
    assert_refused(reset(&server, &first, NEW).await, 400, "invalid_or_expired_token").await;
    server.clock.advance(TimeDelta::hours(1));
    assert_refused(
        reset(&server, &second, NEW).await,
        400,
        "invalid_or_expired_token",
    )
    .await;
    server.clock.advance(TimeDelta::seconds(-1));
    assert_eq!(
        reset(&server, &second, NEW).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_refused(
        reset(&server, &second, PASSWORD).await,
        400,
        "invalid_or_expired_token",
    )
    .await;
}

#[tokio::test]
async fn of_many_who_use_a_link_at_once_one_does() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let token = reset_token(&server, &folder, "ada@example.com").await;
    let passwords: Vec<String> = (0..8).map(|number| format!("{NEW} {number}")).collect();
    let answers = join_all(passwords.iter().map(|password| reset(&server, &token, password))).await;
    let won: Vec<usize> = (0..8)
        .filter(|&place| answers[place].status() == StatusCode::NO_CONTENT)
        .collect();
    let [winner] = won.as_slice() else {
        panic!("{won:?}")
    };
    for (place, password) in passwords.iter().enumerate() {
        let signs_in = try_login(&server, "ada@example.com", password).await.status() == StatusCode::OK;
        assert_eq!(signs_in, place == *winner);
    }
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM audit_events WHERE type = 'password_reset'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn a_password_that_is_not_good_enough_does_not_use_the_link_up() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let token = reset_token(&server, &folder, "ada@example.com").await;
    for (password, code) in [
        ("short", "too_short"),
        ("password1234", "too_weak"),
        ("AdaLovelace1", "too_weak"),
    ] {
        let answer = reset(&server, &token, password).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            (&body["errors"][0]["field"], &body["errors"][0]["code"]),
            (&json!("newPassword"), &json!(code))
        );
    }
    assert_eq!(reset(&server, &token, NEW).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_is_no_link_of_ours_is_refused_alike_whatever_it_is() {
    let (server, _folder) = server_with_folder().await;
    for token in [
        "x",
        &"A".repeat(43),
        &"A".repeat(10_000),
        "../../etc/passwd",
        " ",
        "é",
        "%00",
    ] {
        assert_refused(reset(&server, token, NEW).await, 400, "invalid_or_expired_token").await;
        assert_refused(verify(&server, token).await, 400, "invalid_or_expired_token").await;
    }
    for body in [json!({}), json!({"token": "x"}), json!({"newPassword": NEW})] {
        assert_refused(
            post(&server, "/auth/reset-password", &body).await,
            400,
            "validation_failed",
        )
        .await;
    }
}

#[tokio::test]
async fn an_account_that_an_operator_has_locked_stays_locked_and_a_closed_one_gets_no_mail() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    execute(&server, "UPDATE users SET status = 'locked'").await;
    let token = reset_token(&server, &folder, "ada@example.com").await;
    assert_eq!(reset(&server, &token, NEW).await.status(), StatusCode::NO_CONTENT);
    assert_refused(
        try_login(&server, "ada@example.com", NEW).await,
        429,
        "account_locked",
    )
    .await;
    mails(&server, &folder).await;

    for change in [
        "UPDATE users SET status = 'disabled'",
        "UPDATE users SET status = 'active', deleted_at = created_at",
    ] {
        execute(&server, change).await;
        assert_eq!(
            forgot(&server, "ada@example.com").await.status(),
            StatusCode::ACCEPTED
        );
        assert!(mails(&server, &folder).await.is_empty());
    }
}

#[tokio::test]
async fn a_link_does_not_outlive_the_right_to_sign_in() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let token = reset_token(&server, &folder, "ada@example.com").await;
    execute(&server, "UPDATE users SET status = 'disabled'").await;
    assert_refused(reset(&server, &token, NEW).await, 400, "invalid_or_expired_token").await;
}

#[tokio::test]
async fn somebody_who_was_imported_without_a_password_gets_one() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    execute(&server, "UPDATE users SET password_hash = NULL").await;
    let token = reset_token(&server, &folder, "ada@example.com").await;
    assert_eq!(
        reset(&server, &token, PASSWORD).await.status(),
        StatusCode::NO_CONTENT
    );
    login(&server, "ada@example.com").await;
}

#[tokio::test]
async fn access_tokens_of_before_are_stale_and_those_of_after_are_good() {
    let (server, folder) = server_with_folder().await;
    let before = register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let token = reset_token(&server, &folder, "ada@example.com").await;
    reset(&server, &token, PASSWORD).await;
    let after = login(&server, "ada@example.com").await;
    assert_refused(me(&server, &before.access).await, 401, "invalid_token").await;
    assert_eq!(me(&server, &after.access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_password_that_is_changed_ends_the_link_for_another_one() {
    let (server, folder) = server_with_folder().await;
    let person = register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let token = reset_token(&server, &folder, "ada@example.com").await;
    let change = server
        .request(reqwest::Method::PUT, "/auth/change-password")
        .bearer_auth(&person.access)
        .json(&json!({"currentPassword": PASSWORD, "newPassword": "violet anchors drift at noon"}));
    assert_eq!(change.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_refused(
        reset(&server, &token, "granite owls hum softly").await,
        400,
        "invalid_or_expired_token",
    )
    .await;
    let other = reset_token(&server, &folder, "ada@example.com").await;
    assert_eq!(
        reset(&server, &other, "granite owls hum softly").await.status(),
        StatusCode::NO_CONTENT
    );
}
