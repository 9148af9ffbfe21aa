//! Sessions in cookies: given, used, renewed and taken away.

use portcullis_origin::kernel::time::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::browser::{
    ACCESS, Browser, DEVICE, REFRESH, asking, assert_forgotten, assert_private, assert_untouched,
    assert_without_tokens, from_own_page, kept, set_cookies,
};
use crate::common::TestServer;
use crate::fixtures::{
    PASSWORD, assert_refused, audit_trail, body_of, count, execute, login, me, register, registration,
    server, try_login,
};

const OTHER_TENANT: &str =
    "INSERT INTO tenants VALUES ('00000000-0000-0000-0000-00000000000b', 'acme', 'Acme', now())";

/// Another token of the same form: changed within its signature, and not at the end, where a character may stand for
/// two bits only.
fn forged(token: &str) -> String {
    let at = token.len() - 20;
    let other = if token[at..].starts_with('A') { "B" } else { "A" };
    let mut forged = token.to_owned();
    forged.replace_range(at..=at, other);
    forged
}

#[tokio::test]
async fn who_asks_for_cookies_gets_the_tokens_there_and_nowhere_else() {
    let server = server().await;
    let register = server
        .post("/auth/register")
        .json(&registration("ada@example.com"));
    let login = server
        .post("/auth/login")
        .json(&json!({"email": "ada@example.com", "password": PASSWORD}));
    for (request, status) in [(register, StatusCode::CREATED), (login, StatusCode::OK)] {
        let response = asking(request).send().await.unwrap();
        assert_private(&response);
        let lines = set_cookies(&response);
        let [access, refresh, device] = [ACCESS, REFRESH, DEVICE].map(|name| kept(&response, name).unwrap());
        let body = body_of(response, status).await;
        assert_without_tokens(&body);
        assert_eq!(body["user"]["email"], "ada@example.com");
        assert!(body["session"]["id"].is_string(), "{body}");
        let attributes =
            |seconds: &Value| format!("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={seconds}");
        assert_eq!(
            lines,
            [
                format!("{ACCESS}={access}{}", attributes(&body["tokens"]["expiresIn"])),
                format!(
                    "{REFRESH}={refresh}{}",
                    attributes(&body["tokens"]["refreshExpiresIn"])
                ),
                format!("{DEVICE}={device}{}", attributes(&json!(15_552_000))),
            ]
        );
        assert!(access.starts_with("eyJ") && refresh.starts_with("pcr_"));
    }
}

#[tokio::test]
async fn who_does_not_ask_gets_no_cookie() {
    let server = server().await;
    let body = registration("ada@example.com");
    let response = server.post("/auth/register").json(&body).send().await.unwrap();
    assert_untouched(&response);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let body = body_of(response, StatusCode::CREATED).await;
    assert!(body["tokens"]["accessToken"].is_string() && body["tokens"]["refreshToken"].is_string());
    assert_untouched(&try_login(&server, "ada@example.com", PASSWORD).await);
}

