//! `GET /edge/revocations`: who is told, what, in which order, and for how long.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::ids::{Id as _, SessionId, TenantId, UserId};
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_origin::revocations::{self, Revocation};
use portcullis_shared::revocation::signature::{Content, SignedAnswer, verify};
use portcullis_shared::revocation::{Cursor, Feed, MAX_FEED_BYTES};
use reqwest::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use crate::common::TestServer;
use crate::feed_reader::{believed, forwarded, key, read, request, server, uuid};
use crate::fixtures::{
    DEFAULT_TENANT, assert_refused, audit_trail, count, execute, login, refresh, register, try_refresh,
};

/// The life of an access token by default, and the margin.
const LIFETIME: TimeDelta = TimeDelta::seconds(960);

fn tenant() -> TenantId {
    DEFAULT_TENANT.parse().unwrap()
}

fn session(number: u128) -> Revocation {
    Revocation::Session {
        tenant: tenant(),
        session: SessionId::from_uuid(Uuid::from_u128(number)),
    }
}

fn stale(user: u128, not_before: i64) -> Revocation {
    Revocation::Subject {
        tenant: tenant(),
        user: UserId::from_uuid(Uuid::from_u128(user)),
        not_before: portcullis_origin::kernel::time::Timestamp::from_timestamp(not_before, 0).unwrap(),
    }
}

