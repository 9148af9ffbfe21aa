//! What the edge has signed once and somebody sends again: by another connection, to another replica, without Redis.

use std::collections::BTreeMap;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use futures_util::future::join_all;
use portcullis_origin::app::App;
use portcullis_origin::http;
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_shared::request_signature::{SignatureHeaders, SignedRequest, SigningKey, sign, sign_own};
use reqwest::RequestBuilder;
use serde_json::json;

use crate::common::{TestServer, eventually, fresh_nonce};
use crate::fixtures::assert_refused;

const SECRET: &[u8; 32] = b"0mzH4Xr9dQ2vLw7TnBc5Ke8YpUa1Gs6J";
const SECRET_BASE64: &str = "MG16SDRYcjlkUTJ2THc3VG5CYzVLZThZcFVhMUdzNko=";
/// Replicas go by one name.
const HOST: &str = "origin.example";
/// Nobody listens there.
const NOWHERE: &str = "redis://127.0.0.1:1";
pub(crate) const COPIES: usize = 50;

/// A server with a route that repeats the body of the request. `redis` is another than that of the tests.
pub(crate) async fn server(redis: Option<&str>) -> TestServer {
    let inner = TestServer::start_on("postgres://unused@127.0.0.1:1/unused", |settings| {
        let keys = json!({"one": SECRET_BASE64}).to_string();
        settings.insert("PORTCULLIS__EDGE__SIGNING_KEYS".into(), keys);
        settings.extend(redis.map(|redis| ("REDIS_URL".to_owned(), redis.to_owned())));
    })
    .await;
    let routes = Router::<App>::new().route("/repeat", post(async |body: Bytes| body));
    let application = http::application(routes, inner.app.clone());
    if redis != Some(NOWHERE) {
        eventually("Redis is connected", || inner.app.core().redis().is_up()).await;
    }
    TestServer::serve(inner.app.clone(), inner.clock.clone(), application).await
}

fn key() -> SigningKey {
    SigningKey::new("one", SECRET).unwrap()
}

/// What the edge signs once.
fn signature(server: &TestServer, method: &str, path: &str, nonce: &str) -> SignatureHeaders {
    let request = SignedRequest {
        method,
        authority: HOST,
        path,
        query: None,
        headers: &[("x-auth-client-ip", "203.0.113.7")],
    };
    sign(&request, &key(), nonce, server.clock.now().timestamp())
}

fn with(request: RequestBuilder, signature: &SignatureHeaders) -> RequestBuilder {
    request
        .header("host", HOST)
        .header("x-auth-client-ip", "203.0.113.7")
        .header("signature-input", &signature.signature_input)
        .header("signature", &signature.signature)
}

fn copy(server: &TestServer, signature: &SignatureHeaders, body: &'static str) -> RequestBuilder {
    with(server.post("/repeat").body(body), signature)
}

/// Sends copies of one signed request to all servers at once; how often which status came back.
pub(crate) async fn race(servers: &[&TestServer]) -> BTreeMap<u16, usize> {
    let signature = signature(servers[0], "POST", "/repeat", &fresh_nonce());
    let copies = servers.iter().cycle().take(COPIES);
    let answers = join_all(copies.map(|server| copy(server, &signature, "x").send())).await;
    let mut statuses = BTreeMap::new();
    for answer in answers {
        *statuses.entry(answer.unwrap().status().as_u16()).or_default() += 1;
    }
    statuses
}

#[tokio::test]
async fn of_fifty_copies_at_two_replicas_one_is_accepted() {
    let (here, there) = (server(None).await, server(None).await);
    assert_eq!(
        race(&[&here, &there]).await,
        BTreeMap::from([(200, 1), (401, COPIES - 1)])
    );
    // What a replica refuses, it refuses as what it is.
    let once = signature(&here, "POST", "/repeat", &fresh_nonce());
    assert_eq!(
        copy(&here, &once, "x").send().await.unwrap().status(),
        StatusCode::OK
    );
    for server in [&here, &there] {
        let again = copy(server, &once, "x").send().await.unwrap();
        assert_refused(again, 401, "invalid_edge_signature").await;
    }
}

