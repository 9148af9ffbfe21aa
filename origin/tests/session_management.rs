//! `/auth/sessions`: who sees which session, and who ends it.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{
    Person, assert_refused, audit_trail, body_of, count, execute, login, me, moment, register, register_at,
    server, try_refresh,
};

const UNKNOWN: &str = "01890000-0000-7000-8000-000000000004";

async fn list(server: &TestServer, access: &str) -> Vec<Value> {
    let answer = server
        .get("/auth/sessions")
        .bearer_auth(access)
        .send()
        .await
        .unwrap();
    let body = body_of(answer, StatusCode::OK).await;
    body["sessions"].as_array().unwrap().clone()
}

async fn delete(server: &TestServer, access: &str, path: &str) -> Response {
    server
        .request(Method::DELETE, &format!("/auth/sessions/{path}"))
        .bearer_auth(access)
        .send()
        .await
        .unwrap()
}

async fn assert_over(server: &TestServer, person: &Person) {
    assert_refused(me(server, &person.access).await, 401, "invalid_token").await;
    assert_refused(
        try_refresh(server, &person.refresh).await,
        401,
        "invalid_refresh_token",
    )
    .await;
}

#[tokio::test]
async fn a_person_sees_their_live_sessions_the_one_used_last_first() {
    let server = server().await;
    let first = register(&server, "ada@example.com").await;
    register(&server, "eve@example.com").await;
    server.clock.advance(TimeDelta::minutes(5));
    let second = login(&server, "ada@example.com").await;
    let listed = list(&server, &second.access).await;
    let ids: Vec<&Value> = listed.iter().map(|session| &session["id"]).collect();
    assert_eq!(ids, [&second.session_id, &first.session_id]);
    assert_eq!(listed[0]["current"], true);
    assert_eq!(listed[1]["current"], false);
    assert_eq!(listed[0]["ipAddress"], "127.0.0.1");
    assert_eq!(listed[0]["deviceName"], Value::Null);
    assert_eq!(listed[0]["expiresAt"], second.body["session"]["expiresAt"]);
    assert_eq!(
        moment(&listed[0]["createdAt"]) - moment(&listed[1]["createdAt"]),
        TimeDelta::minutes(5)
    );
    let members: BTreeSet<&str> = listed[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let contract = [
        "createdAt",
        "current",
        "deviceName",
        "expiresAt",
        "id",
        "ipAddress",
        "lastActiveAt",
        "userAgent",
    ];
    assert_eq!(members, contract.into());

    // The other one is used, and so comes first.
    server.clock.advance(TimeDelta::minutes(5));
    me(&server, &first.access).await;
    let listed = list(&server, &first.access).await;
    assert_eq!(listed[0]["id"], json!(first.session_id));
    assert_eq!(listed[0]["current"], true);
}

#[tokio::test]
async fn what_has_ended_or_run_out_is_not_listed() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::days(20));
    let ended = login(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::days(10));
    let current = login(&server, "ada@example.com").await;
    assert_eq!(
        list(&server, &current.access).await.len(),
        2,
        "the first fell idle"
    );
    delete(&server, &current.access, &ended.session_id).await;
    let listed = list(&server, &current.access).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["id"], json!(current.session_id));
}

#[tokio::test]
async fn a_person_ends_a_session_from_another() {
    let server = server().await;
    let lost = register(&server, "ada@example.com").await;
    let current = login(&server, "ada@example.com").await;
    let answer = delete(&server, &current.access, &lost.session_id).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_over(&server, &lost).await;
    assert_eq!(me(&server, &current.access).await.status(), StatusCode::OK);
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "logged_in", "session_revoked"]
    );
    let event = "SELECT count(*) FROM audit_events e JOIN sessions s ON s.id = e.session_id
                 WHERE e.type = 'session_revoked' AND e.actor_id = s.user_id AND e.subject_id = s.user_id
                   AND e.tenant_id = s.tenant_id AND s.revoked_reason = 'user_revoked'";
    assert_eq!(count(&server, event).await, 1);
}

