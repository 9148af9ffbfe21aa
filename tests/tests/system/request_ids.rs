//! `X-Request-Id`, from the client through the edge to the origin, the upstream and the logs.

use std::time::Duration;

use portcullis_tests::account::{Account, fresh_email, fresh_password, registration};
use portcullis_tests::eventually;
use portcullis_tests::fresh_id;
use portcullis_tests::world::{Door, state};
use serde_json::{Value, json};
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

/// The lines about requests in the log of a part that have this id, each at least once there.
async fn lines_about(part: &str, id: &str) -> Vec<Value> {
    let log = state().join(format!("log/{part}.log"));
    eventually(
        "the request id is in the log",
        Duration::from_secs(10),
        async || {
            let text = std::fs::read(&log).unwrap();
            let text = String::from_utf8_lossy(&text).into_owned();
            let lines: Vec<Value> = text
                .lines()
                .filter(|line| line.contains(id))
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            (!lines.is_empty()).then_some(lines)
        },
    )
    .await
}

#[tokio::test]
async fn a_request_to_the_origin_has_one_id_in_both_logs_be_it_refused_or_not() {
    let account = Account::register(&Door::edge()).await;
    for bearer in [account.access_token(), "not-a-token"] {
        let id = format!("trace-{}", fresh_id().simple());
        let call = account.client.get("/auth/me").bearer(bearer);
        let answer = call.header("x-request-id", &id).send().await;
        assert_eq!(answer.header("x-request-id"), Some(&*id));
        let lines = lines_about("edge", &id).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["event"], "request");
        assert_eq!(lines[0]["status"], answer.status.as_u16());
        if answer.status == 200 {
            let lines = lines_about("origin", &id).await;
            assert_eq!(lines.len(), 1, "{lines:?}");
        } else {
            let problem = answer.problem(401, "invalid_token");
            assert_eq!(problem["requestId"], id);
        }
    }
}

#[tokio::test]
async fn a_session_that_is_refreshed_on_the_way_has_the_id_of_the_request_it_was_refreshed_for() {
    let client = Door::edge().client();
    let registered = client
        .post("/auth/register")
        .header("x-token-delivery", "cookie")
        .header("sec-fetch-site", "same-origin")
        .json(&registration(&fresh_email(), &fresh_password()))
        .send()
        .await
        .expect(201);
    let cookies = registered.headers.get_all("set-cookie").iter();
    let refresh = cookies
        .filter_map(|line| line.to_str().ok()?.split(';').next())
        .find(|pair| pair.starts_with("__Host-pc_refresh="))
        .expect("a refresh cookie");
    let id = format!("trace-{}", fresh_id().simple());
    let call = client.get("/api/echo").header("cookie", refresh);
    call.header("x-request-id", &id).send().await.expect(200);
    let edge = lines_about("edge", &id).await;
    assert_eq!(edge.len(), 1, "{edge:?}");
    let rounds = edge[0]["rounds"].as_array().expect("rounds");
    assert!(rounds.contains(&json!("session")), "{edge:?}");
    let origin = lines_about("origin", &id).await;
    assert!(
        origin
            .iter()
            .any(|line| line.to_string().contains("/auth/refresh")),
        "{origin:?}"
    );
}

#[tokio::test]
async fn the_edges_own_questions_have_ids_of_their_own() {
    let account = Account::register(&Door::edge()).await;
    account
        .client
        .get("/api/echo")
        .bearer(account.access_token())
        .send()
        .await
        .expect(200);
    let log = std::fs::read(state().join("log/origin.log")).unwrap();
    let log = String::from_utf8_lossy(&log).into_owned();
    let asked: Vec<Value> = log
        .lines()
        .filter(|line| line.contains("/edge/revocations"))
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    assert!(!asked.is_empty(), "the feed was never asked for");
    let ids: Vec<_> = asked
        .iter()
        .map(|line| line["span"]["request_id"].as_str().unwrap())
        .collect();
    for id in &ids {
        Uuid::parse_str(id).unwrap_or_else(|_| panic!("the feed was asked for as {id}"));
    }
    let mut distinct = ids.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), ids.len(), "two questions have one id");
}
