//! RFC 7009: a service client revokes a token, and its session ends.

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::clients::{CLIENT, SECRET, ask, assert_oauth_error, introspect, server};
use crate::common::TestServer;
use crate::fixtures::{
    assert_refused, audit_trail, count, execute, login, me, refresh, register, try_refresh,
};

async fn revoke(server: &TestServer, token: &str) -> Response {
    ask(server, "/oauth2/revoke", token).await
}

async fn assert_done(answer: Response) {
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.text().await.unwrap(), "");
}

#[tokio::test]
async fn revoking_either_token_ends_its_session_and_no_other() {
    let server = server().await;
    let other = register(&server, "ada@example.com").await;
    for kind in ["access_token", "refresh_token"] {
        let person = login(&server, "ada@example.com").await;
        let token = if kind == "access_token" {
            &person.access
        } else {
            &person.refresh
        };
        assert_done(revoke(&server, token).await).await;
        assert_refused(me(&server, &person.access).await, 401, "invalid_token").await;
        assert_refused(
            try_refresh(&server, &person.refresh).await,
            401,
            "invalid_refresh_token",
        )
        .await;
        for token in [&person.access, &person.refresh] {
            assert_eq!(introspect(&server, token).await, json!({"active": false}));
        }
        let (session, subject, actor, detail): (String, String, Option<String>, Value) = sqlx::query_as(
            "SELECT session_id::text, subject_id::text, actor_id::text, detail FROM audit_events
             WHERE type = 'token_revoked' ORDER BY seq DESC LIMIT 1",
        )
        .fetch_one(server.pool())
        .await
        .unwrap();
        assert_eq!(
            (session, subject, actor),
            (person.session_id, person.user_id, None)
        );
        assert_eq!(detail, json!({"client_id": CLIENT, "token_type": kind}));
    }
    assert_eq!(me(&server, &other.access).await.status(), StatusCode::OK);
    let reasons = "SELECT count(*) FROM sessions WHERE revoked_reason = 'client_revoked'";
    assert_eq!(count(&server, reasons).await, 2);
}

#[tokio::test]
async fn revoking_again_is_done_and_leaves_no_second_trace() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    for token in [&person.refresh, &person.refresh, &person.access] {
        assert_done(revoke(&server, token).await).await;
    }
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "token_revoked"]
    );
}

#[tokio::test]
async fn of_eight_that_revoke_at_once_one_leaves_a_trace() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let all = (0..8).map(|at| {
        revoke(
            &server,
            if at % 2 == 0 {
                &person.access
            } else {
                &person.refresh
            },
        )
    });
    for answer in futures_util::future::join_all(all).await {
        assert_done(answer).await;
    }
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "token_revoked"]
    );
}

#[tokio::test]
async fn a_token_that_is_nobodys_is_done_with_and_changes_nothing() {
    let (ours, theirs) = (server().await, server().await);
    let person = register(&ours, "ada@example.com").await;
    let stranger = register(&theirs, "ada@example.com").await;
    let truncated = &person.refresh[..person.refresh.len() - 1];
    let mut flipped = person.refresh.clone().into_bytes();
    let last = flipped.len() - 5;
    flipped[last] ^= 1;
    let flipped = String::from_utf8(flipped).unwrap();
    for token in [
        "x",
        "a.b.c",
        "pcr_x",
        truncated,
        &flipped,
        &person.access[1..],
        &stranger.access,
        &stranger.refresh,
    ] {
        assert_done(revoke(&ours, token).await).await;
    }
    assert_eq!(me(&ours, &person.access).await.status(), StatusCode::OK);
    assert_eq!(audit_trail(&ours).await, ["registered", "logged_in"]);
}

#[tokio::test]
async fn an_expired_access_token_ends_nothing_and_an_old_refresh_token_does() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let second = refresh(&server, &person.refresh).await;
    let third = refresh(&server, &second).await;
    server
        .clock
        .advance(portcullis_origin::kernel::time::TimeDelta::seconds(905));
    assert_done(revoke(&server, &person.access).await).await;
    assert_eq!(introspect(&server, &third).await["active"], true);
    // Its holder wants the sign-in to end, and may have lost the answer with the successor.
    assert_done(revoke(&server, &person.refresh).await).await;
    assert_eq!(introspect(&server, &third).await, json!({"active": false}));
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "token_revoked"]
    );
}

#[tokio::test]
async fn a_token_of_another_tenant_than_the_one_that_is_named_ends_nothing() {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES ('00000000-0000-0000-0000-00000000000b', 'other', 'Other', 'epoch')",
    )
    .await;
    let person = register(&server, "ada@example.com").await;
    for token in [&person.access, &person.refresh] {
        let answer = server
            .post("/oauth2/revoke")
            .header("x-tenant", "other")
            .form(&[("client_id", CLIENT), ("client_secret", SECRET), ("token", token)])
            .send()
            .await
            .unwrap();
        assert_done(answer).await;
    }
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_is_wrong_ends_nothing() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let answer = server
        .post("/oauth2/revoke")
        .form(&[
            ("client_id", CLIENT),
            ("client_secret", "wrong"),
            ("token", &person.refresh),
        ])
        .send()
        .await
        .unwrap();
    assert_oauth_error(answer, 401, "invalid_client").await;
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn refreshing_and_revoking_take_turns() {
    for _ in 0..10 {
        let server = server().await;
        let person = register(&server, "ada@example.com").await;
        let (refreshed, revoked) = tokio::join!(
            try_refresh(&server, &person.refresh),
            revoke(&server, &person.refresh)
        );
        assert_done(revoked).await;
        // Whoever came first: what was given out is worth nothing now.
        if refreshed.status() == StatusCode::OK {
            let body: Value = refreshed.json().await.unwrap();
            let successor = body["tokens"]["refreshToken"].as_str().unwrap();
            assert_eq!(introspect(&server, successor).await, json!({"active": false}));
        }
        assert_refused(me(&server, &person.access).await, 401, "invalid_token").await;
    }
}
