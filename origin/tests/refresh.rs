//! The chain of refresh tokens, over HTTP and a real database, with the clock in hand.

use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use futures_util::future::join_all;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{
    assert_refused, audit_trail, body_of, count, execute, login, me, refresh, register, replicas, server,
    text, try_refresh,
};

#[tokio::test]
async fn a_refresh_gives_the_user_and_both_tokens_anew() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::hours(1));
    let body = body_of(try_refresh(&server, &person.refresh).await, StatusCode::OK).await;
    assert_eq!(body["user"], person.body["user"]);
    assert_eq!(body["tokens"]["expiresIn"], 900);
    assert_eq!(body["tokens"]["refreshExpiresIn"], 30 * 24 * 3600);
    assert!(body.get("session").is_none());
    assert_ne!(text(&body, "/tokens/refreshToken"), person.refresh);
    assert_eq!(
        me(&server, &text(&body, "/tokens/accessToken")).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn fifty_simultaneous_refreshes_of_one_token_give_one_successor() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let answers = join_all((0..50).map(|_| try_refresh(&server, &person.refresh))).await;
    let mut successors = BTreeSet::new();
    let mut access_tokens = BTreeSet::new();
    for answer in answers {
        let body = body_of(answer, StatusCode::OK).await;
        successors.insert(text(&body, "/tokens/refreshToken"));
        access_tokens.insert(text(&body, "/tokens/accessToken"));
    }
    assert_eq!(successors.len(), 1);
    assert_eq!(
        access_tokens.len(),
        50,
        "each answer has an access token of its own"
    );
    assert_eq!(count(&server, "SELECT generation FROM sessions").await, 1);
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM audit_events WHERE type = 'refresh_replayed'"
        )
        .await,
        49
    );

    let successor = successors.pop_first().unwrap();
    refresh(&server, &successor).await;
    assert_eq!(count(&server, "SELECT generation FROM sessions").await, 2);
}

#[tokio::test]
async fn a_lost_answer_is_given_again_within_the_window() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let successor = refresh(&server, &person.refresh).await;
    server.clock.advance(TimeDelta::seconds(59));
    assert_eq!(refresh(&server, &person.refresh).await, successor);
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "refresh_replayed"]
    );
    refresh(&server, &successor).await;
}

#[tokio::test]
async fn a_reused_refresh_token_ends_its_session() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let elsewhere = login(&server, "ada@example.com").await;
    let body = body_of(try_refresh(&server, &person.refresh).await, StatusCode::OK).await;
    let (access, second) = (
        text(&body, "/tokens/accessToken"),
        text(&body, "/tokens/refreshToken"),
    );
    let third = refresh(&server, &second).await;

    // Older than the direct predecessor: reuse at once, whatever the window.
    assert_refused(
        try_refresh(&server, &person.refresh).await,
        401,
        "refresh_token_reused",
    )
    .await;
    for token in [&person.refresh, &second, &third] {
        assert_refused(try_refresh(&server, token).await, 401, "invalid_refresh_token").await;
    }
    assert_refused(me(&server, &access).await, 401, "invalid_token").await;
    assert_eq!(me(&server, &elsewhere.access).await.status(), StatusCode::OK);
    let noted = "SELECT count(*) FROM sessions
                 WHERE revoked_reason = 'refresh_token_reused' AND revoked_at IS NOT NULL";
    assert_eq!(count(&server, noted).await, 1);
    let event = "SELECT count(*) FROM audit_events e JOIN sessions s ON s.id = e.session_id
                 WHERE e.type = 'refresh_reused' AND e.subject_id = s.user_id AND e.actor_id IS NULL";
    assert_eq!(count(&server, event).await, 1);
}

#[tokio::test]
async fn the_predecessor_is_reuse_once_the_window_has_closed() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let successor = refresh(&server, &person.refresh).await;
    server.clock.advance(TimeDelta::seconds(60));
    assert_refused(
        try_refresh(&server, &person.refresh).await,
        401,
        "refresh_token_reused",
    )
    .await;
    assert_refused(
        try_refresh(&server, &successor).await,
        401,
        "invalid_refresh_token",
    )
    .await;
}

