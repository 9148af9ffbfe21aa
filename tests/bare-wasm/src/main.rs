//! Everything in `portcullis-shared` that needs no host, kept alive by opaque inputs.
//!
//! Invariant: nothing but that crate is called here, so that every import of the compiled module is one of its own.

use std::hint::black_box;

use portcullis_shared::jwk::JwkSet;
use portcullis_shared::problem::{Problem, ProblemCode};
use portcullis_shared::request_signature::{SignedRequest, SigningKey, sign, verify};
use portcullis_shared::token::UnverifiedToken;

const NOW: i64 = 1_800_000_000;

fn main() {
    let keys = JwkSet::parse(black_box(b"{\"keys\":[]}")).unwrap_or_default();
    black_box(keys.to_json());
    if let Ok(token) = UnverifiedToken::parse(black_box("a.b.c")) {
        verdict(&keys, token);
    }
    let request = SignedRequest {
        method: black_box("GET"),
        authority: black_box("origin.example"),
        path: black_box("/"),
        query: None,
        headers: black_box(&[]),
    };
    if let Ok(key) = SigningKey::new("k", black_box(&[7; 32])) {
        let signed = sign(&request, &key, black_box("nonce"), black_box(NOW));
        let keys = [key];
        let _ = black_box(verify(
            &request,
            &signed.signature_input,
            &signed.signature,
            &keys,
            black_box(NOW),
        ));
    }
    black_box(Problem::new(black_box(ProblemCode::InvalidToken), "request").to_json());
}

#[cfg(feature = "reference")]
fn verdict(keys: &JwkSet, token: UnverifiedToken<'_>) {
    use portcullis_shared::claims::Expectations;
    use portcullis_shared::identity;
    use portcullis_shared::signature::ReferenceKey;

    let Some(key) = keys.key(token.kid()).and_then(|key| ReferenceKey::new(key).ok()) else {
        return;
    };
    let expected = Expectations::new(black_box("issuer"), black_box("audience"));
    if let Ok(claims) = key
        .verify(token)
        .and_then(|token| token.check(&expected, black_box(NOW)))
    {
        black_box(identity::headers(&claims));
    }
}

#[cfg(not(feature = "reference"))]
fn verdict(keys: &JwkSet, token: UnverifiedToken<'_>) {
    black_box(keys.key(token.kid()));
    black_box(token);
}
