//! `POST /auth/forgot-password`: the same for everybody.

use reqwest::StatusCode;

use super::*;
use crate::common::Settings;
use crate::fixtures::{assert_refused, count, register, without_limits};
use crate::mail::{server_with_folder, server_with_folder_and};

#[tokio::test]
async fn a_wish_is_answered_alike_whether_there_is_an_account_or_not() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let mut answers = Vec::new();
    for email in ["ada@example.com", "nobody@example.com"] {
        let answer = forgot(&server, email).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED);
        let mut headers: Vec<(String, String)> = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .filter(|(name, _)| !["date", "x-request-id", "ratelimit"].contains(&name.as_str()))
            .collect();
        headers.sort();
        answers.push((headers, answer.bytes().await.unwrap()));
    }
    assert_eq!(answers[0], answers[1]);
    let arrived = mails(&server, &folder).await;
    assert_eq!(arrived.len(), 1);
    assert_eq!(arrived[0].to, "ada@example.com");
    assert_eq!(count(&server, "SELECT count(*) FROM reset_requests").await, 0);
}

#[tokio::test]
async fn the_request_does_the_same_work_for_everybody() {
    let (server, _folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    let mut seen = Vec::new();
    for email in ["ada@example.com", "nobody@example.com", "somebody@example.org"] {
        assert_eq!(forgot(&server, email).await.status(), StatusCode::ACCEPTED);
        let counts: (i64, i64, i64) = (
            count(&server, "SELECT count(*) FROM reset_requests").await,
            count(&server, "SELECT count(*) FROM graphile_worker._private_jobs WHERE payload::text LIKE '%request%'").await,
            count(&server, "SELECT count(*) FROM audit_events WHERE type = 'password_reset_requested' AND subject_id IS NULL").await,
        );
        seen.push(counts);
    }
    assert_eq!(
        seen,
        [(1, 1, 1), (2, 2, 2), (3, 3, 3)],
        "and nothing was looked up"
    );
}

#[tokio::test]
async fn the_fourth_wish_in_an_hour_is_answered_and_sends_nothing() {
    let (server, folder) = server_with_folder_and(|settings: &mut Settings| {
        settings.remove("PORTCULLIS__LIMITS__RESET_MAILS_PER_HOUR");
    })
    .await;
    register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    for wish in 1..=5 {
        for email in ["Ada@example.com", "nobody@example.com"] {
            assert_eq!(
                forgot(&server, email).await.status(),
                StatusCode::ACCEPTED,
                "{wish}"
            );
        }
        let arrived = mails(&server, &folder).await.len();
        assert_eq!(arrived, usize::from(wish <= 3), "{wish}");
    }
}

#[tokio::test]
async fn one_client_cannot_ask_for_everybody() {
    let (server, _folder) = server_with_folder_and(|settings: &mut Settings| {
        without_limits(settings);
        settings.insert("PORTCULLIS__LIMITS__LOGIN_PER_MINUTE_CLIENT".into(), "5".into());
    })
    .await;
    for number in 0..5 {
        assert_eq!(
            forgot(&server, &format!("p{number}@example.com")).await.status(),
            StatusCode::ACCEPTED
        );
    }
    assert_refused(forgot(&server, "p5@example.com").await, 429, "rate_limited").await;
}

#[tokio::test]
async fn what_is_no_address_is_refused_and_an_unknown_tenant_too() {
    let (server, _folder) = server_with_folder().await;
    for body in [json!({}), json!({"email": ""}), json!({"email": "nobody"})] {
        assert_refused(
            post(&server, "/auth/forgot-password", &body).await,
            400,
            "validation_failed",
        )
        .await;
    }
    let request = server.post("/auth/forgot-password").header("x-tenant", "nobody");
    let answer = request
        .json(&json!({"email": "ada@example.com"}))
        .send()
        .await
        .unwrap();
    assert_refused(answer, 400, "unknown_tenant").await;
}

#[tokio::test]
async fn a_wish_concerns_the_account_of_its_tenant_alone() {
    let (server, folder) = server_with_folder().await;
    crate::fixtures::execute(
        &server,
        "INSERT INTO tenants (id, slug, name, created_at)
         VALUES ('00000000-0000-0000-0000-0000000000b2', 'other', 'Other', '2026-01-01T00:00:00Z')",
    )
    .await;
    register(&server, "ada@example.com").await;
    mails(&server, &folder).await;
    let request = server.post("/auth/forgot-password").header("x-tenant", "other");
    let answer = request
        .json(&json!({"email": "ada@example.com"}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert!(mails(&server, &folder).await.is_empty());
}
