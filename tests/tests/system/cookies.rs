//! Session cookies through the edge, as a browser would send them, and where a request says it comes from.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use http::Method;
use portcullis_tests::account::{Account, fresh_email, fresh_password, registration};
use portcullis_tests::answer::Answer;
use portcullis_tests::client::{Call, Client};
use portcullis_tests::eventually;
use portcullis_tests::own_stack::Wanted;
use portcullis_tests::world::Door;
use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};
use xtask::stack::Part;

const ACCESS: &str = "__Host-pc_access";
const REFRESH: &str = "__Host-pc_refresh";

/// A browser with a session: what it would send along.
#[derive(Clone, Debug)]
struct Browser {
    client: Client,
    access: String,
    refresh: String,
}

impl Browser {
    async fn register(door: &Door) -> Self {
        let client = door.client();
        let answer = client
            .post("/auth/register")
            .header("x-token-delivery", "cookie")
            .header("sec-fetch-site", "same-origin")
            .json(&registration(&fresh_email(), &fresh_password()))
            .send()
            .await
            .expect(201);
        let tokens = &answer.json()["tokens"];
        assert!(
            tokens["accessToken"].is_null() && tokens["refreshToken"].is_null(),
            "{answer:?}"
        );
        Self {
            access: cookie_of(&answer, ACCESS).expect("an access cookie"),
            refresh: cookie_of(&answer, REFRESH).expect("a refresh cookie"),
            client,
        }
    }

    fn both(&self) -> String {
        format!("theme=dark; {ACCESS}={}; {REFRESH}={}", self.access, self.refresh)
    }

    fn refresh_only(&self) -> String {
        format!("theme=dark; {REFRESH}={}", self.refresh)
    }

    fn get(&self, path: &str, cookies: &str) -> Call {
        self.client.get(path).header("cookie", cookies)
    }

    /// From a page of ours.
    fn own(&self, method: Method, path: &str, cookies: &str) -> Call {
        self.client
            .call(method, path)
            .header("cookie", cookies)
            .header("sec-fetch-site", "same-origin")
    }
}

/// The value that an answer sets a cookie to; empty where it deletes it.
pub(super) fn cookie_of(answer: &Answer, name: &str) -> Option<String> {
    let lines = answer.headers.get_all("set-cookie").iter();
    let mut of_name = lines.filter_map(|line| {
        let (pair, attributes) = line.to_str().unwrap().split_once(';').unwrap();
        let value = pair.strip_prefix(name)?.strip_prefix('=')?;
        for attribute in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(attributes.contains(attribute), "{attribute}: {answer:?}");
        }
        Some(value.to_owned())
    });
    let value = of_name.next();
    assert_eq!(of_name.next(), None, "{name} is set twice: {answer:?}");
    value
}

#[track_caller]
fn assert_renewed(answer: &Answer) {
    for name in [ACCESS, REFRESH] {
        assert!(
            cookie_of(answer, name).is_some_and(|value| !value.is_empty()),
            "{answer:?}"
        );
    }
    assert_eq!(
        answer.header("cache-control"),
        Some("private, no-store"),
        "{answer:?}"
    );
}

#[track_caller]
fn assert_cleared(answer: &Answer) {
    for name in [ACCESS, REFRESH] {
        assert_eq!(cookie_of(answer, name).as_deref(), Some(""), "{answer:?}");
    }
}

#[track_caller]
fn assert_untouched(answer: &Answer) {
    assert_eq!(answer.headers.get("set-cookie"), None, "{answer:?}");
}

