//! A flood of logins is refused at once and costs no memory, and one that finds no connection to Postgres is not kept waiting.

use std::time::Instant;

use futures_util::future::join_all;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{assert_refused, refresh, register, try_refresh};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_beyond_the_queue_are_answered_503_at_once() {
    let server = TestServer::start_with(|settings| {
        for (name, value) in [
            ("MEMORY_KIB", "65536"),
            ("ITERATIONS", "6"),
            ("PERMITS", "1"),
            ("QUEUE", "1"),
        ] {
            settings.insert(format!("PORTCULLIS__PASSWORDS__{name}"), value.into());
        }
    })
    .await;
    let logins = (0..10).map(|number| {
        let body =
            json!({"email": format!("nobody{number}@example.com"), "password": "correct horse battery"});
        let request = server.post("/auth/login").json(&body);
        async move {
            let sent = Instant::now();
            let response = request.send().await.unwrap();
            (response, sent.elapsed())
        }
    });
    let answers = join_all(logins).await;

    let slowest = answers.iter().map(|(_, took)| *took).max().unwrap();
    let mut refused = 0;
    for (response, took) in answers {
        match response.status() {
            StatusCode::UNAUTHORIZED => {}
            StatusCode::SERVICE_UNAVAILABLE => {
                refused += 1;
                assert!(took < slowest, "a refusal does not wait for a hash");
                assert_eq!(response.headers()["retry-after"], "1");
                assert_eq!(response.json::<Value>().await.unwrap()["code"], "overloaded");
            }
            status => panic!("{status}"),
        }
    }
    assert!(refused > 0, "ten at once do not fit into two places");
}

#[tokio::test]
async fn who_finds_no_connection_to_postgres_is_answered_503_in_time_and_has_lost_nothing() {
    let server = TestServer::start_with(|settings| {
        settings.insert("PORTCULLIS__DATABASE__MAX_CONNECTIONS".into(), "2".into());
    })
    .await;
    let person = register(&server, "ada@example.com").await;
    let pool = server.app.core().pool();
    let taken = [pool.acquire().await.unwrap(), pool.acquire().await.unwrap()];

    // It is answered although neither connection is ever given back: with the wait of the defaults, and not when a client gives up.
    let refused = try_refresh(&server, &person.refresh).await;
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_refused(refused, 503, "unavailable").await;

    drop(taken);
    refresh(&server, &person.refresh).await;
}