#[tokio::test]
async fn simultaneous_reuse_ends_the_session_once() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let second = refresh(&server, &person.refresh).await;
    refresh(&server, &second).await;
    let answers = join_all((0..20).map(|_| try_refresh(&server, &person.refresh))).await;
    let mut codes = Vec::new();
    for answer in answers {
        codes.push(text(&body_of(answer, StatusCode::UNAUTHORIZED).await, "/code"));
    }
    assert_eq!(
        codes
            .iter()
            .filter(|code| *code == "refresh_token_reused")
            .count(),
        1
    );
    assert_eq!(
        codes
            .iter()
            .filter(|code| *code == "invalid_refresh_token")
            .count(),
        19
    );
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM audit_events WHERE type = 'refresh_reused'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn nothing_is_given_out_for_a_session_that_is_being_ended() {
    let server = server().await;
    for round in 0..20 {
        let person = register(&server, &format!("person-{round}@example.com")).await;
        let logout = async {
            server
                .post("/auth/logout")
                .bearer_auth(&person.access)
                .send()
                .await
                .unwrap()
        };
        let refreshes = join_all((0..4).map(|_| try_refresh(&server, &person.refresh)));
        let (ended, answers) = tokio::join!(logout, refreshes);
        assert_eq!(ended.status(), StatusCode::NO_CONTENT);
        // Whoever came before the end has a token that is worth nothing after it.
        for answer in answers
            .into_iter()
            .filter(|answer| answer.status() == StatusCode::OK)
        {
            let body = body_of(answer, StatusCode::OK).await;
            let token = text(&body, "/tokens/refreshToken");
            assert_refused(try_refresh(&server, &token).await, 401, "invalid_refresh_token").await;
            let access = text(&body, "/tokens/accessToken");
            assert_refused(me(&server, &access).await, 401, "invalid_token").await;
        }
    }
}

#[tokio::test]
async fn a_session_that_is_not_refreshed_for_thirty_days_is_over() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::days(30) - TimeDelta::seconds(1));
    let successor = refresh(&server, &person.refresh).await;
    server.clock.advance(TimeDelta::days(30));
    assert_refused(
        try_refresh(&server, &successor).await,
        401,
        "invalid_refresh_token",
    )
    .await;
}

#[tokio::test]
async fn a_session_is_over_after_ninety_days_however_often_it_is_refreshed() {
    let server = server().await;
    let mut token = register(&server, "ada@example.com").await.refresh;
    for _ in 0..8 {
        server.clock.advance(TimeDelta::days(10));
        token = refresh(&server, &token).await;
    }
    server.clock.advance(TimeDelta::days(9));
    let body = body_of(try_refresh(&server, &token).await, StatusCode::OK).await;
    assert_eq!(body["tokens"]["refreshExpiresIn"], 24 * 3600);
    let (access, token) = (
        text(&body, "/tokens/accessToken"),
        text(&body, "/tokens/refreshToken"),
    );
    server.clock.advance(TimeDelta::days(1));
    assert_refused(try_refresh(&server, &token).await, 401, "invalid_refresh_token").await;
    assert_refused(me(&server, &access).await, 401, "invalid_token").await;
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let stranger = register(&server, "eve@example.com").await;
    let token = person.refresh.as_str();
    let [head, generation, mac] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let [other_head, _, other_mac] = stranger
        .refresh
        .split('.')
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let mut flipped = Base64UrlUnpadded::decode_vec(mac).unwrap();
    flipped[7] ^= 0x10;
    let flipped = Base64UrlUnpadded::encode_string(&flipped);
    assert_eq!(generation, "0");

    let mut answers = BTreeSet::new();
    for bad in [
        String::new(),
        "x".to_owned(),
        "\u{1f600}".repeat(40),
        "pcr_".to_owned(),
        person.access.clone(),
        token[..token.len() - 1].to_owned(),
        token[..30].to_owned(),
        format!("{token}A"),
        format!("{token} "),
        format!("{head}.{generation}.{flipped}"),
        // From the future, from the past of another chain, and with the MAC of another chain.
        format!("{head}.1.{mac}"),
        format!("{head}.9223372036854775807.{mac}"),
        format!("{head}.18446744073709551615.{mac}"),
        format!("{head}.-1.{mac}"),
        format!("{head}.00.{mac}"),
        format!("{other_head}.{generation}.{mac}"),
        format!("{head}.{generation}.{other_mac}"),
        format!("pcr_AAAAAAAAAAAAAAAAAAAAAA.0.{mac}"),
        "a.".repeat(20_000),
    ] {
        let mut body = assert_refused(try_refresh(&server, &bad).await, 401, "invalid_refresh_token").await;
        body.as_object_mut().unwrap().remove("requestId");
        answers.insert(body.to_string());
    }
    assert_eq!(answers.len(), 1, "nothing says what was wrong: {answers:?}");
    // None of that has harmed the chains that were named.
    refresh(&server, &person.refresh).await;
    refresh(&server, &stranger.refresh).await;
}

