//! What pages of other origins are told (the CORS protocol of the Fetch standard).

use http::Method;
use portcullis_tests::account::{Account, fresh_email, fresh_password, registration};
use portcullis_tests::answer::Answer;
use portcullis_tests::client::Call;
use portcullis_tests::world::Door;

use super::ALLOWED;

const OTHERS: [&str; 5] = [
    "http://localhost:3001",
    "https://localhost:3000",
    "http://localhost:3000.evil.example",
    "http://LOCALHOST:3000",
    "null",
];

fn preflight(path: &str, origin: &str, method: &str, headers: &str) -> Call {
    let call = Door::edge().client().call(Method::OPTIONS, path);
    let call = call
        .header("origin", origin)
        .header("access-control-request-method", method);
    if headers.is_empty() {
        call
    } else {
        call.header("access-control-request-headers", headers)
    }
}

/// The names of all headers about sharing.
fn sharing(answer: &Answer) -> Vec<&str> {
    let names = answer.headers.keys().map(http::HeaderName::as_str);
    names.filter(|name| name.starts_with("access-control-")).collect()
}

fn varies_by_origin(answer: &Answer) -> bool {
    let vary = answer.headers.get_all("vary").iter();
    let names = vary.flat_map(|value| value.to_str().unwrap().split(','));
    names
        .map(str::trim)
        .any(|name| name.eq_ignore_ascii_case("origin"))
}

#[tokio::test]
async fn a_preflight_is_answered_at_the_edge_without_any_credential() {
    let headers = "authorization,content-type,x-csrf-token,x-token-delivery";
    for (path, method, allowed) in [
        (
            "/api/echo",
            "DELETE",
            "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
        ),
        ("/api/withdraw", "POST", "POST"),
        ("/api/reports", "GET", "GET, HEAD"),
        ("/auth/login", "POST", "POST"),
    ] {
        let answer = preflight(path, ALLOWED, method, headers).send().await.expect(204);
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some(ALLOWED),
            "{path}"
        );
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(answer.header("access-control-allow-methods"), Some(allowed));
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        let listed = answer.header("access-control-allow-headers").unwrap();
        let mut wanted = headers.split(',');
        assert!(
            wanted.all(|name| listed.split(", ").any(|own| own == name)),
            "{listed}"
        );
        let vary = answer.header("vary").unwrap();
        assert_eq!(
            vary,
            "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
        );
        assert!(answer.body.is_empty());
    }
}

#[tokio::test]
async fn a_preflight_for_what_is_not_allowed_is_told_nothing() {
    for origin in OTHERS {
        let answer = preflight("/api/echo", origin, "GET", "").send().await;
        answer.problem(403, "forbidden");
        assert_eq!(sharing(&answer), [""; 0], "{origin}");
        assert!(varies_by_origin(&answer), "{answer:?}");
    }
    let answer = preflight("/api/echo", ALLOWED, "GET", "x-secret-knock")
        .send()
        .await;
    answer.problem(403, "forbidden");
    assert_eq!(sharing(&answer), [""; 0]);
    // What the table does not know is what it always is.
    let unknown = preflight("/api/nowhere", ALLOWED, "GET", "").send().await;
    unknown.problem(404, "not_found");
    let unknown = preflight("/api/reports", ALLOWED, "DELETE", "").send().await;
    unknown.problem(405, "method_not_allowed");
    assert_eq!(unknown.header("access-control-allow-methods"), None);
}

#[tokio::test]
async fn an_options_request_that_asks_for_nothing_is_judged_like_any_other() {
    let client = Door::edge().client();
    let bare = client
        .call(Method::OPTIONS, "/api/echo")
        .header("origin", ALLOWED);
    bare.send().await.problem(401, "invalid_token");
    let public = client.call(Method::OPTIONS, "/api/public/x");
    let seen = public.send().await.expect(200).json();
    assert_eq!(seen["method"], "OPTIONS", "the upstream has answered");
}

#[tokio::test]
async fn answers_and_refusals_can_be_read_by_the_allowed_origin_alone() {
    let account = Account::register(&Door::edge()).await;
    let calls = |origin: &str| {
        let get = |path: &str| account.client.get(path).header("origin", origin);
        let good = |path: &str| get(path).bearer(account.access_token());
        let step_up = account.client.post("/api/withdraw").header("origin", origin);
        [
            (good("/api/echo"), 200),
            (good("/auth/me"), 200),
            (get("/api/echo"), 401),
            (step_up.bearer(account.access_token()), 401),
            (good("/api/reports"), 403),
            (get("/api/nowhere"), 404),
            (get("/api//echo"), 400),
        ]
    };
    for (call, status) in calls(ALLOWED) {
        let answer = call.send().await.expect(status);
        let allowed: Vec<_> = answer
            .headers
            .get_all("access-control-allow-origin")
            .iter()
            .collect();
        assert_eq!(allowed, [ALLOWED], "{answer:?}");
        assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in [
            "www-authenticate",
            "retry-after",
            "ratelimit",
            "ratelimit-policy",
            "x-request-id",
        ] {
            assert!(exposed.split(", ").any(|own| own == name), "{name} in {exposed}");
        }
        assert!(varies_by_origin(&answer), "{answer:?}");
    }
    for origin in OTHERS {
        for (call, status) in calls(origin) {
            let answer = call.send().await.expect(status);
            assert_eq!(sharing(&answer), [""; 0], "{origin}: {answer:?}");
            assert!(varies_by_origin(&answer), "{answer:?}");
        }
    }
    let anonymous = account.client.get("/api/public/x").send().await.expect(200);
    assert_eq!(sharing(&anonymous), [""; 0]);
    assert!(
        varies_by_origin(&anonymous),
        "a cache could keep it: {anonymous:?}"
    );
}

#[tokio::test]
async fn an_allowed_origin_may_read_and_still_changes_nothing_by_cookie() {
    let client = Door::edge().client();
    let registered = client
        .post("/auth/register")
        .header("x-token-delivery", "cookie")
        .header("sec-fetch-site", "same-origin")
        .json(&registration(&fresh_email(), &fresh_password()))
        .send()
        .await
        .expect(201);
    let lines = registered.headers.get_all("set-cookie").iter();
    let pairs: Vec<_> = lines
        .map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned())
        .collect();
    let cookies = pairs.join("; ");
    let from_the_page = |call: Call| {
        call.header("origin", ALLOWED)
            .header("sec-fetch-site", "same-site")
            .header("cookie", &cookies)
    };
    let read = from_the_page(client.get("/auth/me")).send().await.expect(200);
    assert_eq!(read.header("access-control-allow-credentials"), Some("true"));
    for path in ["/api/tickets/purchase", "/auth/logout", "/auth/refresh"] {
        let refused = from_the_page(client.post(path)).send().await;
        refused.problem(403, "csrf_rejected");
        assert_eq!(
            refused.header("access-control-allow-origin"),
            Some(ALLOWED),
            "{path}"
        );
    }
    from_the_page(client.get("/auth/me")).send().await.expect(200);
}