#[tokio::test]
async fn a_person_may_end_the_session_that_asks() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let answer = delete(&server, &person.access, &person.session_id).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_over(&server, &person).await;
}

#[tokio::test]
async fn what_is_not_a_session_of_the_caller_does_not_exist() {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES (gen_random_uuid(), 'other', 'Other', 'epoch')",
    )
    .await;
    let person = register(&server, "ada@example.com").await;
    let stranger = register(&server, "eve@example.com").await;
    let namesake = register_at(&server, Some("other"), "ada@example.com").await;
    let mut answers = BTreeSet::new();
    for id in [
        stranger.session_id.as_str(),
        namesake.session_id.as_str(),
        UNKNOWN,
        "x",
        "%00",
        "'",
    ] {
        let mut body = assert_refused(delete(&server, &person.access, id).await, 404, "not_found").await;
        body.as_object_mut().unwrap().remove("requestId");
        answers.insert(body.to_string());
    }
    assert_eq!(answers.len(), 1, "{answers:?}");
    for other in [&stranger, &namesake] {
        assert_eq!(me(&server, &other.access).await.status(), StatusCode::OK);
    }
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL"
        )
        .await,
        0
    );
    assert_eq!(count(&server, "SELECT count(*) FROM revocations").await, 0);
}

#[tokio::test]
async fn a_session_is_ended_once_however_many_try() {
    let server = server().await;
    let lost = register(&server, "ada@example.com").await;
    let current = login(&server, "ada@example.com").await;
    let answers = join_all((0..20).map(|_| delete(&server, &current.access, &lost.session_id))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses[..2], [204, 404]);
    assert!(statuses[1..].iter().all(|status| *status == 404), "{statuses:?}");
    assert_eq!(count(&server, "SELECT count(*) FROM revocations").await, 1);
    let events = "SELECT count(*) FROM audit_events WHERE type = 'session_revoked'";
    assert_eq!(count(&server, events).await, 1);
}

#[tokio::test]
async fn all_sessions_but_the_one_that_asks_are_ended() {
    let server = server().await;
    let stranger = register(&server, "eve@example.com").await;
    let first = register(&server, "ada@example.com").await;
    let second = login(&server, "ada@example.com").await;
    let current = login(&server, "ada@example.com").await;
    let body = body_of(delete(&server, &current.access, "all").await, StatusCode::OK).await;
    assert_eq!(body, json!({"revoked": 2}));
    assert_over(&server, &first).await;
    assert_over(&server, &second).await;
    for person in [&current, &stranger] {
        assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
    }
    let again = body_of(
        delete(&server, &current.access, "all?includeCurrent=false").await,
        StatusCode::OK,
    )
    .await;
    assert_eq!(again, json!({"revoked": 0}));
    let events = "SELECT count(*) FROM audit_events WHERE type = 'sessions_revoked'
                  AND detail = '{\"reason\": \"all_revoked\", \"sessions\": 2}' AND actor_id = subject_id";
    assert_eq!(count(&server, events).await, 1);
    let events = "SELECT count(*) FROM audit_events WHERE type = 'sessions_revoked'";
    assert_eq!(
        count(&server, events).await,
        1,
        "nothing is noted where nothing was done"
    );
}

#[tokio::test]
async fn all_sessions_are_ended_with_the_one_that_asks_if_that_is_wanted() {
    let server = server().await;
    let first = register(&server, "ada@example.com").await;
    let current = login(&server, "ada@example.com").await;
    let body = body_of(
        delete(&server, &current.access, "all?includeCurrent=true").await,
        StatusCode::OK,
    )
    .await;
    assert_eq!(body, json!({"revoked": 2}));
    assert_over(&server, &first).await;
    assert_over(&server, &current).await;
}

