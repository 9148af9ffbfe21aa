//! Routes in shadow: everything is decided, and nobody is refused for what the gate demands.

use portcullis_tests::account::Account;
use portcullis_tests::answer::Answer;
use portcullis_tests::plain_worker::{PlainWanted, PlainWorker};
use portcullis_tests::world::Door;
use serde_json::{Value, json};

use super::seen;

/// A port where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

fn routes() -> Value {
    json!([
        {"path": "/reports", "upstream": "app", "require": {"permission": "reports:view"}, "mode": "shadow"},
        {"path": "/payout", "upstream": "app", "authenticated": true, "sensitive": true, "mode": "shadow"},
        {"path": "/purchase", "upstream": "app", "authenticated": true, "mode": "shadow"},
        {"path": "/check", "methods": ["GET"], "forward_auth": true, "authenticated": true, "mode": "shadow"},
        {"path": "/enforced", "upstream": "app", "require": {"permission": "reports:view"}},
    ])
}

/// What was logged about an answer.
async fn entry(worker: &PlainWorker, answer: &Answer) -> Value {
    worker.entry(answer.header("x-request-id").unwrap()).await
}

#[track_caller]
fn assert_shadow(entry: &Value, route: &str, would_be: &str) {
    assert_eq!(
        (&entry["decision"], &entry["would_be"], &entry["route"]),
        (&json!("shadow"), &json!(would_be), &json!(route)),
        "{entry}"
    );
    assert!(entry["reason"].is_string(), "{entry}");
}

#[tokio::test]
async fn a_shadow_route_lets_through_what_it_would_refuse_and_says_so_to_log_and_upstream() {
    let worker = PlainWanted::routes(routes()).start("shadow").await;
    let account = Account::register(&Door::edge()).await;
    let client = worker.door().client();

    let nobody = client.get("/reports").send().await.expect(200);
    assert_eq!(seen(&nobody, "x-auth-shadow"), ["invalid_token"]);
    assert!(seen(&nobody, "x-auth-subject").is_empty());
    assert_shadow(&entry(&worker, &nobody).await, "/reports", "invalid_token");
    let covered = seen(&nobody, "signature-input").concat();
    assert!(covered.contains("\"x-auth-shadow\""), "{covered}");

    let bearer = format!("Bearer {}", account.access_token());
    let known = client
        .get("/reports")
        .header("authorization", &bearer)
        .send()
        .await
        .expect(200);
    assert_eq!(seen(&known, "x-auth-subject"), [account.id()]);
    assert_eq!(seen(&known, "x-auth-shadow"), ["forbidden"]);
    assert_eq!(seen(&known, "authorization"), [bearer.as_str()]);
    assert_shadow(&entry(&worker, &known).await, "/reports", "forbidden");

    let tampered = format!("{bearer}x");
    let unknown = client
        .get("/reports")
        .header("authorization", &tampered)
        .send()
        .await
        .expect(200);
    assert_eq!(seen(&unknown, "x-auth-shadow"), ["invalid_token"]);
    for name in ["authorization", "x-auth-subject", "x-auth-role"] {
        assert!(seen(&unknown, name).is_empty(), "{name}: {unknown:?}");
    }

    // Who may pass does so as anywhere, and nobody else says what the edge thinks of a request.
    let good = client
        .get("/purchase")
        .header("authorization", &bearer)
        .header("x-auth-shadow", "forbidden")
        .send()
        .await
        .expect(200);
    assert!(seen(&good, "x-auth-shadow").is_empty(), "{good:?}");
    let good = entry(&worker, &good).await;
    assert_eq!(
        (&good["decision"], &good["would_be"]),
        (&json!("pass"), &Value::Null)
    );

    let enforced = client
        .get("/enforced")
        .header("authorization", &bearer)
        .send()
        .await;
    enforced.problem(403, "forbidden");
}

#[tokio::test]
async fn a_proxy_that_asks_is_told_what_the_answer_would_have_been() {
    let worker = PlainWanted::routes(routes()).start("shadow_check").await;
    let answer = worker.door().client().get("/check").send().await.expect(204);
    assert_eq!(answer.header("x-auth-shadow"), Some("invalid_token"));
    assert_eq!(answer.header("x-auth-subject"), None);
    assert_shadow(&entry(&worker, &answer).await, "/check", "invalid_token");
}

#[tokio::test]
async fn what_protects_a_request_is_enforced_on_a_shadow_route() {
    let worker = PlainWanted::routes(routes()).start("shadow_hygiene").await;
    let client = worker.door().client();
    client
        .post("/purchase")
        .header("cookie", "__Host-pc_access=a.b.c")
        .header("sec-fetch-site", "cross-site")
        .send()
        .await
        .problem(403, "csrf_rejected");
    client
        .get("/purchase")
        .header("cookie", "__Host-pc_access=a.b.c")
        .bearer("a.b.c")
        .send()
        .await
        .problem(400, "ambiguous_credentials");
    client
        .get("/reports/..%2fpurchase")
        .send()
        .await
        .problem(400, "malformed_path");
    client
        .post("/check")
        .send()
        .await
        .problem(405, "method_not_allowed");
    client.get("/elsewhere").send().await.problem(404, "not_found");
}

#[tokio::test]
async fn an_origin_that_is_dead_fails_no_request_of_a_shadow_route() {
    let wanted = PlainWanted {
        origin: NOBODY.to_owned(),
        ..PlainWanted::routes(routes())
    };
    let worker = wanted.start("shadow_dead_origin").await;
    let account = Account::register(&Door::edge()).await;
    let client = worker.door().client();
    let ask = async |path| client.get(path).bearer(account.access_token()).send().await;
    // Neither keys nor revocations can be had, so it is not known who is calling.
    for path in ["/purchase", "/payout"] {
        let answer = ask(path).await.expect(200);
        assert_eq!(seen(&answer, "x-auth-shadow"), ["unavailable"]);
        for name in ["authorization", "x-auth-subject"] {
            assert!(seen(&answer, name).is_empty(), "{name}: {answer:?}");
        }
        assert_shadow(&entry(&worker, &answer).await, path, "unavailable");
    }
    ask("/enforced").await.problem(503, "unavailable");
}

#[tokio::test]
async fn the_edge_names_its_shadow_routes_when_it_starts() {
    let worker = PlainWanted {
        log_requests: "none",
        ..PlainWanted::routes(routes())
    };
    let worker = worker.start("shadow_names").await;
    let client = worker.door().client();
    for _ in 0..2 {
        client.get("/reports").send().await.expect(200);
    }
    let lines = portcullis_tests::eventually(
        "the routes are named",
        std::time::Duration::from_secs(5),
        async || Some(worker.events("shadow_routes")).filter(|lines| !lines.is_empty()),
    )
    .await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let mut named: Vec<_> = lines[0]["routes"].as_array().unwrap().clone();
    named.sort_by_key(ToString::to_string);
    assert_eq!(named, ["/check", "/payout", "/purchase", "/reports"]);
    assert!(worker.events("request").is_empty());
}