async fn publish(server: &TestServer, entries: &[Revocation]) {
    let mut transaction = server.app.core().pool().begin().await.unwrap();
    revocations::publish(&mut transaction, entries, server.clock.now())
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

async fn logout(server: &TestServer, access: &str) {
    let answer = server
        .post("/auth/logout")
        .bearer_auth(access)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn nobody_but_the_edge_itself_is_told() {
    let server = server().await;
    let unsigned = server.get("/edge/revocations").send().await.unwrap();
    assert_refused(unsigned, 401, "invalid_edge_signature").await;
    // Whether the cursor could be read is nobody else's business either.
    let unsigned = server.get("/edge/revocations?cursor=x").send().await.unwrap();
    assert_refused(unsigned, 401, "invalid_edge_signature").await;
    let stranger = portcullis_shared::request_signature::SigningKey::new("one", &[7; 32]).unwrap();
    let forged = request(&server, &stranger, None, &[]).send().await.unwrap();
    assert_refused(forged, 401, "invalid_edge_signature").await;
    // A request that the edge has passed on for a client is not its own.
    for client in [&[("x-auth-client-ip", "203.0.113.7")][..], &[]] {
        let forwarded = forwarded(&server, &key("one"), client).send().await.unwrap();
        assert_refused(forwarded, 401, "invalid_edge_signature").await;
    }
    let person = register(&server, "ada@example.com").await;
    let bearer = server.get("/edge/revocations").bearer_auth(&person.access);
    assert_refused(bearer.send().await.unwrap(), 401, "invalid_edge_signature").await;
}

#[tokio::test]
async fn a_cursor_that_is_none_is_a_mistake_of_form() {
    let server = server().await;
    for query in [
        "cursor=",
        "cursor=1",
        "cursor=01.0",
        "cursor=1.-1",
        "cursor=1.9223372036854775808",
        "cursor=1.0&cursor=1.0",
    ] {
        let answer = request(&server, &key("one"), Some(query), &[])
            .send()
            .await
            .unwrap();
        assert_refused(answer, 400, "malformed_request").await;
    }
    assert_eq!(count(&server, "SELECT epoch FROM revocation_state").await, 1);
}

#[tokio::test]
async fn an_answer_is_signed_with_the_key_that_it_was_asked_with() {
    let server = server().await;
    publish(&server, &[session(1), stale(2, 1_700_000_001)]).await;
    for id in ["one", "two"] {
        let answer = request(&server, &key(id), None, &[]).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.headers()["cache-control"], "max-age=1");
        let feed = believed(&server, answer, id).await;
        let expected = Feed {
            as_of: server.clock.now().timestamp(),
            epoch: 1,
            seq: 2,
            since: None,
            lifetime: 960,
            key_set_version: feed.key_set_version,
            sessions: vec![Uuid::from_u128(1)],
            subjects: [(Uuid::from_u128(2), 1_700_000_001)].into(),
        };
        assert_eq!(feed, expected);
    }
}

#[tokio::test]
async fn the_edge_is_told_once_and_then_only_what_is_new() {
    let server = server().await;
    let empty = read(&server, None).await;
    assert_eq!((empty.cursor(), empty.since), (Cursor { epoch: 1, seq: 0 }, None));
    publish(&server, &[session(1), session(2)]).await;
    let first = read(&server, Some(empty.cursor())).await;
    assert_eq!((first.seq, first.since), (2, Some(0)));
    assert_eq!(first.sessions, [1, 2].map(Uuid::from_u128));
    publish(&server, &[session(3)]).await;
    let second = read(&server, Some(first.cursor())).await;
    assert_eq!((second.seq, second.since), (3, Some(2)));
    assert_eq!(second.sessions, [3].map(Uuid::from_u128));
    let nothing = read(&server, Some(second.cursor())).await;
    assert_eq!((nothing.seq, nothing.since), (3, Some(3)));
    assert!(nothing.sessions.is_empty() && nothing.subjects.is_empty());
}

#[tokio::test]
async fn a_state_that_is_known_already_costs_no_body() {
    let server = server().await;
    publish(&server, &[session(1)]).await;
    let feed = read(&server, None).await;
    let query = format!("cursor={}", feed.cursor());
    let ask = |etag: String| {
        request(&server, &key("one"), Some(&query), &[])
            .header("if-none-match", etag)
            .send()
    };
    server.clock.advance(TimeDelta::seconds(2));
    let answer = ask(feed.etag()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
    let header = |name: &str| answer.headers()[name].to_str().unwrap();
    assert_eq!(
        (header("etag"), header("cache-control")),
        (feed.etag().as_str(), "max-age=1")
    );
    let signed = SignedAnswer {
        content: Content::Unchanged,
        etag: header("etag"),
        content_digest: None,
        signature_input: header("signature-input"),
        signature: header("signature"),
    };
    let now = server.clock.now().timestamp();
    assert_eq!(
        verify(&signed, &key("one"), now),
        Ok(now),
        "it is true for the later moment"
    );

    publish(&server, &[session(2)]).await;
    assert_eq!(ask(feed.etag()).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_key_that_is_taken_out_before_its_time_is_told_like_an_entry() {
    let server = server().await;
    let feed = read(&server, None).await;
    execute(
        &server,
        "UPDATE key_set SET version = version + 1, minimum_version = version + 1",
    )
    .await;
    let told = request(
        &server,
        &key("one"),
        Some(&format!("cursor={}", feed.cursor())),
        &[],
    )
    .header("if-none-match", feed.etag())
    .send()
    .await
    .unwrap();
    let told = believed(&server, told, "one").await;
    assert!(told.key_set_version > feed.key_set_version);
    assert_eq!(told.cursor(), feed.cursor());
}

#[tokio::test]
async fn whatever_ends_a_session_is_told() {
    let server = server().await;
    let mut known = read(&server, None).await.cursor();
    let mut told = async |server: &TestServer| {
        let feed = read(server, Some(known)).await;
        known = feed.cursor();
        assert!(feed.subjects.is_empty());
        feed.sessions.into_iter().collect::<BTreeSet<_>>()
    };
    let first = register(&server, "ada@example.com").await;
    refresh(&server, &first.refresh).await;
    assert!(
        told(&server).await.is_empty(),
        "signing in and refreshing end nothing"
    );

    logout(&server, &first.access).await;
    assert_eq!(told(&server).await, [uuid(&first.session_id)].into());

    let stolen = login(&server, "ada@example.com").await;
    let second = refresh(&server, &stolen.refresh).await;
    refresh(&server, &second).await;
    assert_refused(
        try_refresh(&server, &stolen.refresh).await,
        401,
        "refresh_token_reused",
    )
    .await;
    assert_eq!(told(&server).await, [uuid(&stolen.session_id)].into());
    assert_refused(
        try_refresh(&server, &stolen.refresh).await,
        401,
        "invalid_refresh_token",
    )
    .await;
    assert!(told(&server).await.is_empty(), "it has ended already");

    let (lost, other) = (
        login(&server, "ada@example.com").await,
        login(&server, "ada@example.com").await,
    );
    let current = login(&server, "ada@example.com").await;
    let delete = |path: String| {
        server
            .request(Method::DELETE, &path)
            .bearer_auth(&current.access)
            .send()
    };
    delete(format!("/auth/sessions/{}", lost.session_id))
        .await
        .unwrap();
    assert_eq!(told(&server).await, [uuid(&lost.session_id)].into());
    delete("/auth/sessions/all?includeCurrent=true".into())
        .await
        .unwrap();
    assert_eq!(
        told(&server).await,
        [&other, &current].map(|person| uuid(&person.session_id)).into()
    );
}

#[tokio::test]
async fn an_entry_is_told_as_long_as_a_token_may_live_and_then_removed() {
    let server = server().await;
    publish(&server, &[session(1), stale(2, 1_700_000_001)]).await;
    server.clock.advance(LIFETIME - TimeDelta::seconds(1));
    publish(&server, &[session(3)]).await;
    assert_eq!(read(&server, None).await.sessions.len(), 2);
    server.clock.advance(TimeDelta::seconds(1));
    let feed = read(&server, None).await;
    assert_eq!((feed.sessions, feed.seq), (vec![Uuid::from_u128(3)], 3));
    assert!(feed.subjects.is_empty());

    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let now = server.clock.now();
    let purged = revocations::purge_expired(&mut connection, LIFETIME, now)
        .await
        .unwrap();
    assert_eq!(purged, 2);
    assert_eq!(count(&server, "SELECT count(*) FROM revocations").await, 1);
    // What is gone no longer matters, also to an edge that has not heard of it.
    let behind = read(&server, Some(Cursor { epoch: 1, seq: 0 })).await;
    assert_eq!(
        (behind.since, behind.sessions),
        (Some(0), vec![Uuid::from_u128(3)])
    );
}

#[tokio::test]
async fn the_purge_goes_on_until_all_batches_are_done() {
    let server = server().await;
    let entries: Vec<Revocation> = (1..=2345).map(session).collect();
    publish(&server, &entries).await;
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let later = server.clock.now() + LIFETIME;
    let purged = revocations::purge_expired(&mut connection, LIFETIME, later)
        .await
        .unwrap();
    assert_eq!(purged, 2345);
}

#[tokio::test]
async fn of_several_moments_of_one_account_the_newest_is_told() {
    let server = server().await;
    publish(&server, &[stale(2, 1_700_000_005), stale(2, 1_700_000_009)]).await;
    publish(&server, &[stale(2, 1_700_000_007), stale(3, 1_700_000_001)]).await;
    let feed = read(&server, None).await;
    let expected = [
        (Uuid::from_u128(2), 1_700_000_009),
        (Uuid::from_u128(3), 1_700_000_001),
    ];
    assert_eq!(feed.subjects, expected.into());
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told_and_takes_no_number() {
    let server = server().await;
    let mut transaction = server.app.core().pool().begin().await.unwrap();
    revocations::publish(&mut transaction, &[session(1)], server.clock.now())
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    publish(&server, &[session(2)]).await;
    publish(&server, &[]).await;
    let feed = read(&server, None).await;
    assert_eq!((feed.seq, feed.sessions), (1, vec![Uuid::from_u128(2)]));
}

#[tokio::test]
async fn no_entry_is_stepped_over_while_many_publish() {
    const WRITERS: u128 = 8;
    const ROUNDS: u128 = 25;
    let server = server().await;
    let pool = server.app.core().pool();
    let now = server.clock.now();
    let write = async |writer: u128| {
        let mut committed = Vec::new();
        for round in 0..ROUNDS {
            let first = (writer * ROUNDS + round) * 3 + 1;
            let entries: Vec<u128> = (first..first + 1 + round % 3).collect();
            let mut transaction = pool.begin().await.unwrap();
            let revoked: Vec<Revocation> = entries.iter().copied().map(session).collect();
            revocations::publish(&mut transaction, &revoked, now)
                .await
                .unwrap();
            // Others take their numbers, or would, while this transaction is still open.
            tokio::task::yield_now().await;
            if round % 5 == 4 {
                transaction.rollback().await.unwrap();
            } else {
                transaction.commit().await.unwrap();
                committed.extend(entries.into_iter().map(Uuid::from_u128));
            }
        }
        committed
    };
    let written = std::cell::Cell::new(false);
    let writers = async {
        let committed = join_all((0..WRITERS).map(write)).await;
        written.set(true);
        committed.concat()
    };
    let reader = async {
        let (mut known, mut heard, mut polls) = (Cursor { epoch: 1, seq: 0 }, Vec::new(), 0);
        loop {
            let last = written.get();
            let feed = read(&server, Some(known)).await;
            assert_eq!(feed.since, Some(known.seq));
            assert_eq!(
                feed.seq - known.seq,
                feed.sessions.len() as u64,
                "numbers have no gaps"
            );
            known = feed.cursor();
            heard.extend(feed.sessions);
            polls += 1;
            if last {
                break (heard, polls);
            }
        }
    };
    let (committed, (heard, polls)) = tokio::join!(writers, reader);
    println!(
        "{} entries by {WRITERS} writers were heard in {polls} polls",
        heard.len()
    );
    assert_eq!(heard.len(), committed.len(), "each is heard once");
    assert_eq!(
        heard.into_iter().collect::<BTreeSet<_>>(),
        committed.into_iter().collect::<BTreeSet<_>>()
    );
    assert!(polls > 10, "the reader was to come in between");
}

#[tokio::test]
async fn a_database_that_was_set_back_begins_a_new_epoch() {
    let server = server().await;
    publish(&server, &[session(1), session(2), session(3)]).await;
    let before = read(&server, None).await.cursor();
    // As after a restore from an earlier backup, and two revocations since.
    execute(
        &server,
        "DELETE FROM revocations WHERE seq > 1; UPDATE revocation_state SET seq = 1",
    )
    .await;
    publish(&server, &[session(8)]).await;

    let told = read(&server, Some(before)).await;
    assert_eq!((told.epoch, told.seq, told.since), (2, 2, None));
    assert_eq!(told.sessions, [1, 8].map(Uuid::from_u128));
    assert_eq!(audit_trail(&server).await, ["feed_epoch_begun"]);
    let event = "SELECT count(*) FROM audit_events WHERE detail = '{\"epoch\": 2, \"known\": \"1.3\"}'";
    assert_eq!(count(&server, event).await, 1);

    // Whoever was not ahead is told everything too, since its numbers are of another life.
    let behind = read(&server, Some(Cursor { epoch: 1, seq: 2 })).await;
    assert_eq!((behind.cursor(), behind.since), (told.cursor(), None));
    publish(&server, &[session(9)]).await;
    let next = read(&server, Some(told.cursor())).await;
    assert_eq!((next.epoch, next.seq, next.since), (2, 3, Some(2)));
    assert_eq!(audit_trail(&server).await.len(), 1);
}

#[tokio::test]
async fn a_database_from_before_the_epoch_goes_beyond_it() {
    let server = server().await;
    let told = read(&server, Some(Cursor { epoch: 7, seq: 0 })).await;
    assert_eq!((told.epoch, told.seq, told.since), (8, 0, None));
}

#[tokio::test]
async fn a_cursor_that_no_edge_can_have_does_not_use_up_the_epochs() {
    let server = server().await;
    for epoch in [1_002, i64::MAX.unsigned_abs()] {
        let told = read(&server, Some(Cursor { epoch, seq: 0 })).await;
        assert_eq!((told.epoch, told.since), (1, None), "{epoch}");
    }
    assert!(audit_trail(&server).await.is_empty());
}

#[tokio::test]
async fn edges_that_are_ahead_at_once_begin_one_epoch() {
    let server = server().await;
    let ahead = (10..26).map(|seq| read(&server, Some(Cursor { epoch: 1, seq })));
    for feed in join_all(ahead).await {
        assert_eq!((feed.epoch, feed.since), (2, None));
    }
    assert_eq!(audit_trail(&server).await, ["feed_epoch_begun"]);
}

#[tokio::test]
async fn a_hundred_thousand_entries_are_one_answer() {
    let server = server().await;
    let fill = "INSERT INTO revocations (seq, tenant_id, session_id, user_id, not_before, published_at)
                SELECT n, '00000000-0000-0000-0000-000000000001',
                       CASE WHEN n % 10 > 0 THEN gen_random_uuid() END, CASE WHEN n % 10 = 0 THEN gen_random_uuid() END,
                       CASE WHEN n % 10 = 0 THEN 'epoch'::timestamptz END, now() + interval '1 hour'
                FROM generate_series(1, 100000) AS n;
                UPDATE revocation_state SET seq = 100000";
    execute(&server, fill).await;
    let begun = std::time::Instant::now();
    let answer = request(&server, &key("one"), None, &[]).send().await.unwrap();
    let length = answer.content_length().unwrap();
    let feed = believed(&server, answer, "one").await;
    println!("100,000 entries: {length} bytes in {:?}", begun.elapsed());
    assert_eq!((feed.sessions.len(), feed.subjects.len()), (90_000, 10_000));
    assert!(usize::try_from(length).unwrap() < MAX_FEED_BYTES / 2);
}

#[tokio::test]
async fn the_feed_is_of_the_agreed_form() {
    let server = server().await;
    publish(&server, &[session(1)]).await;
    let answer = request(&server, &key("one"), Some("cursor=1.0"), &[])
        .send()
        .await
        .unwrap();
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(
        body,
        json!({
            "as_of": server.clock.now().timestamp(), "epoch": 1, "seq": 1, "since": 0, "lifetime": 960,
            "key_set_version": body["key_set_version"], "subjects": {},
            "sessions": ["00000000-0000-0000-0000-000000000001"],
        })
    );
}
