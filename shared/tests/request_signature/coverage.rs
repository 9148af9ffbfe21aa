//! What a signature covers cannot change on the way.

use portcullis_shared::request_signature::{RequestSignatureError, SIGNED_HEADERS, SignedRequest, verify};

use super::{HEADERS, NOW, key, refusal_of, refusal_with, request, signed};

#[test]
fn a_change_to_anything_covered_is_noticed() {
    let changed = |header: &str, value: &'static str| -> Vec<(&'static str, &'static str)> {
        HEADERS
            .iter()
            .map(|(name, old)| (*name, if *name == header { value } else { *old }))
            .collect()
    };
    let (subject, ip, token) = (
        changed("x-auth-subject", "user-2"),
        changed("x-auth-client-ip", "2001:db8::2"),
        changed("authorization", "Bearer abd"),
    );
    for request in [
        SignedRequest {
            method: "GET",
            ..request()
        },
        SignedRequest {
            method: "post",
            ..request()
        },
        SignedRequest {
            authority: "origin.example",
            ..request()
        },
        SignedRequest {
            path: "/auth/logout",
            ..request()
        },
        SignedRequest {
            path: "/auth/Login",
            ..request()
        },
        SignedRequest {
            query: Some("a=1&b=+"),
            ..request()
        },
        SignedRequest {
            query: None,
            ..request()
        },
        SignedRequest {
            headers: &subject,
            ..request()
        },
        SignedRequest {
            headers: &ip,
            ..request()
        },
        SignedRequest {
            headers: &token,
            ..request()
        },
    ] {
        assert_eq!(
            refusal_of(&request),
            RequestSignatureError::Mismatch,
            "{request:?}"
        );
    }
}

#[test]
fn what_is_not_covered_may_change() {
    let headers: Vec<_> = HEADERS
        .into_iter()
        .filter(|(name, _)| *name != "accept")
        .collect();
    let signed = signed();
    let request = SignedRequest {
        headers: &headers,
        authority: "origin.example:3001",
        ..request()
    };
    verify(
        &request,
        &signed.signature_input,
        &signed.signature,
        &[key()],
        NOW,
    )
    .unwrap();
}

#[test]
fn an_identity_header_that_was_added_on_the_way_is_refused() {
    for name in SIGNED_HEADERS {
        if HEADERS.iter().any(|(own, _)| *own == name) {
            continue;
        }
        let mut headers = HEADERS.to_vec();
        headers.push((name, "admin"));
        let refusal = refusal_of(&SignedRequest {
            headers: &headers,
            ..request()
        });
        assert_eq!(refusal, RequestSignatureError::MissingComponent(name));
    }
}

#[test]
fn an_identity_header_that_was_removed_on_the_way_is_refused() {
    let headers: Vec<_> = HEADERS
        .into_iter()
        .filter(|(name, _)| *name != "x-auth-subject")
        .collect();
    let refusal = refusal_of(&SignedRequest {
        headers: &headers,
        ..request()
    });
    assert_eq!(refusal, RequestSignatureError::UnknownComponent);
}

#[test]
fn a_signed_header_that_occurs_twice_is_refused() {
    let mut headers = HEADERS.to_vec();
    headers.push(("x-auth-client-ip", "2001:db8::1"));
    let refusal = refusal_of(&SignedRequest {
        headers: &headers,
        ..request()
    });
    assert_eq!(
        refusal,
        RequestSignatureError::AmbiguousHeader("x-auth-client-ip")
    );
}

#[test]
fn a_component_that_is_missing_unknown_or_repeated_is_refused() {
    for component in [
        "@method",
        "@authority",
        "@path",
        "@query",
        "x-auth-subject",
        "authorization",
    ] {
        let refusal = refusal_with(&format!("\"{component}\""), "");
        assert_eq!(refusal, RequestSignatureError::MissingComponent(component));
    }
    for (from, to) in [
        ("\"@path\"", "\"@path\" \"accept\""),
        ("\"@path\"", "\"@path\" \"x-auth-acr\""),
        ("\"@path\"", "\"@path\";req"),
        ("\"@path\"", "\"@path\" \"@target-uri\""),
        ("\"@path\"", "path"),
    ] {
        assert_eq!(
            refusal_with(from, to),
            RequestSignatureError::UnknownComponent,
            "{to}"
        );
    }
    assert_eq!(
        refusal_with("\"@path\"", "\"@path\" \"@path\""),
        RequestSignatureError::RepeatedComponent
    );
}
