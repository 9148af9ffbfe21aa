//! Refreshes that race each other, and the end of their session, over two replicas.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};

use crate::common::TestServer;
use crate::fixtures::{
    assert_refused, body_of, count, execute, login, me, refresh, register, register_at, replicas, server,
    text, try_refresh,
};

/// Asks the two replicas in turn.
fn either(replicas: &[TestServer; 2], index: usize) -> &TestServer {
    &replicas[index % 2]
}

#[tokio::test]
async fn fifty_refreshes_of_one_token_over_two_replicas_make_one_chain() {
    let servers = replicas().await;
    let person = register(&servers[0], "ada@example.com").await;
    let answers = join_all((0..50).map(|index| try_refresh(either(&servers, index), &person.refresh))).await;
    let mut successors = BTreeSet::new();
    let mut accepted = 0;
    for answer in answers {
        let body = body_of(answer, StatusCode::OK).await;
        successors.insert(text(&body, "/tokens/refreshToken"));
        accepted += 1;
    }
    let rotations = count(&servers[0], "SELECT generation FROM sessions").await;
    let replays = count(
        &servers[0],
        "SELECT count(*) FROM audit_events WHERE type = 'refresh_replayed'",
    )
    .await;
    println!(
        "50 refreshes over two replicas: {accepted} accepted, {rotations} rotation, {replays} replays, {} successor",
        successors.len()
    );
    assert_eq!((accepted, rotations, replays, successors.len()), (50, 1, 49, 1));
    assert_eq!(count(&servers[0], "SELECT count(*) FROM sessions").await, 1);
    assert_eq!(count(&servers[0], "SELECT count(*) FROM revocations").await, 0);

    // And on from there, several times.
    let mut token = successors.pop_first().unwrap();
    for round in 2..6 {
        let answers = join_all((0..10).map(|index| refresh(either(&servers, index), &token))).await;
        assert!(answers.iter().all(|successor| *successor == answers[0]));
        token.clone_from(&answers[0]);
        assert_eq!(count(&servers[0], "SELECT generation FROM sessions").await, round);
    }
}

#[tokio::test]
async fn no_token_outlives_a_session_that_was_ended_while_it_was_refreshed() {
    let servers = replicas().await;
    let (mut given, mut refused) = (0, 0);
    for round in 0..24 {
        let email = format!("person-{round}@example.com");
        let person = register(&servers[0], &email).await;
        let elsewhere = login(&servers[1], &email).await;
        let (method, path, access) = match round % 3 {
            0 => (
                Method::DELETE,
                format!("/auth/sessions/{}", person.session_id),
                &elsewhere.access,
            ),
            1 => (Method::DELETE, "/auth/sessions/all".to_owned(), &elsewhere.access),
            _ => (Method::POST, "/auth/logout".to_owned(), &person.access),
        };
        let end = async {
            let answer = either(&servers, round).request(method, &path).bearer_auth(access);
            answer.send().await.unwrap()
        };
        let refreshes = join_all((0..6).map(|index| try_refresh(either(&servers, index), &person.refresh)));
        let (ended, answers) = tokio::join!(end, refreshes);
        assert!(ended.status().is_success(), "{:?}", ended.status());
        for answer in answers {
            if answer.status() == StatusCode::OK {
                given += 1;
                let body = body_of(answer, StatusCode::OK).await;
                let (access, token) = (
                    text(&body, "/tokens/accessToken"),
                    text(&body, "/tokens/refreshToken"),
                );
                for server in &servers {
                    assert_refused(try_refresh(server, &token).await, 401, "invalid_refresh_token").await;
                    assert_refused(me(server, &access).await, 401, "invalid_token").await;
                }
            } else {
                refused += 1;
                assert_refused(answer, 401, "invalid_refresh_token").await;
            }
        }
        assert_eq!(me(&servers[1], &elsewhere.access).await.status(), StatusCode::OK);
    }
    println!("{given} refreshes came before the end of their session, {refused} after it");
    assert_eq!(
        count(&servers[0], "SELECT count(*) FROM revocations").await,
        24,
        "each end is told once"
    );
}

#[tokio::test]
async fn once_its_successor_was_presented_a_token_is_reuse_however_soon_it_comes_again() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let successor = refresh(&server, &person.refresh).await;
    refresh(&server, &successor).await;
    // No time has passed: the shorter of the two windows of the design would still be open, but what it is about,
    // the direct predecessor of the current generation, is another token by now.
    assert_refused(
        try_refresh(&server, &person.refresh).await,
        401,
        "refresh_token_reused",
    )
    .await;
}

#[tokio::test]
async fn a_token_of_another_tenant_and_one_of_a_removed_family_are_refused_like_any_other() {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES (gen_random_uuid(), 'other', 'Other', 'epoch')",
    )
    .await;
    let person = register(&server, "ada@example.com").await;
    let foreign = register_at(&server, Some("other"), "ada@example.com").await;
    let removed = login(&server, "ada@example.com").await;
    let ended = login(&server, "ada@example.com").await;
    sqlx::query("DELETE FROM sessions WHERE id = $1")
        .bind(removed.session_id.parse::<uuid::Uuid>().unwrap())
        .execute(server.pool())
        .await
        .unwrap();
    let logout = server
        .post("/auth/logout")
        .bearer_auth(&ended.access)
        .send()
        .await
        .unwrap();
    assert_eq!(logout.status(), StatusCode::NO_CONTENT);

    let mut bodies = BTreeSet::new();
    for (token, tenant) in [
        ("no token at all", "default"),
        (&foreign.refresh, "default"),
        (&person.refresh, "other"),
        (&removed.refresh, "default"),
        (&ended.refresh, "default"),
    ] {
        let answer = server
            .post("/auth/refresh")
            .header("x-tenant", tenant)
            .json(&serde_json::json!({"refreshToken": token}))
            .send()
            .await
            .unwrap();
        let mut body = assert_refused(answer, 401, "invalid_refresh_token").await;
        body.as_object_mut().unwrap().remove("requestId");
        bodies.insert(body.to_string());
    }
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    // None of that has harmed the chains that were named.
    refresh(&server, &person.refresh).await;
    refresh(&server, &foreign.refresh).await;
}