#[tokio::test]
async fn there_is_no_other_delivery() {
    let server = server().await;
    for path in ["/auth/register", "/auth/login", "/auth/refresh"] {
        for values in [
            &["Cookie"][..],
            &["cookies"],
            &[""],
            &["body"],
            &["cookie", "cookie"],
            &["cookie,cookie"],
        ] {
            let mut request = server.post(path).json(&registration("ada@example.com"));
            for value in values {
                request = request.header("x-token-delivery", *value);
            }
            let response = request.send().await.unwrap();
            assert_untouched(&response);
            let problem = assert_refused(response, 400, "validation_failed").await;
            assert_eq!(
                problem["errors"][0]["field"], "X-Token-Delivery",
                "{path} {values:?}"
            );
        }
    }
    assert_eq!(count(&server, "SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn a_token_that_no_browser_would_keep_is_not_given_to_one() {
    // Browsers drop a cookie over 4096 bytes in silence; the signature of a key of 4096 bits still fits.
    let server = TestServer::start_with(|settings| {
        settings.insert("PORTCULLIS__TOKENS__AUDIENCE".into(), "a".repeat(3_000));
    })
    .await;
    let request = server
        .post("/auth/register")
        .json(&registration("ada@example.com"));
    let response = asking(request).send().await.unwrap();
    assert_untouched(&response);
    assert_refused(response, 500, "internal_error").await;
}

#[tokio::test]
async fn the_access_cookie_is_as_good_as_a_bearer_token() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    for cookies in [browser.access_cookie(), browser.both_cookies()] {
        let me = from_own_page(&server, Method::GET, "/auth/me", &cookies)
            .send()
            .await
            .unwrap();
        assert_untouched(&me);
        assert_eq!(
            body_of(me, StatusCode::OK).await["user"]["email"],
            "ada@example.com"
        );
        let verify = from_own_page(&server, Method::GET, "/auth/verify", &cookies);
        let body = body_of(verify.send().await.unwrap(), StatusCode::OK).await;
        assert_eq!(body["claims"]["sid"], browser.session_id);
    }
    // A link on another site is followed with the cookies, and does nothing.
    let linked = server
        .get("/auth/me")
        .header("cookie", browser.both_cookies())
        .header("sec-fetch-site", "cross-site");
    assert_eq!(linked.send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn an_access_cookie_that_is_no_good_token_is_refused() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let long = "a".repeat(5_000);
    // Within the signature, and not at its end, where a character may stand for two bits only.
    let at = browser.access.len() - 20;
    let other = if browser.access[at..].starts_with('A') {
        "B"
    } else {
        "A"
    };
    let mut forged = browser.access.clone();
    forged.replace_range(at..=at, other);
    for value in [
        "",
        "x",
        "\"quoted\"",
        browser.refresh.as_str(),
        &long,
        &forged,
        &format!("\"{}\"", browser.access),
    ] {
        let cookie = format!("{ACCESS}={value}");
        let request = from_own_page(&server, Method::GET, "/auth/me", &cookie);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 401, "{value}: {:?}", response.headers());
        assert_eq!(
            response.headers()["www-authenticate"],
            "Bearer error=\"invalid_token\"",
            "{value}"
        );
        assert_refused(response, 401, "invalid_token").await;
    }
    for cookies in [
        browser.refresh_cookie(),
        browser.access_cookie().to_lowercase(),
        "a=1".to_owned(),
    ] {
        let request = from_own_page(&server, Method::GET, "/auth/me", &cookies);
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{cookies}");
        assert_refused(response, 401, "invalid_token").await;
    }
    server.clock.advance(TimeDelta::minutes(16));
    assert!(!browser.is_signed_in(&server).await);
}

#[tokio::test]
async fn more_than_one_credential_is_ambiguous_on_every_route() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let (access, refresh) = (browser.access_cookie(), browser.refresh_cookie());
    let bearer = format!("Bearer {}", browser.access);
    for (method, path) in [
        (Method::GET, "/auth/me"),
        (Method::GET, "/.well-known/jwks.json"),
        (Method::POST, "/auth/login"),
        (Method::POST, "/auth/refresh"),
        (Method::POST, "/auth/logout"),
    ] {
        for lines in [
            &[("authorization", &bearer), ("cookie", &access)][..],
            &[("authorization", &bearer), ("cookie", &refresh)],
            &[("authorization", &bearer), ("cookie", &format!("{ACCESS}="))],
            &[("authorization", &bearer), ("authorization", &bearer)],
            &[("cookie", &format!("{access}; {access}"))],
            &[("cookie", &access), ("cookie", &access)],
            &[("cookie", &access), ("cookie", &format!("{ACCESS}=x"))],
            &[("cookie", &format!("{access}, {access}"))],
            &[("cookie", &format!("a=1, {refresh}"))],
            &[("cookie", &format!("{refresh}; {access}; {refresh}"))],
        ] {
            let mut request = server
                .request(method.clone(), path)
                .header("sec-fetch-site", "same-origin");
            for (name, value) in lines {
                request = request.header(*name, *value);
            }
            let response = request.send().await.unwrap();
            assert_untouched(&response);
            assert_refused(response, 400, "ambiguous_credentials").await;
        }
    }
    assert!(
        browser.is_signed_in(&server).await,
        "none of it has ended the session"
    );
}

#[tokio::test]
async fn a_refresh_by_cookie_answers_by_cookie() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::minutes(16));
    for request in [
        browser.post(&server, "/auth/refresh"),
        browser.post(&server, "/auth/refresh").json(&json!({})),
        from_own_page(&server, Method::POST, "/auth/refresh", &browser.refresh_cookie()),
    ] {
        let response = request.send().await.unwrap();
        assert_private(&response);
        let renewed = Browser {
            access: kept(&response, ACCESS).unwrap(),
            refresh: kept(&response, REFRESH).unwrap(),
            ..browser.clone()
        };
        assert_without_tokens(&body_of(response, StatusCode::OK).await);
        assert_ne!(renewed.refresh, browser.refresh);
        assert!(renewed.is_signed_in(&server).await);
    }
    let generations = count(&server, "SELECT generation FROM sessions").await;
    assert_eq!(generations, 1, "three tabs with one token get one successor");
}

