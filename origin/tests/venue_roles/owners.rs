//! Whom a venue keeps as its owner, and for how long owners may make others.

use futures_util::future::join_all;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::*;
use crate::fixtures::{PASSWORD, assert_refused, body_of, count, execute, login, register, replicas, server};

/// Somebody who owns [`VENUE`] for so many seconds.
async fn owner_for(server: &TestServer, email: &str, seconds: i64) -> Person {
    let person = register(server, email).await;
    let lasting = Some(TimeDelta::seconds(seconds));
    give_in(
        server,
        DEFAULT_TENANT,
        &person.user_id,
        VENUE,
        "venue-owner",
        lasting,
    )
    .await;
    login(server, email).await
}

/// Grants the role of owner with an end, or with none.
async fn own_until(server: &TestServer, access: &str, user: &str, expires_at: Option<String>) -> Response {
    let body = json!({"userId": user, "role": "venue-owner", "expiresAt": expires_at});
    post(server, access, VENUE, &body).await
}

#[tokio::test]
async fn who_is_an_owner_for_a_time_grants_nothing_that_lasts_longer() {
    let server = server().await;
    let lasting = holder(&server, "lasting@example.com", "venue-owner").await;
    let brief = owner_for(&server, "brief@example.com", 600).await;
    let staff = register(&server, "staff@example.com").await.user_id;
    server.clock.advance(TimeDelta::seconds(2));
    let (end, beyond) = (later(&server, 598), later(&server, 599));
    for role in ROLES {
        let until = |end: &str| json!({"userId": staff, "role": role, "expiresAt": end});
        for body in [json!({"userId": staff, "role": role}), until(&beyond)] {
            let answer = post(&server, &brief.access, VENUE, &body).await;
            let problem = assert_refused(answer, 403, "forbidden").await;
            assert!(problem["detail"].as_str().unwrap().contains(&end), "{problem}");
        }
        let answer = post(&server, &brief.access, VENUE, &until(&end)).await;
        assert_eq!(answer.status(), StatusCode::CREATED, "{role}");
        for end in [json!(null), json!(beyond)] {
            let body = json!({"userId": staff, "role": role, "expiresAt": end});
            let answer = post(&server, &brief.access, VENUE, &body).await;
            assert_refused(answer, 403, "forbidden").await;
        }
        let moved = post(&server, &lasting.access, VENUE, &until(&beyond)).await;
        assert_eq!(moved.status(), StatusCode::OK, "{role}");
    }
    let own = own_until(&server, &brief.access, &brief.user_id, None).await;
    assert_refused(own, 403, "forbidden").await;
    let for_good = "SELECT count(*) FROM venue_roles WHERE expires_at IS NULL";
    assert_eq!(count(&server, for_good).await, 1, "the lasting owner's own");
}

#[tokio::test]
async fn who_is_an_owner_for_a_time_takes_no_venue_from_those_who_own_it_for_longer() {
    let server = server().await;
    let lasting = holder(&server, "lasting@example.com", "venue-owner").await;
    holder(&server, "another@example.com", "venue-owner").await;
    let longer = owner_for(&server, "longer@example.com", 900).await;
    let brief = owner_for(&server, "brief@example.com", 600).await;
    let shorter = owner_for(&server, "shorter@example.com", 300).await;
    let staff = holder(&server, "staff@example.com", "door-staff").await;
    server.clock.advance(TimeDelta::seconds(2));
    for person in [&lasting, &longer] {
        for role in [None, Some("venue-owner")] {
            let answer = revoke(&server, &brief.access, VENUE, &person.user_id, role).await;
            assert_refused(answer, 403, "forbidden").await;
        }
        let soon = Some(later(&server, 10));
        let answer = own_until(&server, &brief.access, &person.user_id, soon).await;
        assert_refused(answer, 403, "forbidden").await;
    }
    for person in [&shorter, &staff, &brief] {
        assert_done(&revoke(&server, &brief.access, VENUE, &person.user_id, None).await);
    }
    assert_done(&revoke(&server, &lasting.access, VENUE, &longer.user_id, None).await);
}

#[tokio::test]
async fn an_owner_for_good_is_replaced_only_by_another_for_good() {
    let server = server().await;
    let admin = admin(&server).await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let brief = owner_for(&server, "brief@example.com", 600).await;
    let soon = Some(later(&server, 60));
    let taken = revoke(&server, &admin.access, VENUE, &owner.user_id, None).await;
    assert_refused(taken, 409, "last_owner").await;
    let ended = own_until(&server, &admin.access, &owner.user_id, soon.clone()).await;
    assert_refused(ended, 409, "last_owner").await;

    let kept = own_until(&server, &admin.access, &brief.user_id, None).await;
    body_of(kept, StatusCode::OK).await;
    let ended = own_until(&server, &admin.access, &owner.user_id, soon).await;
    body_of(ended, StatusCode::OK).await;
    let taken = revoke(&server, &admin.access, VENUE, &brief.user_id, None).await;
    assert_refused(taken, 409, "last_owner").await;
    assert_done(&revoke(&server, &admin.access, VENUE, &owner.user_id, None).await);
}

