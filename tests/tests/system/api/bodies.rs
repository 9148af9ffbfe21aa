//! How long a body may be: `/api/withdraw` takes 65,536 bytes.

use portcullis_tests::account::Account;
use portcullis_tests::answer::Answer;
use portcullis_tests::client::Client;
use portcullis_tests::raw::{exchange, head};
use portcullis_tests::world::Door;
use serde_json::json;

use super::token_with;

/// Sends five bytes without saying beforehand how many they are.
async fn in_chunks(client: &Client, path: &str, token: &str) -> Answer {
    let mut request = head(client, format!("POST {path}").as_bytes());
    request.extend(format!("Authorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n").bytes());
    request.extend(b"5\r\nhello\r\n0\r\n\r\n");
    exchange(client, &request).await.expect("an answer")
}

#[tokio::test]
async fn a_body_over_the_limit_of_its_route_is_refused() {
    let token = token_with(json!({"acr": "aal2"})).await;
    let client = Door::edge().client();
    let withdraw = |length: usize| {
        client
            .post("/api/withdraw")
            .bearer(&token)
            .body(vec![b'x'; length])
    };
    withdraw(65_537).send().await.problem(413, "payload_too_large");
    let answer = withdraw(65_536).send().await.expect(200);
    assert_eq!(answer.json()["bodyLength"], 65_536);
    let without = client.post("/api/withdraw").bearer(&token).send().await;
    assert_eq!(without.expect(200).json()["bodyLength"], 0);
}

#[tokio::test]
async fn a_body_of_undeclared_length_is_refused_where_there_is_a_limit_and_passes_elsewhere() {
    let token = token_with(json!({"acr": "aal2"})).await;
    let client = Door::edge().client();
    in_chunks(&client, "/api/withdraw", &token)
        .await
        .problem(411, "length_required");
    let echoed = in_chunks(&client, "/api/echo", &token).await.expect(200);
    assert_eq!(echoed.json()["bodyLength"], 5);
}

#[tokio::test]
async fn who_may_not_pass_is_not_told_of_limits() {
    let account = Account::register(&Door::edge()).await;
    in_chunks(&account.client, "/api/withdraw", account.access_token())
        .await
        .problem(401, "step_up_required");
}
