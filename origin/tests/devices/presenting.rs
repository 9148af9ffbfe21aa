//! How a device presents itself, and how it is given what it presents.

use portcullis_shared::cookies::MAX_COOKIE_BYTES;
use reqwest::{RequestBuilder, Response, StatusCode};

use super::{ADA, devices, letters, login_on, person, registered, server, signing_in, token};
use crate::browser::{DEVICE, asking, assert_private, assert_untouched, from_own_page, kept, set_cookies};
use crate::common::TestServer;
use crate::fixtures::{assert_refused, body_of, count, registration};

fn with_cookie(request: RequestBuilder, value: &str) -> RequestBuilder {
    request.header("cookie", format!("theme=dark; {DEVICE}={value}"))
}

async fn login_in_browser(server: &TestServer, value: Option<&str>) -> Response {
    let request = asking(signing_in(server, ADA));
    let request = match value {
        Some(value) => with_cookie(request, value),
        None => request,
    };
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_browser_is_given_a_cookie_and_nothing_in_the_body() {
    let (server, _folder) = server().await;
    let request = asking(server.post("/auth/register").json(&registration(ADA)));
    let registered = request.send().await.unwrap();
    assert_private(&registered);
    let value = kept(&registered, DEVICE).unwrap();
    let line = format!("{DEVICE}={value}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=15552000");
    assert!(set_cookies(&registered).contains(&line));
    let body = body_of(registered, StatusCode::CREATED).await;
    assert_eq!(body.get("deviceToken"), None);
    assert!(!body.to_string().contains(&value));

    let again = login_in_browser(&server, Some(&value)).await;
    assert_eq!(
        kept(&again, DEVICE).as_ref(),
        Some(&value),
        "it is kept for longer"
    );
    assert_eq!(body_of(again, StatusCode::OK).await.get("deviceToken"), None);
    assert_eq!(letters(&server).await, 0);
}

#[tokio::test]
async fn a_client_without_cookies_is_given_it_in_the_body_each_time() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    let request = signing_in(&server, ADA).header("x-device-token", &known);
    let answer = request.send().await.unwrap();
    assert_untouched(&answer);
    assert_eq!(token(&person(answer).await), known);
}

#[tokio::test]
async fn what_came_by_cookie_is_never_shown_in_a_body() {
    let (server, _folder) = server().await;
    registered(&server, ADA).await;
    let value = kept(&login_in_browser(&server, None).await, DEVICE).unwrap();
    for presented in [value.as_str(), "made-up"] {
        let answer = with_cookie(signing_in(&server, ADA), presented)
            .send()
            .await
            .unwrap();
        assert!(kept(&answer, DEVICE).is_some());
        let body = body_of(answer, StatusCode::OK).await;
        assert!(body["tokens"]["accessToken"].is_string());
        assert_eq!(body.get("deviceToken"), None);
    }
}

#[tokio::test]
async fn a_client_that_changes_to_cookies_takes_its_device_along() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    let request = asking(signing_in(&server, ADA)).header("x-device-token", &known);
    let answer = request.send().await.unwrap();
    assert_eq!(kept(&answer, DEVICE), Some(known));
    assert_eq!(letters(&server).await, 0);
}

#[tokio::test]
async fn a_device_that_is_presented_in_two_ways_is_ambiguous() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    let other = "B".repeat(43);
    let in_both = |header: &str, cookie: &str| {
        with_cookie(signing_in(&server, ADA), cookie).header("x-device-token", header)
    };
    let headers = |values: [&str; 2]| {
        values.iter().fold(signing_in(&server, ADA), |request, value| {
            request.header("x-device-token", *value)
        })
    };
    let cookies = |line: String| signing_in(&server, ADA).header("cookie", line);
    let requests = [
        in_both(&known, &other),
        in_both(&known, &known),
        in_both(&known, ""),
        headers([&known, &other]),
        headers([&known, &known]),
        cookies(format!("{DEVICE}={known}; {DEVICE}={other}")),
        cookies(format!("a=1, {DEVICE}={known}")),
    ];
    for request in requests {
        let answer = request.send().await.unwrap();
        assert_untouched(&answer);
        assert_refused(answer, 400, "ambiguous_credentials").await;
    }
    let register = with_cookie(server.post("/auth/register"), &other).header("x-device-token", &known);
    let answer = register
        .json(&registration("eve@example.com"))
        .send()
        .await
        .unwrap();
    assert_refused(answer, 400, "ambiguous_credentials").await;
    assert_eq!(count(&server, "SELECT count(*) FROM users").await, 1);
    assert_eq!(devices(&server).await, 1);
}

#[tokio::test]
async fn what_no_token_can_be_is_as_good_as_none() {
    let (server, _folder) = server().await;
    registered(&server, ADA).await;
    let huge = "A".repeat(6_000);
    let presented: [&[u8]; 5] = [b"", b"x", huge.as_bytes(), b"\xff\xfe", b"' OR true --"];
    for value in presented {
        let request = signing_in(&server, ADA).header("x-device-token", value);
        let given = token(&person(request.send().await.unwrap()).await);
        assert_eq!(given.len(), 43);
    }
    let huge = "A".repeat(MAX_COOKIE_BYTES);
    for value in ["", "\"quoted\"", &huge] {
        let answer = login_in_browser(&server, Some(value)).await;
        assert_eq!(kept(&answer, DEVICE).unwrap().len(), 43);
    }
    assert_eq!(letters(&server).await, 8);
}

#[tokio::test]
async fn a_device_opens_no_session_and_outlives_its_own() {
    let (server, _folder) = server().await;
    let (ada, known) = registered(&server, ADA).await;
    let cookie = format!("{DEVICE}={known}");
    let me = from_own_page(&server, reqwest::Method::GET, "/auth/me", &cookie);
    assert_refused(me.send().await.unwrap(), 401, "invalid_token").await;
    let logout = server.post("/auth/logout").bearer_auth(&ada.access);
    let answer = logout.header("cookie", &cookie).send().await.unwrap();
    assert_untouched(&answer);
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    login_on(&server, ADA, Some(&known)).await;
    assert_eq!(letters(&server).await, 0);
}

#[tokio::test]
async fn the_database_holds_nothing_that_a_device_could_present() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    let dump: Vec<String> = sqlx::query_scalar(
        "SELECT devices::text FROM devices UNION ALL SELECT sessions::text FROM sessions
         UNION ALL SELECT audit_events::text FROM audit_events
         UNION ALL SELECT payload::text FROM graphile_worker._private_jobs",
    )
    .fetch_all(server.pool())
    .await
    .unwrap();
    let in_hex = hex::encode(&known);
    assert!(
        dump.iter()
            .all(|row| !row.contains(&known) && !row.contains(&in_hex))
    );
}
