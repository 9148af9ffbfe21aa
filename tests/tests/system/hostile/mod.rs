//! Everything behind the edge misbehaves: upstreams, the origin, its key set, its refreshes; and the Worker itself panics.
//!
//! Each test has a Worker of its own in workerd, and a server that breaks HTTP as it is told to.

mod clients;
mod keys;
mod panic;
mod refresh;
mod upstream;

use portcullis_shared::revocation::signature::{Content, sign};
use portcullis_tests::answer::Answer;
use portcullis_tests::bare_edge::{AUDIENCE, ISSUER, signing_key};
use portcullis_tests::client::Call;
use portcullis_tests::hostile::{Act, Hostile, whole};
use portcullis_tests::{fresh_id, now};
use serde_json::{Value, json};

pub(super) const KEY_SET: &str = "/.well-known/jwks.json";
pub(super) const FEED: &str = "/edge/revocations";

/// How an exchange ended, as the client sees it.
#[derive(Debug)]
enum Outcome {
    /// With a whole answer.
    Whole(Answer),
    /// With an answer of this status whose body broke off.
    Cut(u16),
    /// With no answer at all.
    Nothing,
}

async fn outcome_of(call: Call) -> Outcome {
    let Some(response) = call.stream().await else {
        return Outcome::Nothing;
    };
    let (status, headers) = (response.status(), response.headers().clone());
    match response.bytes().await {
        Ok(body) => Outcome::Whole(Answer {
            status,
            headers,
            body,
        }),
        Err(_) => Outcome::Cut(status.as_u16()),
    }
}

/// An origin whose feed is as it should be; for the rest, the test decides.
pub(super) async fn origin() -> Hostile {
    let origin = Hostile::start().await;
    origin.answer_with(FEED, || {
        let now = now();
        let body = json!({
            "as_of": now, "epoch": 1, "seq": 0, "lifetime": 960, "key_set_version": 0, "sessions": [], "subjects": {},
        })
        .to_string();
        let etag = "\"1.0.0\"";
        let signed = sign(Content::Feed(body.as_bytes()), etag, &signing_key(), now);
        let headers = format!(
            "ETag: {etag}\r\nContent-Digest: {}\r\nSignature-Input: {}\r\nSignature: {}\r\n",
            signed.content_digest.unwrap(),
            signed.signature_input,
            signed.signature
        );
        vec![whole("200 OK", &headers, &body)]
    });
    origin
}

/// Claims that the Worker takes.
pub(super) fn claims() -> Value {
    let now = now();
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": fresh_id(), "sid": fresh_id(), "tenant_id": fresh_id(), "jti": fresh_id(),
        "iat": now, "exp": now + 600,
    })
}

/// Holds that a text for a client tells nothing of what stands behind the edge.
fn assert_tells_nothing(answer: &Answer) {
    let text = format!("{:?} {}", answer.headers, String::from_utf8_lossy(&answer.body)).to_lowercase();
    for internal in [
        "127.0.0.1",
        "wasm",
        "rust",
        "workerd",
        "stack",
        "internal error; reference",
    ] {
        assert!(!text.contains(internal), "it tells {internal}: {answer:?}");
    }
}

/// An answer that is no problem but a plain text.
pub(super) fn plain(body: &str) -> Vec<Act> {
    vec![whole("200 OK", "", body)]
}
