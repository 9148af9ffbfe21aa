//! `registration.hide_existing`: nobody learns by registering who has an account.

use reqwest::StatusCode;

use super::*;
use crate::fixtures::{PASSWORD, assert_refused, count, execute, registration, try_login};
use crate::mail::server_with_folder_and;

/// Another password than that of the usual registration.
const CHOSEN: &str = "violet anchors drift at noon";

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
async fn nobody_is_signed_in_by_it() {
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
}

#[tokio::test]
async fn registering_and_then_signing_in_tells_no_more_than_registering() {
    let (server, folder) = server_that_hides().await;
    try_register(&server, "ada@example.com").await;
    let token = only(&mails(&server, &folder).await, CONFIRM).token();
    verify(&server, &token).await;
    let mut answers = Vec::new();
    for email in ["ada@example.com", "free@example.com"] {
        let mut chosen = registration(email);
        chosen["password"] = json!(CHOSEN);
        assert_eq!(
            post(&server, "/auth/register", &chosen).await.status(),
            StatusCode::ACCEPTED
        );
        let mut refused = assert_refused(
            try_login(&server, email, CHOSEN).await,
            401,
            "invalid_credentials",
        )
        .await;
        refused.as_object_mut().unwrap().remove("requestId");
        answers.push(refused);
    }
    assert_eq!(answers[0], answers[1]);
    let open = "SELECT count(*) FROM sessions";
    assert_eq!(count(&server, open).await, 0);
    assert_eq!(
        try_login(&server, "ada@example.com", PASSWORD).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn the_password_is_good_once_the_address_is_confirmed() {
    let (server, folder) = server_that_hides().await;
    try_register(&server, "ada@example.com").await;
    let token = only(&mails(&server, &folder).await, CONFIRM).token();
    let answer = try_login(&server, "ada@example.com", PASSWORD).await;
    assert_refused(answer, 401, "invalid_credentials").await;
    assert_eq!(verify(&server, &token).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        try_login(&server, "ada@example.com", PASSWORD).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn whose_link_was_lost_asks_for_a_new_password_instead() {
    let (server, folder) = server_that_hides().await;
    try_register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let token = reset_token(&server, &folder, "ada@example.com").await;
    assert_eq!(
        reset(&server, &token, CHOSEN).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        try_login(&server, "ada@example.com", CHOSEN).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn who_signed_in_before_registrations_were_hidden_still_may() {
    let (server, _folder) = server_that_hides().await;
    try_register(&server, "ada@example.com").await;
    execute(&server, "UPDATE users SET last_login_at = created_at").await;
    assert_eq!(
        try_login(&server, "ada@example.com", PASSWORD).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn both_kinds_of_registration_leave_as_much_behind() {
    let (server, folder) = server_that_hides().await;
    try_register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let mut grown = Vec::new();
    let mut before = traces(&server).await;
    for email in ["ada@example.com", "free@example.com"] {
        try_register(&server, email).await;
        let after = traces(&server).await;
        grown.push((after.0 - before.0, after.1 - before.1));
        before = after;
    }
    assert_eq!(grown, [(1, 1), (1, 1)], "an event and a job");
}

/// How many events and jobs there are.
async fn traces(server: &TestServer) -> (i64, i64) {
    (
        count(server, "SELECT count(*) FROM audit_events").await,
        count(server, "SELECT count(*) FROM graphile_worker._private_jobs").await,
    )
}

#[tokio::test]
async fn an_account_that_was_deleted_is_hidden_too_and_not_written_to() {
    let (server, folder) = server_that_hides().await;
    try_register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    execute(&server, "UPDATE users SET deleted_at = created_at").await;
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
