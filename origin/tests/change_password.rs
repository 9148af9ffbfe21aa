//! `PUT /auth/change-password`.

use futures_util::future::join_all;
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::feed_reader;
use crate::fixtures::{
    PASSWORD, assert_refused, assert_stale, audit_trail, body_of, count, execute, login, me, register,
    server, text, try_login, try_refresh, without_limits,
};

const NEW: &str = "violet anchors drift at noon";

async fn change(server: &TestServer, access: &str, body: &Value) -> Response {
    server
        .request(Method::PUT, "/auth/change-password")
        .bearer_auth(access)
        .json(body)
        .send()
        .await
        .unwrap()
}

fn to(new: &str) -> Value {
    json!({"currentPassword": PASSWORD, "newPassword": new})
}

/// The moment a token was issued at.
fn issued_at(access: &str) -> i64 {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let claims = Base64UrlUnpadded::decode_vec(access.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice::<Value>(&claims).unwrap()["iat"]
        .as_i64()
        .unwrap()
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_this_one_goes_on_by_a_refresh() {
    let server = feed_reader::server().await;
    let other = register(&server, "ada@example.com").await;
    let current = login(&server, "ada@example.com").await;
    let answer = change(&server, &current.access, &to(NEW)).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(answer.bytes().await.unwrap().is_empty());

    assert_refused(me(&server, &other.access).await, 401, "invalid_token").await;
    assert_refused(
        try_refresh(&server, &other.refresh).await,
        401,
        "invalid_refresh_token",
    )
    .await;
    assert_stale(me(&server, &current.access).await).await;
    // Within the same second: the token is issued for the second from which tokens are good.
    let not_before = server.clock.now().timestamp() + 1;
    let body = body_of(try_refresh(&server, &current.refresh).await, StatusCode::OK).await;
    let fresh = text(&body, "/tokens/accessToken");
    assert_eq!(issued_at(&fresh), not_before);
    assert_eq!(me(&server, &fresh).await.status(), StatusCode::OK);

    assert_refused(
        try_login(&server, "ada@example.com", PASSWORD).await,
        401,
        "invalid_credentials",
    )
    .await;
    let again = try_login(&server, "ada@example.com", NEW).await;
    assert_eq!(again.status(), StatusCode::OK);

    let feed = feed_reader::read(&server, None).await;
    assert_eq!(feed.sessions, [feed_reader::uuid(&other.session_id)]);
    assert_eq!(
        feed.subjects,
        [(feed_reader::uuid(&current.user_id), not_before)].into()
    );
    let trail = audit_trail(&server).await;
    assert_eq!(
        trail[3..6],
        ["password_changed", "devices_forgotten", "sessions_revoked"]
    );
    let event = "SELECT count(*) FROM audit_events WHERE type = 'password_changed' AND actor_id = subject_id
                 AND session_id IS NOT NULL AND tenant_id IS NOT NULL AND detail = '{}'";
    assert_eq!(count(&server, event).await, 1);

    // A second later an ordinary refresh is an ordinary refresh.
    server.clock.advance(TimeDelta::seconds(5));
    let body = body_of(
        try_refresh(&server, &text(&body, "/tokens/refreshToken")).await,
        StatusCode::OK,
    )
    .await;
    assert_eq!(
        issued_at(&text(&body, "/tokens/accessToken")),
        server.clock.now().timestamp()
    );
}

#[tokio::test]
async fn a_wrong_current_password_changes_nothing_and_leaves_a_trace() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let body = json!({"currentPassword": "not the password at all", "newPassword": NEW});
    assert_refused(
        change(&server, &person.access, &body).await,
        401,
        "invalid_credentials",
    )
    .await;
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "password_refused"]
    );
    login(&server, "ada@example.com").await;
}

