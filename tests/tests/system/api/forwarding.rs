//! What the upstream receives is what the client sent.

use portcullis_tests::account::Account;
use portcullis_tests::world::Door;
use sha2::{Digest as _, Sha256};

use super::{seen_header, seen_headers};

#[tokio::test]
async fn path_and_query_arrive_byte_for_byte() {
    let client = Door::edge().client();
    for (path, query) in [
        ("/api/public/plain", None),
        (
            "/api/public/a%20b/%C3%BC%e2%82%ac",
            Some("x=%2F&y=%2f&z=a+b&z=&%20"),
        ),
        ("/api/public/a;b=c,d@e:f!$&()*+=~", Some("q=?/:@!$()*,;&=")),
        ("/api/public/%41%7E", Some("percent=%41")),
        ("/api/public/deep/er/and/deeper/", Some("a[]=1&a[]=2")),
    ] {
        let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let seen = client.get(&target).send().await.expect(200).json();
        assert_eq!(
            (seen["path"].as_str(), seen["query"].as_str()),
            (Some(path), query)
        );
    }
}

#[tokio::test]
async fn a_body_arrives_byte_for_byte_with_its_type() {
    let account = Account::register(&Door::edge()).await;
    let body: Vec<u8> = (0..=255).cycle().take(100_003).collect();
    let call = account.client.post("/api/echo").bearer(account.access_token());
    let answer = call
        .header("content-type", "application/x-anything; a=b")
        .body(body.clone())
        .send()
        .await
        .expect(200);
    let seen = answer.json();
    assert_eq!(seen["bodyLength"], body.len());
    assert_eq!(seen["bodySha256"], format!("{:x}", Sha256::digest(&body)));
    assert_eq!(
        seen_header(&answer, "content-type"),
        "application/x-anything; a=b"
    );
}

#[tokio::test]
async fn the_body_of_a_get_arrives_too() {
    let account = Account::register(&Door::edge()).await;
    let call = account.client.get("/api/echo").bearer(account.access_token());
    let answer = call
        .header("content-type", "application/json")
        .header("x-auth-subject", "somebody else")
        .body("{\"query\":{}}".as_bytes().to_vec())
        .send()
        .await
        .expect(200);
    assert_eq!(answer.json()["bodyLength"], 12);
    assert_ne!(seen_header(&answer, "x-auth-subject"), "somebody else");
}

#[tokio::test]
async fn ordinary_headers_arrive_and_hop_by_hop_ones_do_not() {
    let client = Door::edge().client();
    let call = client
        .get("/api/public/anything")
        .header("x-own", "1")
        .header("accept-language", "de, en;q=0.5");
    let call = call
        .header("te", "trailers")
        .header("proxy-authorization", "Basic dTpw")
        .header("idempotency-key", "k");
    let answer = call.send().await.expect(200);
    for (name, value) in [
        ("x-own", "1"),
        ("accept-language", "de, en;q=0.5"),
        ("idempotency-key", "k"),
    ] {
        assert_eq!(seen_header(&answer, name), value);
    }
    assert_eq!(seen_headers(&answer, "proxy-authorization"), [""; 0]);
}

#[tokio::test]
async fn the_host_that_the_upstream_sees_is_its_own() {
    let answer = Door::edge()
        .client()
        .get("/api/public/anything")
        .send()
        .await
        .expect(200);
    let upstream = portcullis_tests::world::variable("PORTCULLIS_TEST_UPSTREAM");
    assert_eq!(
        seen_header(&answer, "host"),
        upstream.trim_start_matches("http://")
    );
}
