//! Long bodies, both ways: streamed, exact, and without either end waiting for the whole.

use futures_util::{StreamExt as _, stream};
use portcullis_tests::account::Account;
use portcullis_tests::world::Door;
use sha2::{Digest as _, Sha256};

const MANY: usize = 48 * 1024 * 1024;

#[tokio::test]
async fn a_long_answer_arrives_exactly() {
    let account = Account::register(&Door::edge()).await;
    let call = account
        .client
        .get(&format!("/api/stream?bytes={MANY}"))
        .bearer(account.access_token());
    let response = call.stream().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let mut chunks = response.bytes_stream();
    let mut length = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.unwrap();
        length += chunk.len();
        assert!(chunk.iter().all(|byte| *byte == 0));
    }
    assert_eq!(length, MANY);
}

#[tokio::test]
async fn the_first_bytes_of_an_endless_answer_arrive() {
    let account = Account::register(&Door::edge()).await;
    let call = account
        .client
        .get("/api/stream?bytes=1000000000000")
        .bearer(account.access_token());
    let response = call.stream().await.expect("an answer");
    assert_eq!(response.status(), 200);
    let mut chunks = response.bytes_stream();
    let mut length = 0;
    while length < 1024 * 1024 {
        length += chunks.next().await.unwrap().unwrap().len();
    }
}

#[tokio::test]
async fn a_long_request_of_unknown_length_arrives_exactly() {
    let account = Account::register(&Door::edge()).await;
    let mut hash = Sha256::new();
    let chunks: Vec<Vec<u8>> = (0..MANY / 65_536)
        .map(|index| {
            let chunk = vec![u8::try_from(index % 251).unwrap(); 65_536];
            hash.update(&chunk);
            chunk
        })
        .collect();
    let body = reqwest::Body::wrap_stream(stream::iter(chunks.into_iter().map(Ok::<_, std::io::Error>)));
    let answer = account
        .client
        .post("/api/echo")
        .bearer(account.access_token())
        .body(body)
        .send()
        .await
        .expect(200);
    let seen = answer.json();
    assert_eq!(seen["bodyLength"], MANY);
    assert_eq!(seen["bodySha256"], format!("{:x}", hash.finalize()));
}
