//! `registration.hide_existing`: nobody learns by registering who has an account.

use reqwest::StatusCode;

use super::*;
use crate::fixtures::{PASSWORD, assert_refused, count, registration, try_login};
use crate::mail::server_with_folder_and;

async fn server_that_hides() -> (TestServer, Folder) {
    server_with_folder_and(|settings| {
        settings.insert("PORTCULLIS__REGISTRATION__HIDE_EXISTING".into(), "true".into());
    })
    .await
}

async fn try_register(server: &TestServer, email: &str) -> (StatusCode, String) {
    let answer = post(server, "/auth/register", &registration(email)).await;
    assert!(!answer.headers().contains_key("set-cookie"));
    (answer.status(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_new_address_and_a_taken_one_are_answered_alike_and_told_apart_by_mail() {
    let (server, folder) = server_that_hides().await;
    let first = try_register(&server, "ada@example.com").await;
    assert_eq!(first, (StatusCode::ACCEPTED, String::new()));
    let arrived = mails(&server, &folder).await;
    assert_eq!(arrived.len(), 1);
    only(&arrived, CONFIRM);

    assert_eq!(try_register(&server, "ADA@example.com").await, first);
    let arrived = mails(&server, &folder).await;
    assert_eq!(arrived.len(), 1);
    let mail = only(&arrived, "You already have an account with Default");
    assert_eq!(mail.to, "ada@example.com");
    assert!(!mail.text.contains("http") && mail.text.contains("127.0.0.1"));
    assert_eq!(count(&server, "SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn nobody_is_signed_in_by_it_and_the_password_is_good_afterwards() {
    let (server, _folder) = server_that_hides().await;
    try_register(&server, "ada@example.com").await;
    assert_eq!(count(&server, "SELECT count(*) FROM sessions").await, 0);
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM users WHERE last_login_at IS NULL AND last_login_ip IS NULL"
        )
        .await,
        1
    );
    let mut other = registration("ada@example.com");
    other["password"] = json!("violet anchors drift at noon");
    post(&server, "/auth/register", &other).await;
    assert_eq!(
        try_login(&server, "ada@example.com", PASSWORD).await.status(),
        StatusCode::OK
    );
    let answer = try_login(&server, "ada@example.com", "violet anchors drift at noon").await;
    assert_refused(answer, 401, "invalid_credentials").await;
}

#[tokio::test]
async fn an_account_that_was_deleted_is_hidden_too_and_not_written_to() {
    let (server, folder) = server_that_hides().await;
    try_register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    crate::fixtures::execute(&server, "UPDATE users SET deleted_at = created_at").await;
    assert_eq!(
        try_register(&server, "ada@example.com").await.0,
        StatusCode::ACCEPTED
    );
    assert!(mails(&server, &folder).await.is_empty());
}

#[tokio::test]
async fn a_bad_registration_is_refused_as_ever() {
    let (server, _folder) = server_that_hides().await;
    let mut weak = registration("ada@example.com");
    weak["password"] = json!("password1234");
    assert_refused(
        post(&server, "/auth/register", &weak).await,
        400,
        "validation_failed",
    )
    .await;
}
