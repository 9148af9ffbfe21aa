//! What another site can do with the cookies of a browser: nothing. At the origin itself, and behind the edge.

use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_shared::csrf::{CsrfKey, issue, session_of};
use portcullis_shared::request_signature::{SignedRequest, SigningKey, sign};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::json;

use crate::browser::{Browser, assert_untouched, from_own_page, kept};
use crate::common::{TestServer, fresh_nonce};
use crate::fixtures::{
    PASSWORD, assert_refused, audit_trail, body_of, count, execute, register, registration, server,
    without_limits,
};

const ONE: &[u8] = b"0mzH4Xr9dQ2vLw7TnBc5Ke8YpUa1Gs6J";
const TWO: &[u8] = b"another secret of thirty-two byt";

/// A server that two signing keys of its edge are known to.
async fn server_behind_an_edge() -> TestServer {
    TestServer::start_with(|settings| {
        without_limits(settings);
        let keys = json!({
            "one": "MG16SDRYcjlkUTJ2THc3VG5CYzVLZThZcFVhMUdzNko=",
            "two": "YW5vdGhlciBzZWNyZXQgb2YgdGhpcnR5LXR3byBieXQ=",
        });
        settings.insert("PORTCULLIS__EDGE__SIGNING_KEYS".into(), keys.to_string());
    })
    .await
}

/// The request as the edge hands it on, signed with this key.
async fn via_edge(server: &TestServer, key: (&str, &[u8]), request: RequestBuilder) -> Response {
    let mut request = request.header("x-auth-client-ip", "203.0.113.7").build().unwrap();
    let signed = SignedRequest {
        method: request.method().as_str(),
        authority: &server.address().to_string(),
        path: request.url().path(),
        query: None,
        headers: &[("x-auth-client-ip", "203.0.113.7")],
    };
    let key = SigningKey::new(key.0, key.1).unwrap();
    let signature = sign(&signed, &key, &fresh_nonce(), server.clock.now().timestamp());
    let headers = request.headers_mut();
    headers.insert("signature-input", signature.signature_input.parse().unwrap());
    headers.insert("signature", signature.signature.parse().unwrap());
    server.client.execute(request).await.unwrap()
}

/// A request with these cookies that says nothing about where it comes from.
fn silent(server: &TestServer, method: Method, path: &str, cookies: &str) -> RequestBuilder {
    server.request(method, path).header("cookie", cookies)
}

/// The CSRF token of the browser's session.
async fn csrf_token(server: &TestServer, browser: &Browser) -> String {
    let request = silent(server, Method::GET, "/auth/csrf", &browser.access_cookie());
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body = body_of(response, StatusCode::OK).await;
    body["csrfToken"].as_str().unwrap().to_owned()
}

async fn assert_csrf_rejected(request: RequestBuilder, what: &str) {
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN, "{what}");
    assert_untouched(&response);
    assert_refused(response, 403, "csrf_rejected").await;
}

#[tokio::test]
async fn only_what_is_known_to_come_from_our_own_pages_is_done() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let token = csrf_token(&server, &browser).await;
    let host = server.address().to_string();
    let (secure, plain) = (format!("https://{host}"), format!("http://{host}"));
    let refresh = || silent(&server, Method::POST, "/auth/refresh", &browser.both_cookies());
    for lines in [
        &[("sec-fetch-site", "same-origin")][..],
        &[
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://evil.example"),
        ],
        &[("origin", &plain)],
        &[("origin", &secure)],
        &[("x-csrf-token", &token)],
    ] {
        let request = lines
            .iter()
            .fold(refresh(), |request, (name, value)| request.header(*name, *value));
        assert_eq!(
            request.send().await.unwrap().status(),
            StatusCode::OK,
            "{lines:?}"
        );
    }
    let slash = format!("{plain}/");
    for lines in [
        &[][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("sec-fetch-site", "none")],
        &[("sec-fetch-site", "")],
        &[("sec-fetch-site", "Same-Origin")],
        &[
            ("sec-fetch-site", "same-origin"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[
            ("sec-fetch-site", "cross-site"),
            ("origin", &plain),
            ("x-csrf-token", &token),
        ],
        &[("origin", "null")],
        &[("origin", &slash)],
        &[("origin", "http://127.0.0.1")],
        &[("origin", "https://evil.example"), ("x-csrf-token", &token)],
        &[("origin", &plain), ("origin", &plain)],
        &[("x-csrf-token", "")],
        &[("x-csrf-token", "x")],
        &[("x-csrf-token", &token), ("x-csrf-token", &token)],
        &[("x-csrf-token", &token[..token.len() - 1])],
    ] {
        let request = lines
            .iter()
            .fold(refresh(), |request, (name, value)| request.header(*name, *value));
        assert_csrf_rejected(request, &format!("{lines:?}")).await;
    }
    assert!(browser.is_signed_in(&server).await);
}

#[tokio::test]
async fn another_site_can_do_nothing_on_any_route() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let bob = register(&server, "bob@example.com").await;
    for cookies in [
        browser.both_cookies(),
        browser.access_cookie(),
        browser.refresh_cookie(),
        "__Host-pc_access=x".to_owned(),
        "__Host-pc_refresh=".to_owned(),
    ] {
        for (method, path, body) in [
            (Method::POST, "/auth/register", registration("eve@example.com")),
            (
                Method::POST,
                "/auth/login",
                json!({"email": "bob@example.com", "password": PASSWORD}),
            ),
            (Method::POST, "/auth/refresh", json!({})),
            (
                Method::POST,
                "/auth/refresh",
                json!({"refreshToken": bob.refresh}),
            ),
            (Method::POST, "/auth/logout", json!({})),
            (Method::DELETE, "/auth/me", json!({})),
        ] {
            let what = format!("{method} {path} {cookies}");
            let request = silent(&server, method, path, &cookies).header("sec-fetch-site", "cross-site");
            assert_csrf_rejected(request.json(&body), &what).await;
        }
    }
    assert!(browser.is_signed_in(&server).await);
    assert_eq!(
        count(&server, "SELECT sum(generation)::int8 FROM sessions").await,
        0
    );
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "registered", "logged_in"],
        "nothing was tried"
    );
}