#[tokio::test]
async fn what_came_with_a_session_cookie_is_answered_by_cookie() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let login = browser
        .post(&server, "/auth/login")
        .json(&json!({"email": "ada@example.com", "password": PASSWORD}));
    let response = login.send().await.unwrap();
    assert_ne!(kept(&response, REFRESH).unwrap(), browser.refresh);
    assert_without_tokens(&body_of(response, StatusCode::OK).await);
    // A client that has kept its tokens itself may go over to cookies.
    let person = register(&server, "bob@example.com").await;
    let request = server
        .post("/auth/refresh")
        .json(&json!({"refreshToken": person.refresh}));
    let response = asking(request).send().await.unwrap();
    assert!(kept(&response, ACCESS).is_some() && kept(&response, REFRESH).is_some());
    assert_without_tokens(&body_of(response, StatusCode::OK).await);
}

#[tokio::test]
async fn a_refresh_token_in_the_body_and_in_a_cookie_is_ambiguous() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let person = login(&server, "ada@example.com").await;
    for path in ["/auth/refresh", "/auth/logout"] {
        for token in [&browser.refresh, &person.refresh, "x"] {
            let request = browser.post(&server, path).json(&json!({"refreshToken": token}));
            let response = request.send().await.unwrap();
            assert_untouched(&response);
            assert_refused(response, 400, "ambiguous_credentials").await;
        }
    }
    assert_eq!(
        count(&server, "SELECT sum(generation)::int8 FROM sessions").await,
        0
    );
    assert!(browser.is_signed_in(&server).await);
    let response = browser
        .post(&server, "/auth/refresh")
        .body("{")
        .header("content-type", "application/json");
    assert_refused(response.send().await.unwrap(), 400, "malformed_request").await;
}

#[tokio::test]
async fn a_refresh_cookie_that_is_good_for_nothing_is_taken_away() {
    let server = server().await;
    execute(&server, OTHER_TENANT).await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let elsewhere = Browser::register_at(&server, Some("acme"), "ada@example.com").await;
    let ended = Browser::login(&server, "ada@example.com").await;
    let logout = ended.post(&server, "/auth/logout").send().await.unwrap();
    assert_eq!(logout.status(), StatusCode::NO_CONTENT);
    let forged = forged(&browser.refresh);
    for (value, tenant) in [
        ("x", None),
        ("", None),
        ("\"x\"", None),
        (forged.as_str(), None),
        (&browser.access, None),
        (&ended.refresh, None),
        (&elsewhere.refresh, Some("default")),
        (&browser.refresh, Some("acme")),
    ] {
        let cookies = format!("{}; {REFRESH}={value}", browser.access_cookie());
        let request = from_own_page(&server, Method::POST, "/auth/refresh", &cookies);
        let request = match tenant {
            Some(tenant) => request.header("x-tenant", tenant),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_forgotten(&response);
        assert_refused(response, 401, "invalid_refresh_token").await;
    }
    assert!(browser.is_signed_in(&server).await && elsewhere.is_signed_in(&server).await);
}

#[tokio::test]
async fn a_refusal_that_is_not_about_the_cookie_leaves_it() {
    let server = TestServer::start().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let unknown = browser
        .post(&server, "/auth/refresh")
        .header("x-tenant", "nobody");
    let response = unknown.send().await.unwrap();
    assert_untouched(&response);
    for _ in 0..29 {
        browser.post(&server, "/auth/refresh").send().await.unwrap();
    }
    let response = browser.post(&server, "/auth/refresh").send().await.unwrap();
    assert_untouched(&response);
    assert_refused(response, 429, "rate_limited").await;
    // A bad token in the body is not the browser's.
    let request = from_own_page(&server, Method::POST, "/auth/refresh", &browser.access_cookie());
    let response = request.json(&json!({"refreshToken": "x"})).send().await.unwrap();
    assert_untouched(&response);
    assert_refused(response, 401, "invalid_refresh_token").await;
}

#[tokio::test]
async fn a_stolen_cookie_that_is_played_back_ends_the_session_for_both() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let mut current = browser.clone();
    for _ in 0..2 {
        let response = current.post(&server, "/auth/refresh").send().await.unwrap();
        current.access = kept(&response, ACCESS).unwrap();
        current.refresh = kept(&response, REFRESH).unwrap();
    }
    let thief = from_own_page(&server, Method::POST, "/auth/refresh", &browser.refresh_cookie());
    let response = thief.send().await.unwrap();
    assert_forgotten(&response);
    assert_refused(response, 401, "refresh_token_reused").await;
    assert!(!current.is_signed_in(&server).await);
    let response = current.post(&server, "/auth/refresh").send().await.unwrap();
    assert_forgotten(&response);
    assert_refused(response, 401, "invalid_refresh_token").await;
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "refresh_reused"]
    );
}