#[tokio::test]
async fn an_upstream_learns_who_a_browser_is_and_sees_none_of_its_tokens() {
    let browser = Browser::register(&Door::edge()).await;
    let answer = browser.get("/api/echo", &browser.both()).send().await.expect(200);
    assert_untouched(&answer);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("x-auth-subject"), "{text}");
    assert!(text.contains("theme=dark"), "{text}");
    for secret in [
        &browser.access,
        &browser.refresh,
        ACCESS,
        REFRESH,
        "authorization",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn a_browser_whose_access_cookie_has_run_out_is_refreshed_on_the_way() {
    for path in ["/api/echo", "/auth/me", "/api/public/x"] {
        let browser = Browser::register(&Door::edge()).await;
        let answer = browser.get(path, &browser.refresh_only()).send().await;
        assert!(answer.status.is_success(), "{path}: {answer:?}");
        assert_renewed(&answer);
        let renewed = format!("{ACCESS}={}", cookie_of(&answer, ACCESS).unwrap());
        let again = browser.get("/api/echo", &renewed).send().await.expect(200);
        assert_untouched(&again);
    }
}

#[tokio::test]
async fn tabs_that_are_refreshed_at_the_same_moment_keep_one_session() {
    let browser = Browser::register(&Door::edge()).await;
    let tabs = (0..6).map(|_| browser.get("/api/echo", &browser.refresh_only()).send());
    let answers = futures_util::future::join_all(tabs).await;
    let successors: Vec<_> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            cookie_of(answer, REFRESH).unwrap()
        })
        .collect();
    assert!(
        successors.iter().all(|other| *other == successors[0]),
        "{successors:?}"
    );
    let next = format!("{REFRESH}={}", successors[0]);
    assert_renewed(&browser.get("/api/echo", &next).send().await.expect(200));
}

#[tokio::test]
async fn a_stream_and_a_web_socket_are_refreshed_on_the_way_and_left_whole() {
    let browser = Browser::register(&Door::edge()).await;
    let answer = browser
        .get("/api/stream?bytes=3000000", &browser.refresh_only())
        .send()
        .await
        .expect(200);
    assert_renewed(&answer);
    assert_eq!(answer.body.len(), 3_000_000);

    let browser = Browser::register(&Door::edge()).await;
    let url = format!("{}/api/ws", Door::edge().url().replacen("http", "ws", 1));
    let mut request = url.into_client_request().unwrap();
    let cookies = browser.refresh_only();
    request.headers_mut().insert("cookie", cookies.parse().unwrap());
    let mut hostile = request.clone();
    hostile
        .headers_mut()
        .insert("origin", "https://evil.example".parse().unwrap());
    let refused = tokio_tungstenite::connect_async(hostile).await.unwrap_err();
    assert!(
        matches!(&refused, Error::Http(answer) if answer.status() == 403),
        "{refused}"
    );
    let own = Door::edge().url().to_owned();
    request.headers_mut().insert("origin", own.parse().unwrap());
    let (mut socket, response) = tokio_tungstenite::connect_async(request).await.unwrap();
    let set = response.headers().get_all("set-cookie").iter().count();
    assert_eq!(set, 2, "{response:?}");
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
}