#[tokio::test]
async fn without_redis_each_replica_accepts_one_copy() {
    let (here, there) = (server(Some(NOWHERE)).await, server(Some(NOWHERE)).await);
    for server in [&here, &there] {
        server.clock.advance(TimeDelta::seconds(6));
    }
    assert_eq!(
        race(&[&here]).await,
        BTreeMap::from([(200, 1), (401, COPIES - 1)])
    );
    assert_eq!(
        race(&[&here, &there]).await,
        BTreeMap::from([(200, 2), (401, COPIES - 2)])
    );
}

#[tokio::test]
async fn a_server_that_has_started_without_redis_accepts_what_was_signed_since() {
    let server = server(Some(NOWHERE)).await;
    // A server before it may have accepted this one, at a moment that the edge's clock was ahead of.
    server.clock.advance(TimeDelta::seconds(5));
    let early = signature(&server, "POST", "/repeat", &fresh_nonce());
    server.clock.advance(TimeDelta::seconds(1));
    let late = signature(&server, "POST", "/repeat", &fresh_nonce());
    let refused = copy(&server, &early, "x").send().await.unwrap();
    assert!(refused.headers().contains_key("retry-after"));
    assert_refused(refused, 503, "unavailable").await;
    let accepted = copy(&server, &late, "x").send().await.unwrap();
    assert_eq!(accepted.status(), StatusCode::OK);
}

#[tokio::test]
async fn another_body_under_a_signature_that_was_used_is_refused() {
    let server = server(None).await;
    let once = signature(&server, "POST", "/repeat", &fresh_nonce());
    let first = copy(&server, &once, "pay 1").send().await.unwrap();
    assert_eq!(first.text().await.unwrap(), "pay 1");
    let second = copy(&server, &once, "pay 1000").send().await.unwrap();
    assert_refused(second, 401, "invalid_edge_signature").await;
}

#[tokio::test]
async fn a_request_is_refused_again_for_as_long_as_its_signature_lives_and_after_that_for_its_age() {
    let server = server(None).await;
    let once = signature(&server, "POST", "/repeat", &fresh_nonce());
    assert_eq!(
        copy(&server, &once, "x").send().await.unwrap().status(),
        StatusCode::OK
    );
    for seconds in [0, 15, 14, 1, 60] {
        server.clock.advance(TimeDelta::seconds(seconds));
        let again = copy(&server, &once, "x").send().await.unwrap();
        assert_refused(again, 401, "invalid_edge_signature").await;
    }
}

#[tokio::test]
async fn a_nonce_is_not_used_up_by_somebody_who_cannot_sign() {
    let server = server(None).await;
    let nonce = fresh_nonce();
    let good = signature(&server, "POST", "/repeat", &nonce);
    let forged = SignatureHeaders {
        signature: signature(&server, "GET", "/repeat", &nonce).signature,
        ..good.clone()
    };
    for _ in 0..3 {
        let refused = copy(&server, &forged, "x").send().await.unwrap();
        assert_refused(refused, 401, "invalid_edge_signature").await;
    }
    assert_eq!(
        copy(&server, &good, "x").send().await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn what_the_edge_asks_by_itself_is_accepted_once_too() {
    let server = server(None).await;
    let request = SignedRequest {
        method: "GET",
        authority: HOST,
        path: "/edge/nothing",
        query: None,
        headers: &[],
    };
    let own = sign_own(&request, &key(), &fresh_nonce(), server.clock.now().timestamp());
    let ask = || {
        let request = server.get("/edge/nothing").header("host", HOST);
        let request = request.header("signature-input", &own.signature_input);
        request.header("signature", &own.signature).send()
    };
    assert_refused(ask().await.unwrap(), 404, "not_found").await;
    assert_refused(ask().await.unwrap(), 401, "invalid_edge_signature").await;
}

#[tokio::test]
async fn whether_the_server_lives_may_be_asked_twice() {
    let server = server(Some(NOWHERE)).await;
    let once = signature(&server, "GET", "/live", &fresh_nonce());
    for _ in 0..2 {
        let answer = with(server.get("/live"), &once).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}