#[tokio::test]
async fn a_venue_that_is_owned_for_a_time_alone_can_lose_its_owner() {
    let server = server().await;
    let admin = admin(&server).await;
    let brief = owner_for(&server, "brief@example.com", 600).await;
    let sooner = Some(later(&server, 60));
    let moved = own_until(&server, &admin.access, &brief.user_id, sooner).await;
    assert_eq!(moved.status(), StatusCode::OK);
    assert_done(&revoke(&server, &admin.access, VENUE, &brief.user_id, None).await);
}

#[tokio::test]
async fn an_owner_who_gives_the_account_up_leaves_a_trace_of_the_venues_without_one() {
    let server = server().await;
    let owner = register(&server, "owner@example.com").await;
    let another = register(&server, "another@example.com").await;
    for venue in [VENUE, OTHER_VENUE] {
        give(&server, &owner.user_id, venue, "venue-owner").await;
    }
    give(&server, &another.user_id, VENUE, "venue-owner").await;
    let owner = login(&server, "owner@example.com").await;
    server.clock.advance(TimeDelta::seconds(3));
    let request = server
        .request(Method::DELETE, "/auth/account")
        .bearer_auth(&owner.access);
    let answer = request.json(&json!({"password": PASSWORD})).send().await.unwrap();
    assert_done(&answer);
    let trail = "SELECT count(*) FROM audit_events WHERE type = 'account_deleted'
                 AND detail->'venuesWithoutOwner' = '[\"22222222-2222-7222-8222-222222222222\"]'";
    assert_eq!(count(&server, trail).await, 1);
}

#[tokio::test]
async fn the_last_owner_stays_whoever_asks_until_there_is_another_who_may_sign_in() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let admin = admin(&server).await;
    let idle = holder(&server, "idle@example.com", "venue-owner").await;
    give(&server, &owner.user_id, VENUE, "door-staff").await;
    let owner = login(&server, "owner@example.com").await;
    server.clock.advance(TimeDelta::seconds(2));
    execute(
        &server,
        "UPDATE users SET status = 'disabled' WHERE email = 'idle@example.com'",
    )
    .await;
    for access in [&owner.access, &admin.access] {
        for role in [None, Some("venue-owner")] {
            let answer = revoke(&server, access, VENUE, &owner.user_id, role).await;
            assert_refused(answer, 409, "last_owner").await;
        }
    }
    execute(
        &server,
        "UPDATE users SET status = 'active' WHERE email = 'idle@example.com'",
    )
    .await;
    assert_done(&revoke(&server, &owner.access, VENUE, &owner.user_id, None).await);
    let answer = revoke(&server, &admin.access, VENUE, &idle.user_id, None).await;
    assert_refused(answer, 409, "last_owner").await;
    replace_owner(&server, &admin, &owner.user_id, &idle.user_id).await;
}

/// Makes somebody an owner, after which the one before may go.
async fn replace_owner(server: &TestServer, admin: &Person, new: &str, old: &str) {
    let granted = grant(server, &admin.access, VENUE, new, "venue-owner").await;
    assert_eq!(granted.status(), StatusCode::CREATED);
    assert_done(&revoke(server, &admin.access, VENUE, old, None).await);
}

#[tokio::test]
async fn of_the_last_two_owners_one_stays_however_they_are_taken_away_at_once() {
    let servers = replicas().await;
    let admin = admin(&servers[0]).await;
    let mut owners = Vec::new();
    for email in ["one@example.com", "two@example.com"] {
        owners.push(register(&servers[0], email).await.user_id);
    }
    for round in 0..10 {
        let venue = format!("33333333-3333-7333-8333-{round:012}");
        for owner in &owners {
            give(&servers[0], owner, &venue, "venue-owner").await;
        }
        let attempts = (0..6).map(|n| revoke(&servers[n % 2], &admin.access, &venue, &owners[n % 2], None));
        let statuses = statuses(join_all(attempts).await);
        let done = statuses.iter().filter(|status| **status == 204).count();
        assert_eq!(done, 1, "{statuses:?}");
        assert!(
            statuses.iter().all(|status| [204, 404, 409].contains(status)),
            "{statuses:?}"
        );
        assert!(statuses.contains(&409), "{statuses:?}");
    }
    assert_eq!(count(&servers[0], "SELECT count(*) FROM venue_roles").await, 10);
}

#[tokio::test]
async fn of_two_owners_who_take_each_other_away_at_once_one_succeeds() {
    let servers = replicas().await;
    for round in 0..6 {
        let venue = format!("33333333-3333-7333-8333-{round:012}");
        let mut owners = Vec::new();
        for name in ["one", "two"] {
            let email = format!("{name}-{round}@example.com");
            let person = register(&servers[0], &email).await;
            give(&servers[0], &person.user_id, &venue, "venue-owner").await;
            owners.push(login(&servers[0], &email).await);
        }
        for server in &servers {
            server.clock.advance(TimeDelta::seconds(2));
        }
        let [one, two] = [0, 1].map(|n| {
            let (by, of) = (&owners[n], &owners[1 - n]);
            revoke(&servers[n], &by.access, &venue, &of.user_id, None)
        });
        let (one, two) = tokio::join!(one, two);
        let statuses = statuses(vec![one, two]);
        // The other is no owner any more, and its token may be stale by then.
        assert_eq!(statuses[0], 204, "{statuses:?}");
        assert!([401, 403].contains(&statuses[1]), "{statuses:?}");
    }
}