#[tokio::test]
async fn a_query_that_is_not_understood_ends_nothing() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    for query in [
        "includeCurrent=yes",
        "includeCurrent=",
        "includeCurrent",
        "includeCurrent=TRUE",
        "includeCurrent=true&includeCurrent=false",
    ] {
        let answer = delete(&server, &person.access, &format!("all?{query}")).await;
        assert_refused(answer, 400, "malformed_request").await;
    }
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn whoever_is_not_signed_in_sees_and_ends_nothing() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    for (method, path) in [
        (Method::GET, "/auth/sessions".to_owned()),
        (Method::DELETE, "/auth/sessions/all".to_owned()),
        (Method::DELETE, format!("/auth/sessions/{}", person.session_id)),
        (Method::PUT, "/auth/change-password".to_owned()),
    ] {
        let answer = server.request(method.clone(), &path).send().await.unwrap();
        assert_refused(answer, 401, "invalid_token").await;
        let answer = server
            .request(method, &path)
            .bearer_auth("x")
            .send()
            .await
            .unwrap();
        assert_refused(answer, 401, "invalid_token").await;
    }
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn those_who_end_all_sessions_at_once_do_not_stop_each_other() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    let people = join_all((0..7).map(|_| login(&server, "ada@example.com"))).await;
    let answers = join_all(
        people
            .iter()
            .map(|person| delete(&server, &person.access, "all?includeCurrent=true")),
    )
    .await;
    let mut revoked = 0;
    for answer in answers {
        // Whoever comes late has no session any more to ask with.
        match answer.status() {
            StatusCode::OK => revoked += answer.json::<Value>().await.unwrap()["revoked"].as_u64().unwrap(),
            other => assert_eq!(other, StatusCode::UNAUTHORIZED),
        }
    }
    assert_eq!(revoked, 8);
    assert_eq!(count(&server, "SELECT count(*) FROM revocations").await, 8);
    assert_eq!(
        count(&server, "SELECT count(DISTINCT session_id) FROM revocations").await,
        8
    );
}

#[tokio::test]
async fn every_login_opens_a_session_of_its_own_and_no_identifier_comes_again() {
    let server = server().await;
    let mut people = vec![register(&server, "ada@example.com").await];
    for _ in 0..5 {
        people.push(login(&server, "ada@example.com").await);
        let last = people.last().unwrap();
        delete(&server, &last.access, &last.session_id).await;
    }
    let ids: BTreeSet<&String> = people.iter().map(|person| &person.session_id).collect();
    let chains: BTreeSet<&str> = people
        .iter()
        .map(|person| person.refresh.split('.').next().unwrap())
        .collect();
    assert_eq!((ids.len(), chains.len()), (6, 6));
    for person in &people[1..] {
        assert_over(&server, person).await;
    }
}

#[tokio::test]
async fn activity_is_noted_at_most_once_a_minute() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let noted = "SELECT extract(epoch FROM last_active_at - created_at)::bigint FROM sessions";
    for (wait, expected) in [(59, 0), (1, 60), (30, 60), (29, 60), (1, 120)] {
        server.clock.advance(TimeDelta::seconds(wait));
        assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
        assert_eq!(count(&server, noted).await, expected);
    }
    server.clock.advance(TimeDelta::seconds(10));
    crate::fixtures::refresh(&server, &person.refresh).await;
    assert_eq!(
        count(&server, noted).await,
        130,
        "a refresh writes the row anyway"
    );
}

#[tokio::test]
async fn a_request_does_not_wait_for_a_session_that_is_being_changed() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::minutes(2));
    let mut holder = server.app.core().pool().begin().await.unwrap();
    sqlx::query("SELECT id FROM sessions FOR UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
    holder.rollback().await.unwrap();
    let noted = "SELECT count(*) FROM sessions WHERE last_active_at > created_at";
    assert_eq!(count(&server, noted).await, 0);
    me(&server, &person.access).await;
    assert_eq!(count(&server, noted).await, 1);
}

#[tokio::test]
async fn noting_activity_and_refreshing_change_no_indexed_column() {
    let server = server().await;
    let indexed = "SELECT count(*) FROM pg_attribute a JOIN pg_index i ON i.indrelid = a.attrelid
                   WHERE a.attrelid = 'sessions'::regclass AND a.attnum = ANY (i.indkey)
                     AND a.attname IN ('last_active_at', 'rotated_at', 'generation', 'idle_expires_at')";
    assert_eq!(
        count(&server, indexed).await,
        0,
        "such updates stay on their page"
    );
}