#[tokio::test]
async fn a_logout_ends_the_session_and_the_browser_forgets_it() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    for cookies in [
        browser.both_cookies(),
        Browser::login(&server, "ada@example.com").await.access_cookie(),
    ] {
        let response = from_own_page(&server, Method::POST, "/auth/logout", &cookies)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_forgotten(&response);
        let again = from_own_page(&server, Method::POST, "/auth/logout", &cookies)
            .send()
            .await
            .unwrap();
        assert_forgotten(&again);
        assert_refused(again, 401, "invalid_token").await;
    }
    assert!(!browser.is_signed_in(&server).await);
    assert_eq!(
        count(&server, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL").await,
        0
    );
}

#[tokio::test]
async fn a_logout_needs_no_more_than_the_refresh_cookie() {
    let server = server().await;
    let browser = Browser::register(&server, "ada@example.com").await;
    let expired = Browser::login(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::minutes(16));
    for (browser, cookies) in [
        (&browser, browser.refresh_cookie()),
        (&expired, expired.both_cookies()),
    ] {
        let response = from_own_page(&server, Method::POST, "/auth/logout", &cookies)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_forgotten(&response);
        let refresh = browser.post(&server, "/auth/refresh").send().await.unwrap();
        assert_refused(refresh, 401, "invalid_refresh_token").await;
    }
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "logged_in", "logged_out", "logged_out"]
    );
}

#[tokio::test]
async fn a_logout_with_two_sessions_in_its_cookies_ends_both_if_they_are_of_one_person() {
    let server = server().await;
    let ada = Browser::register(&server, "ada@example.com").await;
    let ada_too = Browser::login(&server, "ada@example.com").await;
    let bob = Browser::register(&server, "bob@example.com").await;
    let logout = |cookies: String| from_own_page(&server, Method::POST, "/auth/logout", &cookies).send();
    let mixed = format!("{}; {}", ada.access_cookie(), ada_too.refresh_cookie());
    assert_eq!(logout(mixed).await.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(!ada.is_signed_in(&server).await && !ada_too.is_signed_in(&server).await);
    let ada = Browser::login(&server, "ada@example.com").await;
    let mixed = format!("{}; {}", ada.access_cookie(), bob.refresh_cookie());
    assert_eq!(logout(mixed).await.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(!ada.is_signed_in(&server).await && bob.is_signed_in(&server).await);
}

#[tokio::test]
async fn a_logout_with_cookies_that_are_good_for_nothing_takes_them_away() {
    let server = server().await;
    execute(&server, OTHER_TENANT).await;
    let browser = Browser::register(&server, "ada@example.com").await;
    for (cookies, tenant) in [
        (format!("{ACCESS}=x"), None),
        (format!("{REFRESH}=x"), None),
        (format!("{ACCESS}=; {REFRESH}="), None),
        (format!("{REFRESH}={}", browser.access), None),
        (browser.refresh_cookie(), Some("acme")),
        (browser.both_cookies(), Some("acme")),
    ] {
        let request = from_own_page(&server, Method::POST, "/auth/logout", &cookies);
        let request = match tenant {
            Some(tenant) => request.header("x-tenant", tenant),
            None => request,
        };
        let response = request.send().await.unwrap();
        assert_forgotten(&response);
        assert_refused(response, 401, "invalid_token").await;
    }
    assert!(
        browser.is_signed_in(&server).await,
        "another tenant's logout does not reach it"
    );
    let without = server.post("/auth/logout").send().await.unwrap();
    assert_untouched(&without);
    assert_refused(without, 401, "invalid_token").await;
}

#[tokio::test]
async fn a_logout_by_bearer_token_sets_no_cookie() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let request = server.post("/auth/logout").bearer_auth(&person.access);
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_untouched(&response);
    assert_eq!(
        me(&server, &person.access).await.status(),
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn an_origin_that_cannot_find_out_takes_no_cookie_away() {
    let first = server().await;
    let browser = Browser::register(&first, "ada@example.com").await;
    let blind = TestServer::start_on("postgres://unused@127.0.0.1:1/unused", |_| {}).await;
    for path in ["/auth/refresh", "/auth/logout"] {
        for cookies in [browser.refresh_cookie(), browser.both_cookies()] {
            let request = from_own_page(&blind, Method::POST, path, &cookies);
            let response = request.send().await.unwrap();
            assert_untouched(&response);
            assert_refused(response, 503, "unavailable").await;
        }
    }
    assert!(browser.is_signed_in(&first).await);
}
