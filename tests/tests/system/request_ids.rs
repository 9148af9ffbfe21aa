//! `X-Request-Id`, from the client through the edge to the origin, the upstream and the logs.

use std::time::Duration;

use portcullis_tests::account::Account;
use portcullis_tests::eventually;
use portcullis_tests::fresh_id;
use portcullis_tests::world::{Door, state};
use uuid::Uuid;

#[tokio::test]
async fn a_good_request_id_is_kept_and_reaches_the_log_of_the_origin() {
    for door in Door::both() {
        let id = format!("trace-{}", fresh_id().simple());
        let answer = door
            .client()
            .get("/auth/me")
            .header("x-request-id", &id)
            .send()
            .await;
        answer.problem(401, "invalid_token");
        assert_eq!(answer.header("x-request-id"), Some(&*id));
        let log = state().join("log/origin.log");
        eventually(
            "the request id is in the origin's log",
            Duration::from_secs(5),
            async || std::fs::read_to_string(&log).unwrap().contains(&id).then_some(()),
        )
        .await;
    }
}

#[tokio::test]
async fn a_bad_request_id_is_replaced_by_a_fresh_one() {
    let long = "a".repeat(65);
    for door in Door::both() {
        for bad in [
            "short",
            "has spaces in it",
            "dots.are.not.good",
            &long,
            "quote\"quote",
            "%0a%0d%0a%0d",
        ] {
            let answer = door
                .client()
                .get("/auth/me")
                .header("x-request-id", bad)
                .send()
                .await;
            let id = answer.header("x-request-id").unwrap();
            Uuid::parse_str(id).unwrap_or_else(|_| panic!("{bad} was answered with {id}"));
        }
    }
}

#[tokio::test]
async fn requests_without_an_id_each_get_their_own() {
    for door in Door::both() {
        let client = door.client();
        let [one, other] = [client.get("/live").send().await, client.get("/live").send().await];
        assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    }
}

#[tokio::test]
async fn the_upstream_sees_the_id_that_the_client_is_told() {
    let account = Account::register(&Door::edge()).await;
    let id = format!("trace-{}", fresh_id().simple());
    for sent in [Some(&id), None] {
        let call = account.client.get("/api/echo").bearer(account.access_token());
        let call = match sent {
            Some(id) => call.header("x-request-id", id),
            None => call,
        };
        let answer = call.send().await.expect(200);
        let told = answer.header("x-request-id").unwrap();
        if let Some(sent) = sent {
            assert_eq!(told, sent);
        }
        let seen = answer.json();
        let seen: Vec<_> = seen["headers"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|header| header[0] == "x-request-id")
            .collect();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!(seen[0][1], told);
    }
}
