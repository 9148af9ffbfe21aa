//! Access tokens whose session has ended: how soon the edge knows, and what it does while it cannot.

mod feed;

use std::time::{Duration, Instant};

use portcullis_tests::account::{Account, access_token_in, refresh_token_in};
use portcullis_tests::client::Client;
use portcullis_tests::eventually;
use portcullis_tests::world::Door;

/// How late the edge may know of a revocation, by the design.
const LATEST: Duration = Duration::from_secs(5);

/// Waits until the edge refuses an access token, and says how long that took.
async fn refused_after(client: &Client, token: &str) -> Duration {
    let began = Instant::now();
    eventually(
        "the edge refuses the token",
        Duration::from_secs(10),
        async || {
            let answer = client.get("/api/echo").bearer(token).send().await;
            (answer.status != 200).then(|| answer.problem(401, "invalid_token"))
        },
    )
    .await;
    began.elapsed()
}

#[tokio::test]
async fn a_logout_reaches_the_edge_within_five_seconds_and_no_other_session() {
    let account = Account::register(&Door::edge()).await;
    let other = access_token_in(&account.login().await.expect(200));
    for token in [account.access_token(), &other] {
        account
            .client
            .get("/api/echo")
            .bearer(token)
            .send()
            .await
            .expect(200);
    }
    account
        .client
        .post("/auth/logout")
        .bearer(account.access_token())
        .send()
        .await
        .expect(204);
    let late = refused_after(&account.client, account.access_token()).await;
    assert!(late < LATEST, "{late:?}");
    account
        .client
        .get("/api/echo")
        .bearer(&other)
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_session_that_another_device_ends_is_refused_at_the_edge_within_five_seconds() {
    let account = Account::register(&Door::edge()).await;
    let lost = account.login().await.expect(200);
    let (token, session) = (
        access_token_in(&lost),
        lost.json()["session"]["id"].as_str().unwrap().to_owned(),
    );
    account
        .client
        .get("/api/echo")
        .bearer(&token)
        .send()
        .await
        .expect(200);
    account
        .client
        .call(http::Method::DELETE, &format!("/auth/sessions/{session}"))
        .bearer(account.access_token())
        .send()
        .await
        .expect(204);
    let late = refused_after(&account.client, &token).await;
    assert!(late < LATEST, "{late:?}");
}

#[tokio::test]
async fn a_session_whose_refresh_token_was_reused_is_refused_at_the_edge_within_five_seconds() {
    let account = Account::register(&Door::edge()).await;
    let first = account.refresh(account.refresh_token()).await.expect(200);
    let second = account.refresh(&refresh_token_in(&first)).await.expect(200);
    let token = access_token_in(&second);
    account
        .client
        .get("/api/echo")
        .bearer(&token)
        .send()
        .await
        .expect(200);
    account
        .refresh(account.refresh_token())
        .await
        .problem(401, "refresh_token_reused");
    let late = refused_after(&account.client, &token).await;
    assert!(late < LATEST, "{late:?}");
}

#[tokio::test]
async fn a_proxy_that_asks_the_edge_is_told_of_an_ended_session_too() {
    let account = Account::register(&Door::edge()).await;
    let check = || account.client.get("/edge/check").bearer(account.access_token());
    check().send().await.expect(204);
    account
        .client
        .post("/auth/logout")
        .bearer(account.access_token())
        .send()
        .await
        .expect(204);
    eventually("the edge refuses the token", LATEST, async || {
        let answer = check().send().await;
        (answer.status != 204).then(|| answer.problem(401, "invalid_token"))
    })
    .await;
}
