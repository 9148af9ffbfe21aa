//! Signatures of requests and of the revocation feed. The lines of an input: method, authority, path, query,
//! `Signature-Input`, `Signature`, `ETag`, `Content-Digest`, then headers, `name: value`.

use std::sync::LazyLock;

use portcullis_shared::request_signature::{SignedRequest, SigningKey, sign, verify};
use portcullis_shared::revocation::signature::{self as feed, Content, SignedAnswer};

use crate::NOW;

/// A key that the inputs do not know, so that nothing they hold can be a good signature.
static KEY: LazyLock<SigningKey> =
    LazyLock::new(|| SigningKey::new("key", b"a secret that no input may spell!").expect("33 bytes"));

/// Nothing verifies but what was signed, for as long as it was signed for.
pub fn check(data: &[u8]) {
    let Some(mut next) = crate::lines(data) else {
        return;
    };
    let [method, authority, path, query] = [next(), next(), next(), next()];
    let [input, signature, etag, digest] = [next(), next(), next(), next()];
    let headers: Vec<(&str, &str)> = std::iter::from_fn(|| next().split_once(": ")).collect();
    let request = SignedRequest {
        method,
        authority,
        path,
        query: Some(query).filter(|query| !query.is_empty()),
        headers: &headers,
    };
    let keys = std::slice::from_ref(&*KEY);
    assert!(verify(&request, input, signature, keys, NOW).is_err());
    check_feed(data, etag, digest, (input, signature));
    check_own(&request);
}

fn check_feed(body: &[u8], etag: &str, digest: &str, (signature_input, signature): (&str, &str)) {
    for content in [Content::Feed(body), Content::Unchanged] {
        let answer = SignedAnswer {
            content,
            etag,
            content_digest: Some(digest).filter(|digest| !digest.is_empty()),
            signature_input,
            signature,
        };
        assert!(feed::verify(&answer, &KEY, NOW).is_err());
        let own = feed::sign(content, etag, &KEY, NOW);
        let signed = SignedAnswer {
            content_digest: own.content_digest.as_deref(),
            signature_input: &own.signature_input,
            signature: &own.signature,
            ..answer
        };
        assert_eq!(feed::verify(&signed, &KEY, NOW), Ok(NOW));
        let other = format!("{etag}.");
        let altered = SignedAnswer {
            etag: &other,
            ..signed
        };
        assert!(feed::verify(&altered, &KEY, NOW).is_err());
    }
}

/// What is signed here verifies here, and no longer once anything that counts was changed.
fn check_own(request: &SignedRequest<'_>) {
    let keys = std::slice::from_ref(&*KEY);
    let own = sign(request, &KEY, "0123456789abcdef0123456789abcdef", NOW);
    let verdict = |request: &SignedRequest<'_>, now| {
        verify(request, &own.signature_input, &own.signature, keys, now).is_ok()
    };
    if !verdict(request, NOW) {
        assert!(!can_be_sent(request), "{own:?} is refused");
        return;
    }
    assert!(!verdict(request, NOW + 3600) && !verdict(request, NOW - 3600));
    let path = format!("{}x", request.path);
    let authority = format!("{}x", request.authority);
    let changed = [
        SignedRequest {
            method: "BREW",
            ..*request
        },
        SignedRequest {
            path: &path,
            ..*request
        },
        SignedRequest {
            authority: &authority,
            ..*request
        },
        SignedRequest {
            query: Some("x=changed"),
            ..*request
        },
    ];
    for other in changed {
        let is_same = other.method == request.method
            && other.query == request.query
            && other.path == request.path
            && other.authority == request.authority;
        assert!(
            is_same || !verdict(&other, NOW),
            "{other:?} passes for {request:?}"
        );
    }
    let added = [request.headers, &[("x-auth-role", "admin")]].concat();
    let other = SignedRequest {
        headers: &added,
        ..*request
    };
    assert!(!verdict(&other, NOW), "an identity was added to {request:?}");
}

/// Whether HTTP can carry it, with no header twice.
fn can_be_sent(request: &SignedRequest<'_>) -> bool {
    let is_text = |text: &str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let mut names: Vec<&str> = request.headers.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let is_once = names.windows(2).all(|pair| pair.first() != pair.last());
    let parts = [request.method, request.authority, request.path];
    is_once
        && parts.into_iter().chain(request.query).all(is_text)
        && request.headers.iter().all(|(_, value)| is_text(value))
}