#[tokio::test]
async fn reading_and_clients_without_session_cookies_are_not_asked() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let person = register(&server, "bob@example.com").await;
    for method in [Method::GET, Method::HEAD] {
        let request = silent(&server, method, "/auth/me", &browser.both_cookies());
        let request = request.header("sec-fetch-site", "cross-site");
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
    let login = json!({"email": "bob@example.com", "password": PASSWORD});
    for cookies in ["", "theme=dark", "__host-pc_access=x"] {
        let request = silent(&server, Method::POST, "/auth/login", cookies).json(&login);
        let request = request.header("sec-fetch-site", "cross-site");
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    }
    let logout = silent(&server, Method::POST, "/auth/logout", "theme=dark").bearer_auth(&person.access);
    let logout = logout.header("origin", "https://evil.example");
    assert_eq!(logout.send().await.unwrap().status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_csrf_token_is_given_to_whoever_is_signed_in() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let person = register(&server, "bob@example.com").await;
    let token = csrf_token(&server, &browser).await;
    assert_eq!(
        token,
        csrf_token(&server, &browser).await,
        "the same for the whole session"
    );
    let request = server.get("/auth/csrf").bearer_auth(&person.access);
    let body = body_of(request.send().await.unwrap(), StatusCode::OK).await;
    assert!(body["csrfToken"].as_str().unwrap().contains(&person.session_id));
    for cookies in [
        browser.refresh_cookie(),
        "__Host-pc_access=x".to_owned(),
        String::new(),
    ] {
        let request = silent(&server, Method::GET, "/auth/csrf", &cookies);
        assert_refused(request.send().await.unwrap(), 401, "invalid_token").await;
    }
}

#[tokio::test]
async fn a_csrf_token_counts_for_its_own_session_alone() {
    let server = server().await;
    let mine = Browser::register(&server, "ada@example.com").await;
    let other = Browser::login(&server, "ada@example.com").await;
    let stranger = Browser::register(&server, "eve@example.com").await;
    let token = csrf_token(&server, &mine).await;
    let login = json!({"email": "ada@example.com", "password": PASSWORD});
    for foreign in [
        csrf_token(&server, &other).await,
        csrf_token(&server, &stranger).await,
    ] {
        for path in ["/auth/refresh", "/auth/logout", "/auth/login"] {
            for cookies in [mine.both_cookies(), mine.access_cookie(), mine.refresh_cookie()] {
                let request = silent(&server, Method::POST, path, &cookies).json(&login);
                assert_csrf_rejected(
                    request.header("x-csrf-token", &foreign),
                    &format!("{path} {cookies}"),
                )
                .await;
            }
        }
    }
    // Nor does it where one of two cookies is of another session.
    for cookies in [
        format!("{}; {}", mine.access_cookie(), other.refresh_cookie()),
        format!("{}; {}", other.access_cookie(), mine.refresh_cookie()),
    ] {
        let request = silent(&server, Method::POST, "/auth/logout", &cookies);
        assert_csrf_rejected(request.header("x-csrf-token", &token), &cookies).await;
    }
    assert_eq!(
        count(&server, "SELECT sum(generation)::int8 FROM sessions").await,
        0
    );
    for path in ["/auth/login", "/auth/refresh", "/auth/logout"] {
        let request = silent(&server, Method::POST, path, &mine.refresh_cookie()).json(&login);
        let response = request.header("x-csrf-token", &token).send().await.unwrap();
        assert!(response.status().is_success(), "{path}");
    }
    assert!(!mine.is_signed_in(&server).await && other.is_signed_in(&server).await);
}

#[tokio::test]
async fn a_csrf_token_lives_as_long_as_its_session_and_outlives_access_tokens() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let token = csrf_token(&server, &browser).await;
    server.clock.advance(TimeDelta::days(20));
    let refresh = silent(&server, Method::POST, "/auth/refresh", &browser.both_cookies());
    let response = refresh.header("x-csrf-token", &token).send().await.unwrap();
    let renewed = Browser {
        access: kept(&response, crate::browser::ACCESS).unwrap(),
        refresh: kept(&response, crate::browser::REFRESH).unwrap(),
        ..browser.clone()
    };
    assert_eq!(token, csrf_token(&server, &renewed).await);
    // Cookies that sign nobody in have nothing to protect; the handler refuses them.
    let logout = silent(
        &server,
        Method::POST,
        "/auth/logout",
        "__Host-pc_access=x; __Host-pc_refresh=y",
    );
    let response = logout.header("x-csrf-token", &token).send().await.unwrap();
    assert_refused(response, 401, "invalid_token").await;
}