#[tokio::test]
async fn a_generation_that_the_database_has_forgotten_is_refused_and_harms_nobody() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let successor = refresh(&server, &person.refresh).await;
    // As after a restore from an earlier backup.
    execute(&server, "UPDATE sessions SET generation = 0").await;
    assert_refused(
        try_refresh(&server, &successor).await,
        401,
        "invalid_refresh_token",
    )
    .await;
    assert_eq!(refresh(&server, &person.refresh).await, successor);
}

#[tokio::test]
async fn a_request_without_a_token_is_a_mistake_of_form() {
    let server = server().await;
    let send = |body: Value| server.post("/auth/refresh").json(&body).send();
    let missing = assert_refused(send(json!({})).await.unwrap(), 400, "validation_failed").await;
    assert_eq!(
        missing["errors"][0],
        json!({
            "field": "refreshToken", "code": "required", "message": "This field is required.",
        })
    );
    assert_refused(
        send(json!({"refreshToken": 7})).await.unwrap(),
        400,
        "malformed_request",
    )
    .await;
    assert_refused(
        send(json!({"refreshToken": "a\u{0}b"})).await.unwrap(),
        400,
        "malformed_request",
    )
    .await;

    let person = register(&server, "ada@example.com").await;
    let old_spelling = send(json!({"refresh_token": person.refresh})).await.unwrap();
    assert_eq!(old_spelling.status(), StatusCode::OK);
}

#[tokio::test]
async fn thirty_one_refreshes_of_one_session_in_a_minute_are_too_many() {
    let server = TestServer::start().await;
    let person = register(&server, "ada@example.com").await;
    let other = login(&server, "ada@example.com").await;
    let mut token = person.refresh;
    for _ in 0..30 {
        token = refresh(&server, &token).await;
    }
    assert_refused(try_refresh(&server, &token).await, 429, "rate_limited").await;
    refresh(&server, &other.refresh).await;
    server.clock.advance(TimeDelta::seconds(2));
    refresh(&server, &token).await;
}

#[tokio::test]
async fn a_second_replica_goes_on_with_the_tokens_of_the_first() {
    let [first, second] = replicas().await;
    let person = register(&first, "ada@example.com").await;
    second.clock.advance(TimeDelta::seconds(1));
    assert_eq!(me(&second, &person.access).await.status(), StatusCode::OK);
    let there = refresh(&second, &person.refresh).await;
    assert_eq!(
        refresh(&first, &person.refresh).await,
        there,
        "the first has not seen the rotation, and agrees"
    );
    refresh(&first, &there).await;
}

#[tokio::test]
async fn an_access_token_does_not_outlive_its_session() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let mut token = person.refresh;
    for _ in 0..3 {
        server.clock.advance(TimeDelta::days(29));
        token = refresh(&server, &token).await;
    }
    server.clock.advance(TimeDelta::days(3) - TimeDelta::minutes(5));
    let body = body_of(try_refresh(&server, &token).await, StatusCode::OK).await;
    assert_eq!(body["tokens"]["refreshExpiresIn"], 300);
    let expires_in = body["tokens"]["expiresIn"].as_i64().unwrap();
    assert!((299..=300).contains(&expires_in), "{expires_in}");
}
