//! Whether the server lives, and whether it can work.

use std::time::{Duration, Instant};

use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::common::{TestServer, redis_url};

/// A port that nobody listens on.
async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

async fn ask(server: &TestServer, path: &str) -> (StatusCode, Value) {
    let asked = Instant::now();
    let response = server.get(path).send().await.unwrap();
    assert!(
        asked.elapsed() < Duration::from_secs(2),
        "{path} took {:?}",
        asked.elapsed()
    );
    assert!(response.headers().contains_key("x-request-id"));
    let status = response.status();
    assert_eq!(
        response.headers().contains_key("retry-after"),
        status == StatusCode::SERVICE_UNAVAILABLE
    );
    (status, response.json().await.unwrap())
}

#[tokio::test]
async fn a_server_with_both_stores_is_well() {
    let server = TestServer::start().await;
    let well = json!({"status": "ok", "database": "up", "redis": "up"});
    assert_eq!(ask(&server, "/health").await, (StatusCode::OK, well.clone()));
    assert_eq!(ask(&server, "/ready").await, (StatusCode::OK, well));
    assert_eq!(
        ask(&server, "/health/db").await,
        (StatusCode::OK, json!({"status": "ok", "database": "up"}))
    );
    assert_eq!(
        ask(&server, "/live").await,
        (StatusCode::OK, json!({"status": "ok"}))
    );
}

#[tokio::test]
async fn without_postgres_the_server_lives_and_is_not_ready() {
    let url = format!("postgres://nobody@127.0.0.1:{}/nothing", closed_port().await);
    let server = TestServer::start_on(&url, |_| {}).await;
    assert_eq!(ask(&server, "/live").await.0, StatusCode::OK);
    for path in ["/ready", "/health", "/health/db"] {
        let (status, body) = ask(&server, path).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(
            (&body["status"], &body["database"]),
            (&"unavailable".into(), &"down".into()),
            "{path}"
        );
        assert!(!body.to_string().contains("127.0.0.1"), "{body}");
    }
}

#[tokio::test]
async fn a_postgres_that_does_not_answer_is_noticed_in_time() {
    // Accepts connections, by its backlog, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://nobody@{}/nothing", silent.local_addr().unwrap());
    let server = TestServer::start_on(&url, |_| {}).await;
    let (ready, health) = tokio::join!(ask(&server, "/ready"), ask(&server, "/health"));
    assert_eq!(
        (ready.0, health.0),
        (StatusCode::SERVICE_UNAVAILABLE, StatusCode::SERVICE_UNAVAILABLE)
    );
}

#[tokio::test]
async fn without_redis_the_server_is_degraded_and_ready() {
    let port = closed_port().await;
    let server = TestServer::start_with(|settings| {
        settings.insert("REDIS_URL".into(), format!("redis://127.0.0.1:{port}"));
    })
    .await;
    for path in ["/ready", "/health"] {
        let (status, body) = ask(&server, path).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        assert_eq!(
            body,
            json!({"status": "degraded", "database": "up", "redis": "down"}),
            "{path}"
        );
    }
    assert_eq!(ask(&server, "/health/db").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_store_that_comes_back_is_noticed() {
    let port = closed_port().await;
    // The real one's address but for the port: its password, if any, is needed once it is reached.
    let mut redis = reqwest::Url::parse(&redis_url()).unwrap();
    let real = (redis.host_str().unwrap().to_owned(), redis.port().unwrap_or(6379));
    redis.set_host(Some("127.0.0.1")).unwrap();
    redis.set_port(Some(port)).unwrap();
    let server = TestServer::start_with(|settings| {
        settings.insert("REDIS_URL".into(), redis.to_string());
    })
    .await;
    assert_eq!(ask(&server, "/health").await.1["redis"], "down");

    // The port now leads to the real Redis.
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let mut far = tokio::net::TcpStream::connect(real.clone()).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut near, &mut far).await });
        }
    });
    crate::common::eventually("Redis is up again", || async {
        server.clock.advance(TimeDelta::seconds(1));
        ask(&server, "/health").await.1["redis"] == "up"
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_about_to_stop_is_not_ready_and_still_lives() {
    let server = TestServer::start().await;
    server.app.core().readiness().stop();
    let (status, body) = ask(&server, "/ready").await;
    assert_eq!(
        (status, &body["status"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"stopping".into())
    );
    assert_eq!(ask(&server, "/live").await.0, StatusCode::OK);
    assert_eq!(ask(&server, "/health").await.0, StatusCode::OK);
}