#[tokio::test]
async fn what_changes_something_is_not_refreshed_on_the_way_and_the_page_refreshes_itself() {
    let browser = Browser::register(&Door::edge()).await;
    let refused = browser
        .own(Method::POST, "/api/tickets/purchase", &browser.refresh_only())
        .send()
        .await;
    refused.problem(401, "invalid_token");
    assert_untouched(&refused);
    let refreshed = browser
        .own(Method::POST, "/auth/refresh", &browser.refresh_only())
        .send()
        .await
        .expect(200);
    assert_renewed(&refreshed);
    let renewed = format!("{ACCESS}={}", cookie_of(&refreshed, ACCESS).unwrap());
    browser
        .own(Method::POST, "/api/tickets/purchase", &renewed)
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_login_after_the_session_was_ended_elsewhere_keeps_its_new_cookies() {
    let door = Door::edge();
    let account = Account::register(&door).await;
    let login = || {
        let call = account
            .client
            .post("/auth/login")
            .header("x-token-delivery", "cookie")
            .header("sec-fetch-site", "same-origin");
        call.json(&json!({"email": account.email, "password": account.password}))
    };
    let first = login().send().await.expect(200);
    let (access, refresh) = (
        cookie_of(&first, ACCESS).unwrap(),
        cookie_of(&first, REFRESH).unwrap(),
    );
    let old = format!("{ACCESS}={access}; {REFRESH}={refresh}");
    let all = account
        .client
        .call(Method::DELETE, "/auth/sessions/all?includeCurrent=true")
        .bearer(account.access_token());
    all.send().await.expect(200);
    eventually("the edge knows", Duration::from_secs(10), async || {
        let answer = account
            .client
            .get("/api/echo")
            .header("cookie", &old)
            .send()
            .await;
        (answer.status == 401).then_some(())
    })
    .await;
    let again = login().header("cookie", &old).send().await.expect(200);
    assert_renewed(&again);
    let new = format!("{ACCESS}={}", cookie_of(&again, ACCESS).unwrap());
    account
        .client
        .get("/api/echo")
        .header("cookie", &new)
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn cookies_that_are_good_for_nothing_are_refused_or_ignored_and_deleted() {
    let browser = Browser::register(&Door::edge()).await;
    let mut forged = browser.refresh.clone();
    forged.replace_range(30..31, if &forged[30..31] == "A" { "B" } else { "A" });
    for cookies in [
        format!("{ACCESS}=not-a-token"),
        format!("{REFRESH}={forged}"),
        format!("{ACCESS}={}; {REFRESH}={forged}", "a.b.c"),
        format!("{ACCESS}="),
    ] {
        let refused = browser.get("/api/echo", &cookies).send().await;
        refused.problem(401, "invalid_token");
        assert_cleared(&refused);
        let ignored = browser.get("/api/public/x", &cookies).send().await.expect(200);
        assert_cleared(&ignored);
        let text = String::from_utf8(ignored.body.to_vec()).unwrap();
        assert!(!text.contains("x-auth-subject"), "{text}");
    }
}

#[tokio::test]
async fn a_refresh_cookie_that_was_replaced_for_good_ends_the_session_on_the_way() {
    let browser = Browser::register(&Door::edge()).await;
    let mut newest = browser.refresh.clone();
    for _ in 0..2 {
        let answer = browser
            .get("/api/echo", &format!("{REFRESH}={newest}"))
            .send()
            .await
            .expect(200);
        newest = cookie_of(&answer, REFRESH).unwrap();
    }
    let stolen = browser.get("/api/echo", &browser.refresh_only()).send().await;
    stolen.problem(401, "invalid_token");
    assert_cleared(&stolen);
    let owner = browser
        .get("/api/echo", &format!("{REFRESH}={newest}"))
        .send()
        .await;
    owner.problem(401, "invalid_token");
    assert_cleared(&owner);
}

#[tokio::test]
async fn two_credentials_are_refused_whatever_they_are_worth() {
    let browser = Browser::register(&Door::edge()).await;
    let account = Account::register(&Door::edge()).await;
    for path in ["/api/echo", "/api/public/x", "/auth/me"] {
        let bearer = account.access_token();
        for cookies in [browser.both(), browser.refresh_only()] {
            let call = browser.get(path, &cookies).bearer(bearer);
            call.send().await.problem(400, "ambiguous_credentials");
        }
        let twice = format!("{}; {ACCESS}={}", browser.both(), browser.access);
        browser
            .get(path, &twice)
            .send()
            .await
            .problem(400, "ambiguous_credentials");
        let planted = format!("{}; {REFRESH}=other", browser.both());
        browser
            .get(path, &planted)
            .send()
            .await
            .problem(400, "ambiguous_credentials");
    }
}

#[tokio::test]
async fn another_site_changes_nothing_in_a_browsers_name() {
    let browser = Browser::register(&Door::edge()).await;
    let own = Door::edge().url().to_owned();
    for path in [
        "/api/tickets/purchase",
        "/auth/logout",
        "/auth/refresh",
        "/auth/login",
        "/auth/register",
    ] {
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "none"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
            (
                "x-csrf-token",
                "pcc_made.up.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            ),
            ("accept", "*/*"),
        ] {
            let call = browser
                .client
                .post(path)
                .header("cookie", &browser.both())
                .header(name, value);
            let refused = call.send().await;
            refused.problem(403, "csrf_rejected");
            assert_untouched(&refused);
        }
    }
    browser.get("/auth/me", &browser.both()).send().await.expect(200);
    let purchase = browser.client.post("/api/tickets/purchase");
    purchase
        .header("cookie", &browser.both())
        .header("origin", &own)
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_client_without_fetch_metadata_proves_itself_by_the_csrf_token_of_its_session() {
    let (browser, other) = (
        Browser::register(&Door::edge()).await,
        Browser::register(&Door::edge()).await,
    );
    let token_of = async |browser: &Browser| {
        let answer = browser
            .get("/auth/csrf", &browser.both())
            .send()
            .await
            .expect(200);
        answer.json()["csrfToken"].as_str().expect("a token").to_owned()
    };
    let (own, others) = (token_of(&browser).await, token_of(&other).await);
    let post = |path: &str, cookies: &str, token: &str| {
        let call = browser.client.post(path).header("cookie", cookies);
        call.header("x-csrf-token", token)
    };
    let (both, refresh_only) = (browser.both(), browser.refresh_only());
    for (path, cookies) in [
        ("/api/tickets/purchase", &both),
        ("/auth/refresh", &refresh_only),
        ("/auth/logout", &both),
    ] {
        post(path, cookies, &others)
            .send()
            .await
            .problem(403, "csrf_rejected");
    }
    post("/api/tickets/purchase", &both, &own)
        .send()
        .await
        .expect(200);
    assert_renewed(
        &post("/auth/refresh", &refresh_only, &own)
            .send()
            .await
            .expect(200),
    );
    let crossing = post("/auth/logout", &both, &own).header("sec-fetch-site", "cross-site");
    crossing.send().await.problem(403, "csrf_rejected");
    post("/auth/logout", &both, &own).send().await.expect(204);
}

#[tokio::test]
async fn a_logout_deletes_the_cookies_even_when_only_the_refresh_cookie_is_left() {
    for only_refresh in [false, true] {
        let browser = Browser::register(&Door::edge()).await;
        let cookies = if only_refresh {
            browser.refresh_only()
        } else {
            browser.both()
        };
        let answer = browser
            .own(Method::POST, "/auth/logout", &cookies)
            .send()
            .await
            .expect(204);
        assert_cleared(&answer);
        let after = browser.get("/auth/me", &browser.refresh_only()).send().await;
        after.problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn while_the_origin_is_dead_a_browser_keeps_its_cookies() {
    let mut stack = Wanted::all().start("browser_outage").await;
    let browser = Browser::register(&stack.edge()).await;
    browser.get("/api/echo", &browser.both()).send().await.expect(200);
    stack.kill(Part::Origin).await;
    let refused = browser.get("/api/echo", &browser.refresh_only()).send().await;
    refused.problem(503, "unavailable");
    assert_untouched(&refused);
    let public = browser
        .get("/api/public/x", &browser.refresh_only())
        .send()
        .await
        .expect(200);
    assert_untouched(&public);
    stack.start(Part::Origin).await;
    assert_renewed(
        &browser
            .get("/api/echo", &browser.refresh_only())
            .send()
            .await
            .expect(200),
    );
}

#[tokio::test]
async fn a_session_that_is_refreshed_on_the_way_is_not_taken_to_another_tenant() {
    let browser = Browser::register(&Door::edge()).await;
    let call = browser
        .get("/auth/me", &browser.refresh_only())
        .header("x-tenant", "nowhere");
    call.send().await.problem(400, "unknown_tenant");
}
