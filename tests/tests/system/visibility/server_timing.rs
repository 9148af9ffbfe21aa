//! `Server-Timing`: told where the policy wants it, beside what the upstream says itself.

use portcullis_tests::account::Account;
use portcullis_tests::plain_worker::PlainWanted;
use portcullis_tests::upstream::OddUpstream;
use portcullis_tests::world::Door;
use serde_json::{Value, json};

fn routes() -> Value {
    json!([
        {"path": "/api/*", "upstream": "app", "public": true, "timeout_seconds": 1},
        {"path": "/check", "methods": ["GET"], "forward_auth": true, "authenticated": true},
    ])
}

/// The values of the header without their numbers: `edge;dur=, upstream;dur=;desc="app"`.
fn timings(answer: &portcullis_tests::answer::Answer) -> Vec<String> {
    let values = answer.headers.get_all("server-timing").iter();
    let texts = values.flat_map(|value| value.to_str().unwrap().split(", "));
    let without_numbers = texts.map(|text| text.replace(|one: char| one.is_ascii_digit() || one == '.', ""));
    without_numbers.collect()
}

#[tokio::test]
async fn an_answer_tells_how_long_edge_and_upstream_took() {
    let odd = OddUpstream::start().await;
    let wanted = PlainWanted {
        server_timing: true,
        upstream: odd.url().to_owned(),
        ..PlainWanted::routes(routes())
    };
    let worker = wanted.start("server_timing").await;
    let client = worker.door().client();
    let account = Account::register(&Door::edge()).await;

    let passed = client.get("/api/fine").send().await.expect(200);
    assert_eq!(timings(&passed), ["edge;dur=", "upstream;dur=;desc=\"app\""]);
    assert_eq!(passed.header("timing-allow-origin"), None);

    // What the upstream says comes first and as it is.
    let timed = client.get("/api/timed").send().await.expect(200);
    assert_eq!(
        timings(&timed),
        ["db;dur=", "edge;dur=", "upstream;dur=;desc=\"app\""]
    );
    assert!(
        timed
            .headers
            .get_all("server-timing")
            .iter()
            .any(|value| value.to_str().unwrap().starts_with("db;dur=53.2"))
    );

    let failed = client.get("/api/close").send().await;
    failed.problem(502, "bad_gateway");
    assert_eq!(timings(&failed), ["edge;dur=", "upstream;dur=;desc=\"app\""]);

    let late = client.get("/api/hang").send().await;
    late.problem(504, "gateway_timeout");
    let value = late.header("server-timing").unwrap();
    let upstream: f64 = value
        .split("upstream;dur=")
        .nth(1)
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    assert!(upstream >= 900.0, "{value}");

    let permitted = client
        .get("/check")
        .bearer(account.access_token())
        .send()
        .await
        .expect(204);
    assert_eq!(timings(&permitted), ["edge;dur="]);
    for path in ["/check", "/nowhere"] {
        assert_eq!(timings(&client.get(path).send().await), ["edge;dur="], "{path}");
    }
}

#[tokio::test]
async fn without_the_policys_wish_nobody_is_told() {
    let worker = PlainWanted::routes(routes()).start("no_server_timing").await;
    let client = worker.door().client();
    for path in ["/api/fine", "/check", "/nowhere"] {
        let answer = client.get(path).send().await;
        assert_eq!(answer.header("server-timing"), None, "{path}");
    }
}