#[tokio::test]
async fn somebody_who_guesses_with_a_stolen_token_is_stopped() {
    let server = TestServer::start_with(|settings| {
        without_limits(settings);
        settings.remove("PORTCULLIS__LOCKOUT__FAILURES_PER_ACCOUNT");
    })
    .await;
    let person = register(&server, "ada@example.com").await;
    let other = register(&server, "eve@example.com").await;
    let body = json!({"currentPassword": "not the password at all", "newPassword": NEW});
    let answers = join_all((0..10).map(|_| change(&server, &person.access, &body))).await;
    let limited = answers.iter().filter(|answer| answer.status() == 429).count();
    assert_eq!(limited, 5);
    // Not even the right one is tried now, from whichever session.
    let elsewhere = login(&server, "ada@example.com").await;
    let refused = change(&server, &elsewhere.access, &to(NEW)).await;
    assert!(refused.headers().contains_key("retry-after"));
    assert_refused(refused, 429, "rate_limited").await;
    assert_eq!(
        change(&server, &other.access, &to(NEW)).await.status(),
        StatusCode::NO_CONTENT
    );
    server.clock.advance(TimeDelta::minutes(15));
    assert_eq!(
        change(&server, &elsewhere.access, &to(NEW)).await.status(),
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn the_new_password_must_be_another_one_and_a_good_one() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    assert_refused(
        change(&server, &person.access, &to(PASSWORD)).await,
        400,
        "password_unchanged",
    )
    .await;
    for (new, code) in [
        ("short", "too_short"),
        (&*"x".repeat(129), "too_long"),
        ("passwordpassword", "too_weak"),
        ("ada@example.com!", "too_weak"),
    ] {
        let body = assert_refused(
            change(&server, &person.access, &to(new)).await,
            400,
            "validation_failed",
        )
        .await;
        assert_eq!(body["errors"][0]["field"], "newPassword", "{new}");
        assert_eq!(body["errors"][0]["code"], code, "{new}");
    }
    for (body, fields) in [
        (json!({}), vec!["currentPassword", "newPassword"]),
        (json!({"newPassword": NEW}), vec!["currentPassword"]),
        (
            json!({"currentPassword": "", "newPassword": NEW}),
            vec!["currentPassword"],
        ),
        (json!({"currentPassword": PASSWORD}), vec!["newPassword"]),
    ] {
        let refused = assert_refused(
            change(&server, &person.access, &body).await,
            400,
            "validation_failed",
        )
        .await;
        let named: Vec<&Value> = refused["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| &error["field"])
            .collect();
        assert_eq!(named, fields);
    }
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
    let snake = json!({"current_password": PASSWORD, "new_password": NEW});
    assert_eq!(
        change(&server, &person.access, &snake).await.status(),
        StatusCode::NO_CONTENT
    );
}

#[tokio::test]
async fn another_spelling_of_the_same_characters_is_the_same_password() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let composed = "caf\u{e9} violet anchors drift";
    assert_eq!(
        change(&server, &person.access, &to(composed)).await.status(),
        StatusCode::NO_CONTENT
    );
    let again = body_of(try_refresh(&server, &person.refresh).await, StatusCode::OK).await;
    let decomposed = json!({
        "currentPassword": composed, "newPassword": "cafe\u{301} violet anchors drift",
    });
    let answer = change(&server, &text(&again, "/tokens/accessToken"), &decomposed).await;
    assert_refused(answer, 400, "password_unchanged").await;
}

#[tokio::test]
async fn of_two_changes_at_once_one_is_made() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let elsewhere = login(&server, "ada@example.com").await;
    let words = ["violet anchors drift at noon", "seven lanterns under glass"];
    let (here, there) = (to(words[0]), to(words[1]));
    let (first, second) = tokio::join!(
        change(&server, &person.access, &here),
        change(&server, &elsewhere.access, &there)
    );
    let statuses = [first.status().as_u16(), second.status().as_u16()];
    // The loser named a password that is no longer the current one, or was signed out while it asked.
    let winner = statuses.iter().position(|status| *status == 204).unwrap();
    assert_eq!(statuses[1 - winner], 401, "{statuses:?}");
    assert_eq!(
        try_login(&server, "ada@example.com", words[winner])
            .await
            .status(),
        StatusCode::OK
    );
    let changes = "SELECT count(*) FROM audit_events WHERE type = 'password_changed'";
    assert_eq!(count(&server, changes).await, 1);
}

#[tokio::test]
async fn no_session_that_the_old_password_opened_outlives_it() {
    let server = server().await;
    for round in 0..8 {
        let email = format!("person-{round}@example.com");
        let person = register(&server, &email).await;
        let new = to(NEW);
        let logins = join_all((0..3).map(|_| try_login(&server, &email, PASSWORD)));
        let (changed, logins) = tokio::join!(change(&server, &person.access, &new), logins);
        assert_eq!(changed.status(), StatusCode::NO_CONTENT);
        for login in logins {
            match login.status() {
                StatusCode::OK => {
                    let body = body_of(login, StatusCode::OK).await;
                    let access = text(&body, "/tokens/accessToken");
                    assert_refused(me(&server, &access).await, 401, "invalid_token").await;
                    let refresh = text(&body, "/tokens/refreshToken");
                    assert_refused(try_refresh(&server, &refresh).await, 401, "invalid_refresh_token").await;
                }
                other => assert_eq!(other, StatusCode::UNAUTHORIZED),
            }
        }
    }
}

#[tokio::test]
async fn an_account_without_a_password_has_none_to_change() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    execute(&server, "UPDATE users SET password_hash = NULL").await;
    assert_refused(
        change(&server, &person.access, &to(NEW)).await,
        401,
        "invalid_credentials",
    )
    .await;
}
