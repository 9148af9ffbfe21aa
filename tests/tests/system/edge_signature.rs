//! What the origin believes because the edge signed it, and what it does not believe because nobody did.

use std::path::Path;

use base64ct::{Base64, Encoding as _};
use portcullis_shared::request_signature::{SignatureHeaders, SignedRequest, SigningKey, sign};
use portcullis_tests::account::{Account, fresh_email, fresh_password, registration};
use portcullis_tests::answer::Answer;
use portcullis_tests::client::Client;
use portcullis_tests::own_stack::{Wanted, settings};
use portcullis_tests::world::{Door, state};
use portcullis_tests::{fresh_id, now};
use serde_json::Value;

/// The key under which the edge of the shared system signs: id and secret.
pub(crate) fn edge_key() -> (String, Vec<u8>) {
    edge_key_of(&state())
}

/// The key of the system whose state is in `state_dir`.
pub(crate) fn edge_key_of(state_dir: &Path) -> (String, Vec<u8>) {
    let settings = settings(state_dir);
    let keys = settings
        .get("PORTCULLIS__EDGE__SIGNING_KEYS")
        .expect("the origin is told the edge's keys");
    let keys: Value = serde_json::from_str(keys).expect("a JSON object of keys");
    let (id, secret) = keys.as_object().unwrap().iter().next().expect("a key");
    (
        id.clone(),
        Base64::decode_vec(secret.as_str().unwrap()).expect("a base64 secret"),
    )
}

/// Signs a request to the origin as the edge would.
fn signed(method: &str, path: &str, ip: &str, created: i64) -> SignatureHeaders {
    let door = Door::origin();
    let (id, secret) = edge_key();
    let request = SignedRequest {
        method,
        authority: door.authority(),
        path,
        query: None,
        headers: &[("x-auth-client-ip", ip)],
    };
    sign(
        &request,
        &SigningKey::new(id, &secret).unwrap(),
        &fresh_id().simple().to_string(),
        created,
    )
}

async fn register_from(client: &Client, ip: &str, signature: Option<&SignatureHeaders>) -> Answer {
    let body = registration(&fresh_email(), &fresh_password());
    let mut call = client
        .post("/auth/register")
        .json(&body)
        .header("x-auth-client-ip", ip);
    if let Some(signature) = signature {
        call = call
            .header("signature-input", &signature.signature_input)
            .header("signature", &signature.signature);
    }
    call.send().await
}

#[tokio::test]
async fn a_client_address_under_the_edges_signature_is_believed() {
    // One peer may register three times in five minutes, so five can only be five addresses.
    let client = Door::origin().client();
    for _ in 0..5 {
        let ip = Door::edge().client().address().to_string();
        let signature = signed("POST", "/auth/register", &ip, now());
        register_from(&client, &ip, Some(&signature)).await.expect(201);
    }
}

#[tokio::test]
async fn a_client_address_that_nobody_signed_is_ignored() {
    // An origin as it is by default, which trusts no proxy.
    let stack = Wanted::origin().start("unsigned").await;
    let client = stack.origin().client();
    let mut last = None;
    for _ in 0..4 {
        let ip = Door::edge().client().address().to_string();
        let body = registration(&fresh_email(), &fresh_password());
        let call = client.post("/auth/register").json(&body);
        let call = call
            .header("x-auth-client-ip", &ip)
            .header("x-forwarded-for", &ip)
            .header("forwarded", &format!("for=\"[{ip}]\""));
        let call = call.header("cf-connecting-ip", &ip).header("x-real-ip", &ip);
        last = Some(call.send().await);
    }
    last.unwrap().problem(429, "rate_limited");
}

#[tokio::test]
async fn a_signature_that_does_not_hold_is_refused() {
    let client = Door::origin().client();
    let ip = "2001:db8::1";
    let good = signed("POST", "/auth/register", ip, now());
    let (id, _) = edge_key();
    let other_key = {
        let door = Door::origin();
        let request = SignedRequest {
            method: "POST",
            authority: door.authority(),
            path: "/auth/register",
            query: None,
            headers: &[("x-auth-client-ip", ip)],
        };
        sign(
            &request,
            &SigningKey::new(id, &[7; 32]).unwrap(),
            &fresh_id().simple().to_string(),
            now(),
        )
    };
    let with_input = |signature_input: String| SignatureHeaders {
        signature_input,
        signature: good.signature.clone(),
    };
    let cases = [
        ("another key", other_key),
        ("another path", signed("POST", "/auth/login", ip, now())),
        ("another verb", signed("GET", "/auth/register", ip, now())),
        (
            "another address",
            signed("POST", "/auth/register", "2001:db8::2", now()),
        ),
        ("expired", signed("POST", "/auth/register", ip, now() - 120)),
        (
            "from the future",
            signed("POST", "/auth/register", ip, now() + 120),
        ),
        (
            "longer lived than it was signed for",
            with_input(good.signature_input.replace("expires=", "expires=9")),
        ),
        (
            "another tag",
            with_input(good.signature_input.replace("portcullis-edge", "portcullis-edgy")),
        ),
        (
            "fewer components",
            with_input(good.signature_input.replace(" \"x-auth-client-ip\"", "")),
        ),
        ("no parameters", with_input("edge=(\"@method\")".to_owned())),
        (
            "garbage",
            SignatureHeaders {
                signature_input: "%%%".to_owned(),
                signature: ":::".to_owned(),
            },
        ),
        (
            "forged",
            SignatureHeaders {
                signature: "edge=:AAAA:".to_owned(),
                signature_input: good.signature_input.clone(),
            },
        ),
    ];
    for (what, signature) in cases {
        let answer = register_from(&client, ip, Some(&signature)).await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        answer.problem(401, "invalid_edge_signature");
    }
    let half = client
        .post("/auth/register")
        .header("signature-input", &good.signature_input);
    half.json(&registration(&fresh_email(), &fresh_password()))
        .send()
        .await
        .problem(401, "invalid_edge_signature");
    register_from(&client, ip, Some(&good)).await.expect(201);
}

#[tokio::test]
async fn identity_headers_are_no_identity_at_the_origin() {
    let account = Account::register(&Door::origin()).await;
    let call = || {
        let call = account
            .client
            .get("/auth/me")
            .header("x-auth-subject", account.id());
        let session = account.result["session"]["id"].as_str().unwrap();
        call.header("x-auth-session", session)
            .header("x-auth-role", "admin")
    };
    call().send().await.problem(401, "invalid_token");
    let me = call().bearer(account.access_token()).send().await.expect(200);
    assert_eq!(me.json()["user"]["role"], "customer");
}

#[tokio::test]
async fn a_signed_identity_does_not_replace_the_token() {
    let account = Account::register(&Door::origin()).await;
    let door = Door::origin();
    let (id, secret) = edge_key();
    let request = SignedRequest {
        method: "GET",
        authority: door.authority(),
        path: "/auth/me",
        query: None,
        headers: &[
            ("x-auth-subject", account.id()),
            ("x-auth-client-ip", "2001:db8::1"),
        ],
    };
    let signature = sign(
        &request,
        &SigningKey::new(id, &secret).unwrap(),
        &fresh_id().simple().to_string(),
        now(),
    );
    let call = account
        .client
        .get("/auth/me")
        .header("x-auth-subject", account.id());
    let call = call.header("x-auth-client-ip", "2001:db8::1");
    let call = call
        .header("signature-input", &signature.signature_input)
        .header("signature", &signature.signature);
    call.send().await.problem(401, "invalid_token");
}
