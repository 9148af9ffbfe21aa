//! The edge's request signature: what it looks like, what it covers, and what is refused.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod coverage;
mod refusals;

use portcullis_shared::request_signature::{
    Purpose, RequestSignatureError, SignatureHeaders, SignedRequest, SigningKey, SigningKeyError, sign,
    sign_own, verify,
};

const NOW: i64 = 1_800_000_000;
const HEADERS: [(&str, &str); 5] = [
    ("accept", "*/*"),
    ("x-auth-client-ip", "2001:db8::1"),
    ("authorization", "Bearer abc"),
    ("x-auth-subject", " user-1\t"),
    ("x-request-id", "request-1"),
];

fn secret() -> Vec<u8> {
    (0..32).collect()
}

fn key() -> SigningKey {
    SigningKey::new("edge-1", &secret()).unwrap()
}

fn request() -> SignedRequest<'static> {
    SignedRequest {
        method: "POST",
        authority: "Origin.Example:3001",
        path: "/auth/login",
        query: Some("a=1&b=%20"),
        headers: &HEADERS,
    }
}

fn signed() -> SignatureHeaders {
    sign(&request(), &key(), "n-1_A", NOW)
}

fn refusal(request: &SignedRequest<'_>, input: &str, signature: &str, now: i64) -> RequestSignatureError {
    verify(request, input, signature, &[key()], now).unwrap_err()
}

/// The refusal of a request that was signed as [`request`] and arrives as `request`.
fn refusal_of(request: &SignedRequest<'_>) -> RequestSignatureError {
    refusal(request, &signed().signature_input, &signed().signature, NOW)
}

/// The refusal of a signature whose input was changed.
fn refusal_with(from: &str, to: &str) -> RequestSignatureError {
    let signed = signed();
    assert!(signed.signature_input.contains(from), "{from}");
    refusal(
        &request(),
        &signed.signature_input.replacen(from, to, 1),
        &signed.signature,
        NOW,
    )
}

#[test]
fn a_signature_is_what_another_implementation_computed() {
    let signed = signed();
    assert_eq!(
        signed.signature_input,
        r#"edge=("@method" "@authority" "@path" "@query" "x-auth-subject" "x-auth-client-ip" "authorization");created=1800000000;expires=1800000030;nonce="n-1_A";keyid="edge-1";alg="hmac-sha256";tag="portcullis-edge""#
    );
    assert_eq!(
        signed.signature,
        "edge=:tUizgzLT1x129LIK3Xo2qPWroN1lDG7QeYHxPdSY/JM=:"
    );
}

#[test]
fn a_good_signature_tells_its_parameters() {
    let signed = signed();
    let parameters = verify(
        &request(),
        &signed.signature_input,
        &signed.signature,
        &[key()],
        NOW + 29,
    )
    .unwrap();
    assert_eq!(parameters.purpose, Purpose::Forwarded);
    assert_eq!(parameters.keyid, "edge-1");
    assert_eq!(parameters.created, NOW);
    assert_eq!(parameters.expires, NOW + 30);
    assert_eq!(parameters.nonce, "n-1_A");
}

#[test]
fn another_signer_may_choose_its_own_order_and_leave_out_alg() {
    let input = r#"edge=("authorization" "@query" "x-auth-client-ip" "@path" "x-auth-subject" "@authority" "@method");tag="portcullis-edge";keyid="edge-1";nonce="x";expires=1800000010;created=1800000000"#;
    let signature = "edge=:kY0PEh/zvvPemVoHHkcZJi1IqDCvqncxz0GYu8zMo4I=:";
    verify(&request(), input, signature, &[key()], NOW).unwrap();
}

#[test]
fn either_of_two_keys_verifies_by_its_name() {
    let other = SigningKey::new("edge-2", &[9; 64]).unwrap();
    let signed = sign(&request(), &other, "n", NOW);
    let keys = [key(), other];
    let parameters = verify(&request(), &signed.signature_input, &signed.signature, &keys, NOW).unwrap();
    assert_eq!(parameters.keyid, "edge-2");
}

#[test]
fn what_the_edge_asks_by_itself_says_so_and_nothing_else_can_be_made_to() {
    let own = sign_own(&request(), &key(), "n", NOW);
    let parameters = verify(&request(), &own.signature_input, &own.signature, &[key()], NOW).unwrap();
    assert_eq!(parameters.purpose, Purpose::Own);

    let forwarded = sign(&request(), &key(), "n", NOW);
    for (from, mac) in [(&own, &forwarded), (&forwarded, &own)] {
        let refused = refusal(&request(), &from.signature_input, &mac.signature, NOW);
        assert_eq!(refused, RequestSignatureError::Mismatch);
    }
}

#[test]
fn a_nonce_cannot_end_its_own_quotes() {
    let signed = sign(&request(), &key(), "a\";tag=\"x\\\u{e9}\n", NOW);
    let parameters = verify(
        &request(),
        &signed.signature_input,
        &signed.signature,
        &[key()],
        NOW,
    )
    .unwrap();
    assert_eq!(parameters.nonce, "atagx");
}

#[test]
fn a_weak_or_nameless_key_is_refused() {
    assert_eq!(
        SigningKey::new("k", &[1; 31]).unwrap_err(),
        SigningKeyError::SecretLength
    );
    assert_eq!(
        SigningKey::new("k", &[1; 65]).unwrap_err(),
        SigningKeyError::SecretLength
    );
    for keyid in ["", "a b", "a\"", "é", &"k".repeat(65)] {
        assert_eq!(
            SigningKey::new(keyid, &[1; 32]).unwrap_err(),
            SigningKeyError::KeyId,
            "{keyid}"
        );
    }
}

#[test]
fn the_secret_does_not_show_in_debug_output() {
    let shown = format!(
        "{:?}",
        SigningKey::new("edge-1", b"a secret of thirty-two bytes here").unwrap()
    );
    assert!(
        shown.contains("edge-1") && !shown.contains("115") && !shown.contains("secret"),
        "{shown}"
    );
}