#[tokio::test]
async fn a_session_that_cannot_be_looked_up_is_not_believed_by_its_token() {
    let first = server_behind_an_edge().await;
    let browser = Browser::register(&first, "ada@example.com").await;
    let token = csrf_token(&first, &browser).await;
    execute(&first, "ALTER TABLE sessions RENAME TO away").await;
    let refresh = silent(&first, Method::POST, "/auth/refresh", &browser.refresh_cookie());
    let response = refresh.header("x-csrf-token", &token).send().await.unwrap();
    assert_refused(response, 500, "internal_error").await;
    let unsafe_anyway = silent(&first, Method::POST, "/auth/refresh", &browser.refresh_cookie());
    assert_csrf_rejected(
        unsafe_anyway.header("x-csrf-token", "x"),
        "a forged one asks no database",
    )
    .await;
}

#[tokio::test]
async fn behind_the_edge_its_verdict_on_the_origin_stands_and_the_rest_is_looked_at_again() {
    let server = server_behind_an_edge().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let other = Browser::login(&server, "ada@example.com").await;
    let (own, foreign) = (
        csrf_token(&server, &browser).await,
        csrf_token(&server, &other).await,
    );
    let public = "https://app.example.com";
    for (lines, passes) in [
        (&[("sec-fetch-site", "same-origin")][..], true),
        (&[("origin", public)], true),
        (&[("x-csrf-token", &own)], true),
        (&[("sec-fetch-site", "cross-site"), ("origin", public)], false),
        (&[("sec-fetch-site", "none")], false),
        (&[("x-csrf-token", &foreign)], false),
        (&[("x-csrf-token", "pcc_one.x.y")], false),
        (&[], false),
    ] {
        let request = silent(&server, Method::POST, "/auth/refresh", &browser.refresh_cookie());
        let request = lines
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value));
        let response = via_edge(&server, ("one", ONE), request).await;
        if passes {
            assert_eq!(response.status(), StatusCode::OK, "{lines:?}");
        } else {
            assert_refused(response, 403, "csrf_rejected").await;
        }
    }
    // The public origin means nothing to an origin that is reached directly.
    let request = silent(&server, Method::POST, "/auth/refresh", &browser.refresh_cookie());
    assert_csrf_rejected(request.header("origin", public), "directly").await;
}

#[tokio::test]
async fn a_token_is_made_under_the_key_that_the_edge_uses_and_holds_under_the_other_too() {
    let server = server_behind_an_edge().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let ask = || silent(&server, Method::GET, "/auth/csrf", &browser.access_cookie());
    for (name, secret) in [("one", ONE), ("two", TWO)] {
        let body = body_of(via_edge(&server, (name, secret), ask()).await, StatusCode::OK).await;
        let token = body["csrfToken"].as_str().unwrap().to_owned();
        let at_the_edge = [CsrfKey::of(&SigningKey::new(name, secret).unwrap())];
        assert_eq!(
            session_of(&at_the_edge, &token),
            Some(browser.session_id.as_str())
        );
        for other in [("one", ONE), ("two", TWO)] {
            let request = silent(&server, Method::POST, "/auth/refresh", &browser.both_cookies());
            let request = request.header("x-csrf-token", &token);
            assert_eq!(via_edge(&server, other, request).await.status(), StatusCode::OK);
        }
    }
    // A removed key's tokens are refused, and so are those of an origin without an edge.
    for (name, secret) in [
        ("three", ONE),
        ("one", b"0mzH4Xr9dQ2vLw7TnBc5Ke8YpUa1Gs6K".as_slice()),
        ("origin", TWO),
    ] {
        let key = CsrfKey::of(&SigningKey::new(name, secret).unwrap());
        let request = silent(&server, Method::POST, "/auth/logout", &browser.both_cookies());
        let request = request.header("x-csrf-token", issue(&key, &browser.session_id));
        assert_csrf_rejected(request, name).await;
    }
    let own_page = from_own_page(&server, Method::POST, "/auth/logout", &browser.both_cookies());
    assert_eq!(own_page.send().await.unwrap().status(), StatusCode::NO_CONTENT);
}
