//! What the origin believes about where a request came from.

use axum::http::HeaderMap;
use axum::routing::get;
use axum::{Json, Router};
use portcullis_origin::app::App;
use portcullis_origin::http::{self, RequestContext};
use portcullis_origin::kernel::clock::Clock;
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_shared::request_signature::{SignedRequest, SigningKey, sign};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::common::{Settings, TestServer, fresh_nonce};

const SECRET: &[u8; 32] = b"0mzH4Xr9dQ2vLw7TnBc5Ke8YpUa1Gs6J";
const SECRET_BASE64: &str = "MG16SDRYcjlkUTJ2THc3VG5CYzVLZThZcFVhMUdzNko=";

/// Answers with what a handler gets to see.
async fn reveal(context: RequestContext, headers: HeaderMap) -> Json<Value> {
    let seen: Vec<&str> = headers
        .keys()
        .map(axum::http::HeaderName::as_str)
        .filter(|name| name.starts_with("x-auth"))
        .collect();
    Json(json!({"ip": context.client_ip, "viaEdge": context.via_edge, "identity": seen}))
}

async fn server(change: impl FnOnce(&mut Settings)) -> TestServer {
    let inner = TestServer::start_on("postgres://unused@127.0.0.1:1/unused", |settings| {
        settings.insert(
            "PORTCULLIS__EDGE__SIGNING_KEYS".into(),
            json!({"one": SECRET_BASE64}).to_string(),
        );
        change(settings);
    })
    .await;
    let routes = Router::<App>::new().route("/reveal", get(reveal));
    let application = http::application(routes, inner.app.clone());
    TestServer::serve(inner.app.clone(), inner.clock.clone(), application).await
}

async fn revealed(response: Response) -> Value {
    assert_eq!(response.status(), StatusCode::OK);
    response.json().await.unwrap()
}

async fn assert_refused(response: Response) {
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        response.json::<Value>().await.unwrap()["code"],
        "invalid_edge_signature"
    );
}

/// A request that the edge signed with this key, at this moment of the server's clock.
fn signed(server: &TestServer, key: (&str, &[u8]), age: TimeDelta, path: &str) -> reqwest::RequestBuilder {
    let key = SigningKey::new(key.0, key.1).unwrap();
    let headers = [
        ("x-auth-subject", "someone"),
        ("x-auth-client-ip", "203.0.113.7"),
        ("authorization", "Bearer x"),
    ];
    let (path_only, query) = path
        .split_once('?')
        .map_or((path, None), |(path, query)| (path, Some(query)));
    let request = SignedRequest {
        method: "GET",
        authority: &server.address().to_string(),
        path: path_only,
        query,
        headers: &headers,
    };
    let created = (server.clock.now() - age).timestamp();
    let signature = sign(&request, &key, &fresh_nonce(), created);
    let mut builder = server.get(path);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder
        .header("signature-input", signature.signature_input)
        .header("signature", signature.signature)
}

#[tokio::test]
async fn a_signed_request_is_believed() {
    let server = server(|_| {}).await;
    for path in ["/reveal", "/reveal?", "/reveal?a=b&c"] {
        let response = signed(&server, ("one", SECRET), TimeDelta::zero(), path)
            .send()
            .await
            .unwrap();
        let seen = revealed(response).await;
        assert_eq!(
            seen,
            json!({"ip": "203.0.113.7", "viaEdge": true, "identity": ["x-auth-subject", "x-auth-client-ip"]}),
            "{path}"
        );
    }
}

#[tokio::test]
async fn an_unsigned_identity_never_reaches_a_handler() {
    let server = server(|_| {}).await;
    let mut request = server.get("/reveal");
    for name in [
        "subject",
        "tenant",
        "session",
        "role",
        "permissions",
        "venue-roles",
        "acr",
        "client-ip",
    ] {
        request = request.header(format!("x-auth-{name}"), "203.0.113.7");
    }
    let seen = revealed(request.send().await.unwrap()).await;
    assert_eq!(seen, json!({"ip": "127.0.0.1", "viaEdge": false, "identity": []}));
}

#[tokio::test]
async fn a_signature_that_does_not_hold_is_refused_and_not_ignored() {
    let server = server(|_| {}).await;
    let other_secret = b"another secret of thirty-two byte";
    for request in [
        signed(&server, ("one", other_secret), TimeDelta::zero(), "/reveal"),
        signed(&server, ("two", SECRET), TimeDelta::zero(), "/reveal"),
        signed(&server, ("one", SECRET), TimeDelta::seconds(31), "/reveal"),
        signed(&server, ("one", SECRET), TimeDelta::seconds(-6), "/reveal"),
        signed(&server, ("one", SECRET), TimeDelta::zero(), "/reveal").header("x-auth-role", "admin"),
        signed(&server, ("one", SECRET), TimeDelta::zero(), "/reveal")
            .header("x-auth-client-ip", "203.0.113.8"),
        signed(&server, ("one", SECRET), TimeDelta::zero(), "/reveal").query(&[("a", "b")]),
        server.get("/reveal").header("signature-input", "edge=()"),
        server.get("/reveal").header("signature", "edge=::"),
        server
            .get("/reveal")
            .header("signature-input", "")
            .header("signature", ""),
    ] {
        assert_refused(request.send().await.unwrap()).await;
    }
}

#[tokio::test]
async fn a_server_without_edge_keys_refuses_every_signature() {
    let server = server(|settings| {
        settings.remove("PORTCULLIS__EDGE__SIGNING_KEYS");
    })
    .await;
    assert_refused(
        signed(&server, ("one", SECRET), TimeDelta::zero(), "/reveal")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!(
        revealed(server.get("/reveal").send().await.unwrap()).await["viaEdge"],
        false
    );
}

#[tokio::test]
async fn a_stranger_cannot_name_another_address() {
    let server = server(|_| {}).await;
    let response = server
        .get("/reveal")
        .header("x-forwarded-for", "203.0.113.9")
        .send()
        .await
        .unwrap();
    assert_eq!(revealed(response).await["ip"], "127.0.0.1");
}

#[tokio::test]
async fn trusted_proxies_are_walked_from_right_to_left() {
    let server = server(|settings| {
        settings.insert(
            "PORTCULLIS__HTTP__TRUSTED_PROXIES".into(),
            "127.0.0.0/8,10.0.0.0/8".into(),
        );
    })
    .await;
    for (forwarded, client) in [
        (&["203.0.113.9"][..], "203.0.113.9"),
        (&["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        (&["198.51.100.1, 203.0.113.9, 10.1.2.3"], "203.0.113.9"),
        (&["198.51.100.1", "203.0.113.9", "10.1.2.3"], "203.0.113.9"),
        (&["10.9.9.9, 10.1.2.3"], "10.9.9.9"),
        (&["203.0.113.9, nonsense, 10.1.2.3"], "10.1.2.3"),
        (&["nonsense"], "127.0.0.1"),
        (&[""], "127.0.0.1"),
        (&["2001:db8::1"], "2001:db8::1"),
        (&["::ffff:203.0.113.9"], "203.0.113.9"),
        (&[], "127.0.0.1"),
    ] {
        let mut request = server.get("/reveal");
        for line in forwarded {
            request = request.header("x-forwarded-for", *line);
        }
        assert_eq!(
            revealed(request.send().await.unwrap()).await["ip"],
            client,
            "{forwarded:?}"
        );
    }
}
