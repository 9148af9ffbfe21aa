//! Keys that live in a device: registered, signing in, stepping up, gone.

mod registering;
mod signing;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64ct::{Base64, Encoding as _};
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{
    Person, assert_refused, audit_trail, body_of, count, execute, login, me, register, server, text,
};
use crate::mail::server_with_folder;
use crate::recovery::{mails, only};
use crate::second_factor::{self, Ada};

const ADA: &str = "ada@example.com";
const PHONE: &str = "Ada's telephone";

/// `SubjectPublicKeyInfo` up to the key (RFC 5480, RFC 8410).
const P256_SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
const ED25519_SPKI: &str = "302a300506032b6570032100";

/// A key that a device keeps.
enum Key {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Key {
    fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    fn der(&self) -> Vec<u8> {
        let (prefix, key) = match self {
            Self::P256(pair) => (P256_SPKI, pair.public_key().as_ref()),
            Self::Ed25519(pair) => (ED25519_SPKI, pair.public_key().as_ref()),
        };
        [&hex::decode(prefix).unwrap()[..], key].concat()
    }

    fn sign(&self, message: &str) -> String {
        let signature = match self {
            Self::P256(pair) => pair
                .sign(&SystemRandom::new(), message.as_bytes())
                .unwrap()
                .as_ref()
                .to_vec(),
            Self::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        Base64::encode_string(&signature)
    }
}

fn pem(der: &[u8]) -> String {
    format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        wrapped(&Base64::encode_string(der))
    )
}

fn wrapped(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let lines: Vec<String> = characters.chunks(64).map(String::from_iter).collect();
    lines.join("\n")
}

async fn registering(server: &TestServer, access: &str, key: &str) -> Response {
    let body = json!({"deviceId": PHONE, "publicKey": key, "type": "faceId"});
    let request = server
        .post("/auth/biometric/register")
        .bearer_auth(access)
        .json(&body);
    request.send().await.unwrap()
}

/// Registers a key, and gives the name by which it signs in.
async fn registered(server: &TestServer, access: &str, key: &Key) -> String {
    let answer = registering(server, access, &Base64::encode_string(&key.der())).await;
    text(&body_of(answer, StatusCode::CREATED).await, "/credentialId")
}

/// A challenge to sign in by a key.
async fn challenge(server: &TestServer, credential: &str) -> String {
    let request = server
        .post("/auth/biometric/challenge")
        .json(&json!({"credentialId": credential}));
    let body = body_of(request.send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(body["expiresIn"], 300);
    text(&body, "/challenge")
}

fn signed(credential: &str, key: &Key, challenge: &str) -> Value {
    let signature = key.sign(&format!("portcullis-biometric-v1\n{challenge}"));
    json!({"credentialId": credential, "deviceId": PHONE, "challenge": challenge, "signature": signature})
}

async fn sign_in(server: &TestServer, body: &Value) -> Response {
    server
        .post("/auth/biometric/login")
        .json(body)
        .send()
        .await
        .unwrap()
}

async fn assert_not_signed(server: &TestServer, body: &Value) {
    assert_refused(sign_in(server, body).await, 401, "invalid_signature").await;
}

async fn list(server: &TestServer, access: &str) -> Vec<Value> {
    let request = server.get("/auth/biometric/devices").bearer_auth(access);
    let body = body_of(request.send().await.unwrap(), StatusCode::OK).await;
    body["devices"].as_array().unwrap().clone()
}

async fn remove(server: &TestServer, access: &str, credential: &str) -> Response {
    server
        .request(Method::DELETE, &format!("/auth/biometric/devices/{credential}"))
        .bearer_auth(access)
        .send()
        .await
        .unwrap()
}
