//! What a request looked like when it arrived.
//!
//! The body is hashed and counted while it streams in; only its beginning is kept, for the endpoints that read it.

use axum::body::Body;
use axum::http::header::HeaderMap;
use axum::http::request::Parts;
use axum::http::{HeaderName, Request};
use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

/// How much of a body the box-office endpoints look at; what they read is a few short fields.
const KEPT_BYTES: usize = 16 * 1024;

/// Whom a request is served for: what the edge attached to it.
pub(crate) struct Caller {
    /// `X-Auth-Subject`: the account, absent for an anonymous request.
    pub(crate) subject: Option<String>,
}

impl Caller {
    /// Reads the identity that the edge attached.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        const SUBJECT: HeaderName = HeaderName::from_static("x-auth-subject");
        let subject = headers
            .get(SUBJECT)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Self { subject }
    }
}

/// A request that has arrived to the last byte of its body.
pub(crate) struct Arrival {
    head: Parts,
    body_length: u64,
    body_sha256: String,
    beginning: Vec<u8>,
}

impl Arrival {
    /// Reads the whole request.
    pub(crate) async fn read(request: Request<Body>) -> Result<Self, axum::Error> {
        let (head, body) = request.into_parts();
        let mut stream = body.into_data_stream();
        let mut hash = Sha256::new();
        let mut body_length = 0_u64;
        let mut beginning = Vec::new();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk?;
            hash.update(&chunk);
            body_length = body_length.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            let room = KEPT_BYTES.saturating_sub(beginning.len());
            beginning.extend(chunk.iter().take(room));
        }
        Ok(Self {
            head,
            body_length,
            body_sha256: format!("{:x}", hash.finalize()),
            beginning,
        })
    }

    /// The body as JSON; `null` when it is none, or too large to be one that this application reads.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.beginning).unwrap_or(Value::Null)
    }

    /// The answer: the request as it was seen, whom it was served for, and `own` data beside it.
    pub(crate) fn describe(&self, caller: &Caller, own: Map<String, Value>) -> Map<String, Value> {
        let headers: Vec<_> = self
            .head
            .headers
            .iter()
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        let seen = [
            ("method", json!(self.head.method.as_str())),
            ("path", json!(self.head.uri.path())),
            ("query", json!(self.head.uri.query())),
            ("headers", Value::Array(headers)),
            ("bodyLength", json!(self.body_length)),
            ("bodySha256", json!(self.body_sha256)),
            ("servedFor", json!(caller.subject)),
        ];
        seen.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .chain(own)
            .collect()
    }
}
