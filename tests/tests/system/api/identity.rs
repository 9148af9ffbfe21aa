//! The identity that the edge attaches, and the headers that only it may set.

use portcullis_shared::request_signature::{SignedRequest, SigningKey, verify};
use portcullis_tests::account::Account;
use portcullis_tests::now;
use portcullis_tests::world::Door;
use serde_json::{Value, json};

use super::{VENUE, seen_header, seen_headers, token_with};
use crate::edge_signature::edge_key;

#[tokio::test]
async fn the_upstream_learns_who_is_calling() {
    let account = Account::register(&Door::edge()).await;
    let answer = account
        .client
        .get("/api/echo")
        .bearer(account.access_token())
        .send()
        .await
        .expect(200);
    assert_eq!(answer.json()["servedFor"], account.id());
    assert_eq!(seen_header(&answer, "x-auth-subject"), account.id());
    assert_eq!(
        seen_header(&answer, "x-auth-tenant"),
        account.result["user"]["tenantId"].as_str().unwrap()
    );
    assert_eq!(
        seen_header(&answer, "x-auth-session"),
        account.result["session"]["id"].as_str().unwrap()
    );
    assert_eq!(seen_header(&answer, "x-auth-role"), "customer");
    assert_eq!(seen_header(&answer, "x-auth-acr"), "aal1");
    let permissions = seen_header(&answer, "x-auth-permissions");
    let permissions: Vec<_> = permissions.split(' ').map(|word| json!(word)).collect();
    assert_eq!(Value::Array(permissions), account.result["user"]["permissions"]);
    assert_eq!(
        seen_header(&answer, "x-auth-client-ip"),
        account.client.address().to_string()
    );
    assert_eq!(
        seen_header(&answer, "authorization"),
        format!("Bearer {}", account.access_token())
    );
}

#[tokio::test]
async fn roles_at_venues_arrive_as_one_json_object() {
    let venues = json!({VENUE: ["box-office", "door-staff"]});
    let token = token_with(json!({"venues": venues})).await;
    let answer = Door::edge()
        .client()
        .get("/api/echo")
        .bearer(&token)
        .send()
        .await
        .expect(200);
    let seen: Value = serde_json::from_str(&seen_header(&answer, "x-auth-venue-roles")).unwrap();
    assert_eq!(seen, venues);
}

#[tokio::test]
async fn headers_that_only_the_edge_may_set_never_come_from_a_client() {
    const FORGED: [&str; 24] = [
        "x-auth-subject",
        "x-auth-tenant",
        "x-auth-session",
        "x-auth-role",
        "x-auth-permissions",
        "x-auth-venue-roles",
        "x-auth-acr",
        "x-auth-client-ip",
        "x-auth-anything",
        "X-AUTH-SUBJECT",
        "x_auth_subject",
        "x-auth_subject",
        "x_auth_role",
        "forwarded",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x_forwarded_for",
        "x-real-ip",
        "signature",
        "signature-input",
        "signature_input",
        "x-forwarded-prefix",
        "x-forwarded-port",
    ];
    let account = Account::register(&Door::edge()).await;
    for (path, token) in [
        ("/api/echo", Some(account.access_token())),
        ("/api/public/anything", None),
    ] {
        let mut call = account.client.get(path);
        for name in FORGED {
            call = call.header(name, "forged-by-client");
        }
        if let Some(token) = token {
            call = call.bearer(token);
        }
        let answer = call.send().await.expect(200);
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(!text.contains("forged-by-client"), "{path}: {text}");
        assert_eq!(
            seen_headers(&answer, "x-auth-subject").len(),
            usize::from(token.is_some())
        );
    }
}

#[tokio::test]
async fn an_anonymous_request_carries_no_identity_but_an_address() {
    let client = Door::edge().client();
    let answer = client.get("/api/public/anything").send().await.expect(200);
    for name in [
        "subject",
        "tenant",
        "session",
        "role",
        "permissions",
        "venue-roles",
        "acr",
    ] {
        assert_eq!(
            seen_headers(&answer, &format!("x-auth-{name}")),
            [""; 0],
            "{name}"
        );
    }
    assert_eq!(
        seen_header(&answer, "x-auth-client-ip"),
        client.address().to_string()
    );
    assert_eq!(answer.json()["servedFor"], Value::Null);
}

#[tokio::test]
async fn a_good_token_on_a_public_route_attaches_its_identity() {
    let account = Account::register(&Door::edge()).await;
    let answer = account
        .client
        .get("/api/public/anything")
        .bearer(account.access_token())
        .send()
        .await
        .expect(200);
    assert_eq!(seen_header(&answer, "x-auth-subject"), account.id());
}

#[tokio::test]
async fn what_the_upstream_sees_is_signed_by_the_edge() {
    let account = Account::register(&Door::edge()).await;
    let path = "/api/echo?a=1&b=%2F";
    let answer = account
        .client
        .post(path)
        .bearer(account.access_token())
        .body("x")
        .send()
        .await
        .expect(200);
    let seen = answer.json();
    let headers: Vec<(&str, &str)> = seen["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|header| (header[0].as_str().unwrap(), header[1].as_str().unwrap()))
        .collect();
    let authority = seen_header(&answer, "host");
    let request = |path| SignedRequest {
        method: "POST",
        authority: &authority,
        path,
        query: Some("a=1&b=%2F"),
        headers: &headers,
    };
    let (input, signature) = (
        seen_header(&answer, "signature-input"),
        seen_header(&answer, "signature"),
    );
    let now = now();
    let (keyid, secret) = edge_key();
    let keys = [SigningKey::new(keyid, &secret).unwrap()];
    verify(&request("/api/echo"), &input, &signature, &keys, now).unwrap();
    assert!(verify(&request("/api/other"), &input, &signature, &keys, now).is_err());
    assert!(input.contains("tag=\"portcullis-edge\""), "{input}");
}

#[tokio::test]
async fn cookies_of_the_product_never_reach_an_upstream_and_others_do() {
    let client = Door::edge().client();
    let cookies = "theme=dark; __Host-pc_refresh=secret1; lang=de; __Host-pc_device=secret2";
    let answer = client
        .get("/api/public/anything")
        .header("cookie", cookies)
        .send()
        .await
        .expect(200);
    assert_eq!(seen_headers(&answer, "cookie"), ["theme=dark; lang=de"]);
    let only_ours = client
        .get("/api/public/anything")
        .header("cookie", "__Host-pc_device=secret2")
        .send()
        .await;
    assert_eq!(seen_headers(&only_ours.expect(200), "cookie"), [""; 0]);
}
