//! Starting and stopping while there is work.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use portcullis_origin::app::App;
use portcullis_origin::http::{self, Stop};
use reqwest::StatusCode;
use tokio::sync::Notify;

use crate::common::{TestServer, eventually};

/// A server with the route `/slow`, which tells when it was entered and waits to be released.
struct SlowServer {
    server: TestServer,
    entered: Arc<Notify>,
    release: Arc<Notify>,
}

async fn slow_server(drain_seconds: u32) -> SlowServer {
    let inner = TestServer::start_on("postgres://unused@127.0.0.1:1/unused", |settings| {
        settings.insert(
            "PORTCULLIS__HTTP__DRAIN_SECONDS".into(),
            drain_seconds.to_string(),
        );
    })
    .await;
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (entered, release) = (Arc::clone(&entered), Arc::clone(&release));
        move || async move {
            entered.notify_one();
            release.notified().await;
            "done"
        }
    };
    let routes = Router::<App>::new().route("/slow", get(slow));
    let application = http::application(routes, inner.app.clone());
    let server = TestServer::serve(inner.app.clone(), inner.clock.clone(), application).await;
    SlowServer {
        server,
        entered,
        release,
    }
}

#[tokio::test]
async fn what_is_in_flight_when_a_stop_is_asked_for_is_finished() {
    let SlowServer {
        mut server,
        entered,
        release,
    } = slow_server(20).await;
    let request = tokio::spawn(server.get("/slow").send());
    entered.notified().await;
    server.ask_to_stop(Stop::Prompt);
    let client = reqwest::Client::new();
    eventually("no new connection is accepted", || async {
        client.get(server.url("/live")).send().await.is_err()
    })
    .await;
    release.notify_one();
    let response = request.await.unwrap().unwrap();
    assert_eq!(response.text().await.unwrap(), "done");
    server.stopped().await;
}

#[tokio::test]
async fn an_announced_stop_is_seen_at_ready_while_requests_are_still_taken() {
    let SlowServer { mut server, .. } = slow_server(5).await;
    server.ask_to_stop(Stop::Announced);
    eventually("/ready says no", || async {
        let response = server.get("/ready").send().await.unwrap();
        response.json::<serde_json::Value>().await.unwrap()["status"] == "stopping"
    })
    .await;
    assert_eq!(server.get("/live").send().await.unwrap().status(), StatusCode::OK);
    server.stopped().await;
}

#[tokio::test]
async fn a_request_that_does_not_end_holds_the_stop_up_only_so_long() {
    let SlowServer {
        mut server,
        entered,
        release: _never,
    } = slow_server(1).await;
    let request = tokio::spawn(server.get("/slow").send());
    entered.notified().await;
    let asked = Instant::now();
    server.ask_to_stop(Stop::Prompt);
    server.stopped().await;
    assert!(asked.elapsed() >= Duration::from_secs(1));
    request.abort();
}

#[tokio::test]
async fn idle_connections_do_not_hold_the_stop_up() {
    let SlowServer { mut server, .. } = slow_server(20).await;
    // The client keeps this connection for its next request.
    assert_eq!(server.get("/live").send().await.unwrap().status(), StatusCode::OK);
    let asked = Instant::now();
    server.ask_to_stop(Stop::Prompt);
    server.stopped().await;
    assert!(asked.elapsed() < Duration::from_secs(10));
}
