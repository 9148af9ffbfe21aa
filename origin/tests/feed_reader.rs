//! The edge as far as the revocation feed knows it.

use std::collections::BTreeMap;

use portcullis_origin::kernel::clock::Clock as _;
use portcullis_shared::request_signature::{SignatureHeaders, SignedRequest, SigningKey, sign, sign_own};
use portcullis_shared::revocation::signature::{Content, SignedAnswer, verify};
use portcullis_shared::revocation::{Cursor, FEED_PATH, Feed};
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::common::{Settings, TestServer, fresh_nonce};
use crate::fixtures::without_limits;

const SECRETS: [(&str, &[u8; 32], &str); 2] = [
    (
        "one",
        b"0mzH4Xr9dQ2vLw7TnBc5Ke8YpUa1Gs6J",
        "MG16SDRYcjlkUTJ2THc3VG5CYzVLZThZcFVhMUdzNko=",
    ),
    (
        "two",
        b"1mzH4Xr9dQ2vLw7TnBc5Ke8YpUa1Gs6J",
        "MW16SDRYcjlkUTJ2THc3VG5CYzVLZThZcFVhMUdzNko=",
    ),
];

/// A server that knows both keys of the edge, without limits.
pub(crate) async fn server() -> TestServer {
    TestServer::start_with(with_edge_keys).await
}

/// Settings that name both keys, and put the limits out of the way.
pub(crate) fn with_edge_keys(settings: &mut Settings) {
    without_limits(settings);
    let keys: BTreeMap<_, _> = SECRETS.iter().map(|(id, _, text)| (*id, *text)).collect();
    settings.insert("PORTCULLIS__EDGE__SIGNING_KEYS".into(), json!(keys).to_string());
}

pub(crate) fn key(id: &str) -> SigningKey {
    let (_, secret, _) = SECRETS.iter().find(|(own, _, _)| *own == id).unwrap();
    SigningKey::new(id, *secret).unwrap()
}

/// A request of the edge itself for the feed, signed over `headers` too.
pub(crate) fn request(
    server: &TestServer,
    key: &SigningKey,
    query: Option<&str>,
    headers: &[(&str, &str)],
) -> RequestBuilder {
    signed_by(sign_own, server, key, query, headers)
}

/// Somebody's request for the feed that the edge passes on.
pub(crate) fn forwarded(server: &TestServer, key: &SigningKey, headers: &[(&str, &str)]) -> RequestBuilder {
    signed_by(sign, server, key, None, headers)
}

fn signed_by(
    sign: fn(&SignedRequest<'_>, &SigningKey, &str, i64) -> SignatureHeaders,
    server: &TestServer,
    key: &SigningKey,
    query: Option<&str>,
    headers: &[(&str, &str)],
) -> RequestBuilder {
    let request = SignedRequest {
        method: "GET",
        authority: &server.address().to_string(),
        path: FEED_PATH,
        query,
        headers,
    };
    let signature = sign(&request, key, &fresh_nonce(), server.clock.now().timestamp());
    let path = query.map_or_else(|| FEED_PATH.to_owned(), |query| format!("{FEED_PATH}?{query}"));
    let mut builder = server.get(&path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder
        .header("signature-input", signature.signature_input)
        .header("signature", signature.signature)
}

/// What the edge is told that knows `known`, or nothing. Checks the signature.
pub(crate) async fn read(server: &TestServer, known: Option<Cursor>) -> Feed {
    let query = known.map(|cursor| format!("cursor={cursor}"));
    let answer = request(server, &key("one"), query.as_deref(), &[])
        .send()
        .await
        .unwrap();
    believed(server, answer, "one").await
}

/// The feed in an answer that must be good, signed under this key, for the present moment.
pub(crate) async fn believed(server: &TestServer, answer: Response, key_id: &str) -> Feed {
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.bytes().await.unwrap();
    assert_eq!(status, StatusCode::OK, "{body:?}");
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    let signed = SignedAnswer {
        content: Content::Feed(&body),
        etag: header("etag").unwrap(),
        content_digest: header("content-digest"),
        signature_input: header("signature-input").unwrap(),
        signature: header("signature").unwrap(),
    };
    let now = server.clock.now().timestamp();
    assert_eq!(verify(&signed, &key(key_id), now), Ok(now));
    let feed = Feed::parse(&body).unwrap();
    assert_eq!((feed.as_of, feed.etag().as_str()), (now, signed.etag));
    feed
}

/// An identifier as the feed has it.
pub(crate) fn uuid(text: &str) -> Uuid {
    text.parse().unwrap()
}
