//! `DELETE /auth/account`, and what is left afterwards.

use portcullis_origin::accounts;
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::{Method, Response, StatusCode};
use serde_json::json;

use crate::common::TestServer;
use crate::fixtures::{
    PASSWORD, assert_refused, audit_trail, count, login, me, refresh, register, registration, server,
    try_login, try_refresh,
};
use crate::mail::{run_all_jobs, server_with_folder};

async fn delete(server: &TestServer, access: &str, password: &str) -> Response {
    let request = server
        .request(Method::DELETE, "/auth/account")
        .bearer_auth(access);
    request.json(&json!({"password": password})).send().await.unwrap()
}

#[tokio::test]
async fn an_account_that_is_given_up_is_hidden_from_everybody_and_its_address_stays_taken() {
    let (server, folder) = server_with_folder().await;
    let person = register(&server, "ada@example.com").await;
    let other = login(&server, "ada@example.com").await;
    run_all_jobs(&server).await;
    folder
        .files()
        .iter()
        .for_each(|file| std::fs::remove_file(file).unwrap());

    let answer = delete(&server, &person.access, PASSWORD).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    for session in [&person, &other] {
        assert_refused(me(&server, &session.access).await, 401, "invalid_token").await;
        assert_refused(
            try_refresh(&server, &session.refresh).await,
            401,
            "invalid_refresh_token",
        )
        .await;
    }
    assert_refused(
        try_login(&server, "ada@example.com", PASSWORD).await,
        401,
        "invalid_credentials",
    )
    .await;
    let again = server
        .post("/auth/register")
        .json(&registration("ada@example.com"));
    assert_refused(again.send().await.unwrap(), 409, "email_taken").await;
    assert_refused(
        delete(&server, &person.access, PASSWORD).await,
        401,
        "invalid_token",
    )
    .await;

    run_all_jobs(&server).await;
    let files = folder.files();
    let [file] = files.as_slice() else {
        panic!("{files:?}")
    };
    let mail = std::fs::read_to_string(file).unwrap();
    assert!(
        mail.contains("Subject: Your account with Default is closed") && mail.contains("To: ada@example.com")
    );
    assert_eq!(
        audit_trail(&server).await,
        [
            "registered",
            "logged_in",
            "logged_in",
            "account_deleted",
            "sessions_revoked",
            "login_failed"
        ]
    );
}

#[tokio::test]
async fn only_who_knows_the_password_and_has_just_signed_in_can() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    assert_refused(
        delete(&server, &person.access, "not the password").await,
        401,
        "invalid_credentials",
    )
    .await;
    let empty = server
        .request(Method::DELETE, "/auth/account")
        .bearer_auth(&person.access)
        .json(&json!({}));
    assert_refused(empty.send().await.unwrap(), 400, "validation_failed").await;
    assert_refused(
        server
            .request(Method::DELETE, "/auth/account")
            .send()
            .await
            .unwrap(),
        401,
        "invalid_token",
    )
    .await;

    server.clock.advance(TimeDelta::seconds(300));
    assert_refused(
        delete(&server, &person.access, "not the password").await,
        401,
        "invalid_credentials",
    )
    .await;
    server.clock.advance(TimeDelta::seconds(1));
    let answer = delete(&server, &person.access, PASSWORD).await;
    assert_eq!(
        answer.headers()["www-authenticate"],
        r#"Bearer error="insufficient_user_authentication", max_age=300"#
    );
    assert_refused(answer, 401, "step_up_required").await;
    let mut renewed = server.get("/auth/me");
    renewed = renewed.bearer_auth(&person.access);
    assert_eq!(renewed.send().await.unwrap().status(), StatusCode::OK);
    refresh(&server, &person.refresh).await;

    let fresh = login(&server, "ada@example.com").await;
    assert_eq!(
        delete(&server, &fresh.access, PASSWORD).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        count(&server, "SELECT count(*) FROM users WHERE deleted_by = id").await,
        1
    );
}

#[tokio::test]
async fn guesses_at_the_password_are_limited() {
    let server = TestServer::start().await;
    let person = register(&server, "ada@example.com").await;
    for _ in 0..5 {
        assert_refused(
            delete(&server, &person.access, "a guess").await,
            401,
            "invalid_credentials",
        )
        .await;
    }
    assert_refused(
        delete(&server, &person.access, PASSWORD).await,
        429,
        "rate_limited",
    )
    .await;
}

#[tokio::test]
async fn thirty_days_later_it_is_gone_and_the_address_is_free() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let kept = register(&server, "eve@example.com").await;
    assert_eq!(
        delete(&server, &person.access, PASSWORD).await.status(),
        StatusCode::NO_CONTENT
    );
    let deleted_at = server.clock.now();
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let before = deleted_at - TimeDelta::seconds(1);
    assert!(
        accounts::purge_one(&mut connection, before)
            .await
            .unwrap()
            .is_none()
    );
    let gone = accounts::purge_one(&mut connection, deleted_at)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(gone.user.to_string(), person.user_id);
    assert!(
        accounts::purge_one(&mut connection, deleted_at)
            .await
            .unwrap()
            .is_none()
    );

    assert_eq!(
        count(&server, "SELECT count(*) FROM sessions").await,
        1,
        "that of somebody else"
    );
    assert_eq!(count(&server, "SELECT count(*) FROM users").await, 1);
    register(&server, "ada@example.com").await;
    assert_eq!(me(&server, &kept.access).await.status(), StatusCode::OK);
}
