//! Data points for Analytics Engine, written by the real Worker into a recorder.

use portcullis_tests::account::Account;
use portcullis_tests::plain_worker::PlainWanted;
use portcullis_tests::world::Door;
use serde_json::{Value, json};

fn routes() -> Value {
    json!([
        {"path": "/echo/{id}", "upstream": "app", "authenticated": true},
        {"path": "/reports", "upstream": "app", "require": {"permission": "reports:view"}, "mode": "shadow"},
        {"path": "/check", "methods": ["GET"], "forward_auth": true, "authenticated": true},
    ])
}

fn texts(point: &Value) -> Vec<&str> {
    let blobs = point["blobs"].as_array().unwrap();
    blobs.iter().map(|blob| blob.as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_request_is_one_point_that_names_nobody() {
    let wanted = PlainWanted {
        dataset: "recording",
        log_requests: "none",
        ..PlainWanted::routes(routes())
    };
    let worker = wanted.start("counters").await;
    let account = Account::register(&Door::edge()).await;
    let client = worker.door().client();
    for _ in 0..2 {
        client
            .post("/echo/nobody-counts-this?nor=that")
            .bearer(account.access_token())
            .send()
            .await
            .expect(200);
    }
    client
        .get("/reports")
        .bearer(account.access_token())
        .send()
        .await
        .expect(200);
    client
        .get("/check")
        .bearer(account.access_token())
        .send()
        .await
        .expect(204);
    client.get("/check").send().await.problem(401, "invalid_token");
    client
        .get("/nobody-counts-this")
        .send()
        .await
        .problem(404, "not_found");

    let points = worker.points().await;
    let told: Vec<_> = points
        .iter()
        .map(|point| {
            (
                point["indexes"][0].as_str().unwrap(),
                texts(point),
                &point["doubles"][0],
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "/echo/{id}",
                vec!["pass", "app", "write", "verified", "-", "/echo/{id}"],
                &json!(200)
            ),
            (
                "/echo/{id}",
                vec!["pass", "app", "write", "cached", "-", "/echo/{id}"],
                &json!(200)
            ),
            (
                "/reports",
                vec!["shadow", "app", "read", "cached", "forbidden", "/reports"],
                &json!(200)
            ),
            (
                "/check",
                vec!["pass", "-", "read", "cached", "-", "/check"],
                &json!(204)
            ),
            (
                "/check",
                vec!["invalid_token", "-", "read", "none", "-", "/check"],
                &json!(401)
            ),
            ("-", vec!["not_found", "-", "read", "none", "-", "-"], &json!(404)),
        ]
    );
    for point in &points {
        let doubles = point["doubles"].as_array().unwrap();
        assert_eq!((doubles.len(), &doubles[4]), (5, &json!(1)), "{point}");
        assert!(
            doubles.iter().all(|double| double.as_f64() >= Some(0.0)),
            "{point}"
        );
        let text = point.to_string();
        for secret in [
            "nobody-counts-this",
            "nor=that",
            account.id(),
            &client.address().to_string(),
        ] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_dataset_that_takes_no_points_fails_no_request() {
    let wanted = PlainWanted {
        dataset: "failing",
        ..PlainWanted::routes(routes())
    };
    let worker = wanted.start("counters_failing").await;
    let account = Account::register(&Door::edge()).await;
    let client = worker.door().client();
    for path in ["/echo/x", "/reports"] {
        client
            .get(path)
            .bearer(account.access_token())
            .send()
            .await
            .expect(200);
    }
    client
        .get("/check")
        .bearer(account.access_token())
        .send()
        .await
        .expect(204);
    client.get("/check").send().await.problem(401, "invalid_token");
}
