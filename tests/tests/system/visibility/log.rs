//! The edge's line about a request.

use portcullis_tests::account::Account;
use portcullis_tests::client::Call;
use portcullis_tests::fresh_id;
use portcullis_tests::plain_worker::{PlainWanted, PlainWorker};
use portcullis_tests::upstream::OddUpstream;
use portcullis_tests::world::Door;
use serde_json::{Value, json};

fn routes() -> Value {
    json!([
        {"path": "/api/{id}", "upstream": "app", "authenticated": true},
        {"path": "/public/*", "upstream": "app", "public": true},
    ])
}

/// Sends a request and returns what was logged about it.
async fn logged(worker: &PlainWorker, call: Call) -> Value {
    let id = format!("trace-{}", fresh_id().simple());
    let answer = call.header("x-request-id", &id).send().await;
    assert_eq!(answer.header("x-request-id"), Some(&*id));
    let entry = worker.entry(&id).await;
    assert_eq!(entry["status"], answer.status.as_u16(), "{entry}");
    entry
}

/// The members that a line must have, whatever their values, beside those of `told`.
#[track_caller]
fn assert_tells(entry: &Value, told: &Value, timed: &[&str]) {
    let mut rest = entry.clone();
    let members = rest.as_object_mut().unwrap();
    assert!(members.remove("request_id").is_some(), "{entry}");
    for name in timed {
        let ms = members.remove(*name).and_then(|value| value.as_f64());
        assert!(
            ms.is_some_and(|ms| (0.0..60_000.0).contains(&ms)),
            "{name}: {entry}"
        );
    }
    assert_eq!(&rest, told);
}

#[tokio::test]
async fn a_line_tells_what_was_decided_what_was_waited_for_and_where_it_went() {
    let worker = PlainWanted::routes(routes()).start("log").await;
    let account = Account::register(&Door::edge()).await;
    let client = worker.door().client();
    let passed = |verdict: &str| {
        json!({"event": "request", "method": "POST", "route": "/api/{id}", "decision": "pass", "status": 200, "verdict": verdict,
            "upstream": "app"})
    };
    let ask = || client.post("/api/x?secret=1").bearer(account.access_token());

    let first = logged(&worker, ask()).await;
    let mut told = passed("verified");
    told["rounds"] = json!(["revocations", "token"]);
    assert_tells(&first, &told, &["edge_ms", "upstream_ms"]);
    let second = logged(&worker, ask()).await;
    assert_tells(&second, &passed("cached"), &["edge_ms", "upstream_ms"]);

    let refused = logged(&worker, client.get("/api/x")).await;
    let told = json!({"event": "request", "method": "GET", "route": "/api/{id}", "decision": "invalid_token", "status": 401, "verdict": "none",
        "reason": "no token was presented"});
    assert_tells(&refused, &told, &["edge_ms"]);

    let nowhere = logged(&worker, client.get("/secret")).await;
    let told = json!({"event": "request", "method": "GET", "route": null, "decision": "not_found", "status": 404, "verdict": "none",
        "reason": "no route has the path"});
    assert_tells(&nowhere, &told, &["edge_ms"]);
}

#[tokio::test]
async fn an_upstream_that_fails_is_logged_where_only_refusals_are() {
    let odd = OddUpstream::start().await;
    let wanted = PlainWanted {
        log_requests: "refused",
        upstream: odd.url().to_owned(),
        ..PlainWanted::routes(routes())
    };
    let worker = wanted.start("log_refused").await;
    let client = worker.door().client();
    client.get("/public/fine").send().await.expect(200);
    let failed = logged(&worker, client.get("/public/close")).await;
    let told = json!({"event": "request", "method": "GET", "route": "/public/*", "decision": "bad_gateway", "status": 502, "verdict": "none",
        "upstream": "app", "reason": "the upstream could not be reached"});
    assert_tells(&failed, &told, &["edge_ms", "upstream_ms"]);
    assert_eq!(worker.events("request").len(), 1);
}
