//! `POST /auth/verify-email` and `POST /auth/resend-verification`.

use futures_util::future::join_all;
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_origin::recovery;
use reqwest::{Response, StatusCode};

use super::*;
use crate::common::Settings;
use crate::fixtures::{assert_refused, audit_trail, body_of, count, execute, me, register, server};
use crate::mail::{server_with_folder, server_with_folder_and};

async fn resend(server: &TestServer, access: &str) -> Response {
    let request = server.post("/auth/resend-verification").bearer_auth(access);
    request.send().await.unwrap()
}

async fn is_verified(server: &TestServer, access: &str) -> bool {
    let body = body_of(me(server, access).await, StatusCode::OK).await;
    body["user"]["emailVerified"].as_bool().unwrap()
}

#[tokio::test]
async fn who_registers_is_sent_a_link_that_confirms_the_address_once() {
    let (server, folder) = server_with_folder().await;
    let person = register(&server, "ada@example.com").await;
    let arrived = mails(&server, &folder).await;
    let mail = only(&arrived, CONFIRM);
    assert_eq!(mail.to, "ada@example.com");
    assert!(
        mail.link()
            .starts_with("https://auth.example.com/auth/verify-email?token=")
    );
    assert!(mail.text.contains("24 hours") && mail.html.contains("24 hours"));
    assert!(
        mail.text
            .lines()
            .all(|line| line.len() <= 78 || line.starts_with("https://"))
    );
    assert!(!is_verified(&server, &person.access).await);

    let answer = verify(&server, &mail.token()).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(is_verified(&server, &person.access).await);
    assert_refused(
        verify(&server, &mail.token()).await,
        400,
        "invalid_or_expired_token",
    )
    .await;
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "email_verified"]
    );
}

#[tokio::test]
async fn of_many_who_use_a_link_at_once_one_does() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    let token = only(&mails(&server, &folder).await, CONFIRM).token();
    let answers = join_all((0..20).map(|_| verify(&server, &token))).await;
    let done = answers
        .iter()
        .filter(|answer| answer.status() == StatusCode::NO_CONTENT);
    assert_eq!(done.count(), 1);
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM audit_events WHERE type = 'email_verified'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn a_link_is_good_for_a_day_and_until_a_newer_one_is_sent() {
    let (server, folder) = server_with_folder().await;
    let person = register(&server, "ada@example.com").await;
    let first = only(&mails(&server, &folder).await, CONFIRM).token();
    assert_eq!(
        resend(&server, &person.access).await.status(),
        StatusCode::ACCEPTED
    );
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "verification_resent"]
    );
    let second = only(&mails(&server, &folder).await, CONFIRM).token();
    assert_ne!(first, second);
    assert_refused(verify(&server, &first).await, 400, "invalid_or_expired_token").await;
    server.clock.advance(TimeDelta::hours(24));
    assert_refused(verify(&server, &second).await, 400, "invalid_or_expired_token").await;
    server.clock.advance(TimeDelta::seconds(-1));
    assert_eq!(verify(&server, &second).await.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_link_proves_nothing_about_another_address_or_purpose() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    let token = only(&mails(&server, &folder).await, CONFIRM).token();
    assert_refused(
        reset(&server, &token, "violet anchors drift at noon").await,
        400,
        "invalid_or_expired_token",
    )
    .await;
    execute(&server, "UPDATE users SET email = 'eve@example.com'").await;
    assert_refused(verify(&server, &token).await, 400, "invalid_or_expired_token").await;
    execute(&server, "UPDATE users SET email = 'ada@example.com'").await;
    assert_eq!(
        verify(&server, &token).await.status(),
        StatusCode::NO_CONTENT,
        "a refusal does not use it up"
    );
}

#[tokio::test]
async fn a_link_ends_with_its_account() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    let token = only(&mails(&server, &folder).await, CONFIRM).token();
    execute(&server, "UPDATE users SET deleted_at = created_at").await;
    assert_refused(verify(&server, &token).await, 400, "invalid_or_expired_token").await;
}

#[tokio::test]
async fn another_link_is_sent_three_times_an_hour_and_only_while_it_is_needed() {
    let (server, folder) = server_with_folder_and(|settings: &mut Settings| {
        settings.remove("PORTCULLIS__LIMITS__VERIFICATION_MAILS_PER_HOUR");
    })
    .await;
    let person = register(&server, "ada@example.com").await;
    for _ in 0..3 {
        assert_eq!(
            resend(&server, &person.access).await.status(),
            StatusCode::ACCEPTED
        );
    }
    let answer = resend(&server, &person.access).await;
    assert!(
        answer.headers()["retry-after"]
            .to_str()
            .unwrap()
            .parse::<u64>()
            .unwrap()
            <= 1200
    );
    assert_refused(answer, 429, "rate_limited").await;
    let token = only(&mails(&server, &folder).await, CONFIRM).token();
    assert_eq!(verify(&server, &token).await.status(), StatusCode::NO_CONTENT);
    assert_refused(resend(&server, &person.access).await, 409, "already_verified").await;
    assert_refused(
        server.post("/auth/resend-verification").send().await.unwrap(),
        401,
        "invalid_token",
    )
    .await;
}

#[tokio::test]
async fn nothing_that_is_stored_or_queued_opens_anything() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    let everything = "SELECT string_agg(t::text, ' ') FROM (SELECT tickets::text FROM tickets
                      UNION ALL SELECT payload::text FROM graphile_worker._private_jobs
                      UNION ALL SELECT audit_events::text FROM audit_events) AS t";
    let stored: String = sqlx::query_scalar(everything)
        .fetch_one(server.pool())
        .await
        .unwrap();
    let token = only(&mails(&server, &folder).await, CONFIRM).token();
    assert!(!stored.contains(&token));
    assert_eq!(count(&server, "SELECT count(*) FROM tickets").await, 1);
}

#[tokio::test]
async fn where_mail_is_off_nobody_is_asked() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    assert_eq!(count(&server, "SELECT count(*) FROM tickets").await, 0);
    assert_eq!(
        resend(&server, &person.access).await.status(),
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn what_has_expired_is_purged() {
    let (server, _folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    forgot(&server, "nobody@example.com").await;
    let now = server.clock.now();
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    for (later, purged) in [
        (TimeDelta::hours(23), 0),
        // The wish for a new password, which no job has looked at, and the link.
        (TimeDelta::hours(24), 2),
        (TimeDelta::hours(24), 0),
    ] {
        let count = recovery::purge_expired(&mut connection, now + later)
            .await
            .unwrap();
        assert_eq!(count, purged, "{later}");
    }
}
