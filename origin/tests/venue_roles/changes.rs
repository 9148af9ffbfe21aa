//! Looking at roles, granting them and taking them away, over HTTP.

use futures_util::future::join_all;
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_origin::rbac;
use reqwest::StatusCode;
use serde_json::json;

use super::*;
use crate::fixtures::{
    Person, assert_refused, body_of, count, execute, login, me, moment, register, register_at, replicas,
    server, text, try_refresh,
};

/// Somebody who tries, and what becomes of it.
struct Case {
    who: &'static str,
    access: String,
    may_look: bool,
    may_grant: bool,
}

/// One of each who could be thought to have a say at [`VENUE`].
async fn cases(server: &TestServer) -> Vec<Case> {
    let case = |who, person: Person, may_look, may_grant| Case {
        who,
        access: person.access,
        may_look,
        may_grant,
    };
    let mut cases = vec![
        case("admin", admin(server).await, true, true),
        case(
            "customer",
            register(server, "customer@example.com").await,
            false,
            false,
        ),
    ];
    for role in ROLES {
        let email = format!("{role}@example.com");
        let is_owner = role == "venue-owner";
        cases.push(case(role, holder(server, &email, role).await, true, is_owner));
    }
    let elsewhere = register(server, "elsewhere@example.com").await;
    give(server, &elsewhere.user_id, OTHER_VENUE, "venue-owner").await;
    let elsewhere = login(server, "elsewhere@example.com").await;
    cases.push(case("owner of another venue", elsewhere, false, false));

    let former = register(server, "former@example.com").await;
    let brief = Some(TimeDelta::seconds(3));
    give_in(
        server,
        DEFAULT_TENANT,
        &former.user_id,
        VENUE,
        "venue-owner",
        brief,
    )
    .await;
    server.clock.advance(TimeDelta::seconds(3));
    let former = login(server, "former@example.com").await;
    cases.push(case("owner until just now", former, false, false));

    server.clock.advance(TimeDelta::seconds(2));
    cases
}

async fn server_with_two_tenants() -> TestServer {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES ('00000000-0000-0000-0000-00000000000b', 'other', 'Other', now())",
    )
    .await;
    server
}

#[tokio::test]
async fn what_one_may_see_and_change_follows_from_what_one_holds_at_that_venue_now() {
    let server = server().await;
    let cases = cases(&server).await;
    for role in ROLES {
        let target = register(&server, &format!("target-{role}@example.com")).await;
        for case in &cases {
            let seen = list(&server, &case.access, VENUE).await;
            let granted = grant(&server, &case.access, VENUE, &target.user_id, role).await;
            let revoked = revoke(&server, &case.access, VENUE, &target.user_id, Some(role)).await;
            let statuses = [seen, granted, revoked].map(|answer| answer.status().as_u16());
            let (look, grant, revoke) = match (case.may_look, case.may_grant) {
                (_, true) => (200, 201, 204),
                (true, false) => (200, 403, 403),
                (false, false) => (403, 403, 403),
            };
            assert_eq!(statuses, [look, grant, revoke], "{} {role}", case.who);
        }
    }
}

#[tokio::test]
async fn one_identifier_is_another_venue_in_another_tenant() {
    let server = server_with_two_tenants().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let stranger = register_at(&server, Some("other"), "stranger@example.com").await;
    give_in(
        &server,
        OTHER_TENANT,
        &stranger.user_id,
        VENUE,
        "venue-owner",
        None,
    )
    .await;
    let body = body_of(try_refresh(&server, &stranger.refresh).await, StatusCode::OK).await;
    let access = text(&body, "/tokens/accessToken");
    server.clock.advance(TimeDelta::seconds(2));
    for (access, user) in [(&access, &stranger.user_id), (&owner.access, &owner.user_id)] {
        let listed = body_of(list(&server, access, VENUE).await, StatusCode::OK).await;
        let users: Vec<_> = listed["roles"]
            .as_array()
            .unwrap()
            .iter()
            .map(|grant| &grant["userId"])
            .collect();
        assert_eq!(users, [user.as_str()]);
    }
    for (access, user) in [(&access, &owner.user_id), (&owner.access, &stranger.user_id)] {
        let granted = grant(&server, access, VENUE, user, "door-staff").await;
        assert_refused(granted, 404, "not_found").await;
        let revoked = revoke(&server, access, VENUE, user, None).await;
        assert_refused(revoked, 404, "not_found").await;
    }
}

#[tokio::test]
async fn nobody_who_is_not_signed_in_is_answered() {
    let server = server().await;
    let target = register(&server, "ada@example.com").await;
    for answer in [
        list(&server, "none", VENUE).await,
        grant(&server, "none", VENUE, &target.user_id, "door-staff").await,
        revoke(&server, "none", VENUE, &target.user_id, None).await,
    ] {
        assert_refused(answer, 401, "invalid_token").await;
    }
}

#[tokio::test]
async fn a_grant_says_who_holds_what_by_whom_and_until_when() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let staff = register(&server, "staff@example.com").await;
    server.clock.advance(TimeDelta::seconds(1));
    let first = grant(&server, &owner.access, VENUE, &staff.user_id, "door-staff").await;
    let first = body_of(first, StatusCode::CREATED).await;
    assert_eq!(first["grant"]["userId"], staff.user_id.as_str());
    assert_eq!(first["grant"]["venueId"], VENUE);
    assert_eq!(first["grant"]["role"], "door-staff");
    assert_eq!(first["grant"]["grantedBy"], owner.user_id.as_str());
    assert_eq!(
        moment(&first["grant"]["grantedAt"]).timestamp(),
        server.clock.now().timestamp()
    );
    assert!(first["grant"]["expiresAt"].is_null());

    let again = grant(&server, &owner.access, VENUE, &staff.user_id, "door-staff").await;
    assert_eq!(body_of(again, StatusCode::OK).await, first);

    let listed = body_of(list(&server, &owner.access, VENUE).await, StatusCode::OK).await;
    assert_eq!(listed["roles"].as_array().unwrap().len(), 2);
    assert!(listed["roles"][0]["grantedBy"].is_null(), "by the operator");
    assert_eq!(listed["roles"][1], first["grant"]);
}

#[tokio::test]
async fn the_end_of_a_grant_can_be_moved_and_taken_back() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let staff = register(&server, "staff@example.com").await;
    let end = later(&server, 3600);
    for (expires_at, status, expected) in [
        (Some(json!(end)), 201, json!(end)),
        (None, 200, json!(end)),
        (Some(json!(later(&server, 60))), 200, json!(later(&server, 60))),
        (Some(json!(null)), 200, json!(null)),
        (None, 200, json!(null)),
    ] {
        let mut body = json!({"userId": staff.user_id, "role": "box-office"});
        if let Some(expires_at) = expires_at {
            body["expiresAt"] = expires_at;
        }
        let answer = post(&server, &owner.access, VENUE, &body).await;
        let answer = body_of(answer, StatusCode::from_u16(status).unwrap()).await;
        assert_eq!(answer["grant"]["expiresAt"], expected, "{body}");
    }
    let trail = "SELECT count(*) FROM audit_events WHERE type IN ('venue_role_granted', 'venue_role_changed')
                 AND detail->>'role' = 'box-office' AND actor_id IS NOT NULL";
    assert_eq!(count(&server, trail).await, 3);
}

#[tokio::test]
async fn a_role_that_has_run_out_is_granted_anew() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let staff = register(&server, "staff@example.com").await;
    let brief = Some(TimeDelta::seconds(10));
    give_in(
        &server,
        DEFAULT_TENANT,
        &staff.user_id,
        VENUE,
        "door-staff",
        brief,
    )
    .await;
    server.clock.advance(TimeDelta::seconds(10));
    let gone = revoke(&server, &owner.access, VENUE, &staff.user_id, None).await;
    assert_refused(gone, 404, "not_found").await;
    let anew = grant(&server, &owner.access, VENUE, &staff.user_id, "door-staff").await;
    let anew = body_of(anew, StatusCode::CREATED).await;
    assert_eq!(anew["grant"]["grantedBy"], owner.user_id.as_str());
    assert!(anew["grant"]["expiresAt"].is_null());
    let rows = "SELECT count(*) FROM venue_roles WHERE role = 'door-staff'";
    assert_eq!(count(&server, rows).await, 1);
}

#[tokio::test]
async fn what_cannot_be_granted_is_named_field_by_field() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let staff = register(&server, "staff@example.com").await.user_id;
    let now = later(&server, 0);
    for (body, fields) in [
        (json!({}), &["userId", "role"][..]),
        (json!({"userId": "ada", "role": "admin"}), &["userId", "role"]),
        (json!({"userId": staff, "role": "customer"}), &["role"]),
        (json!({"userId": staff, "role": "Venue-Owner"}), &["role"]),
        (
            json!({"userId": staff, "role": "door-staff", "expiresAt": "tomorrow"}),
            &["expiresAt"],
        ),
        (
            json!({"userId": staff, "role": "door-staff", "expiresAt": "2020-01-01T00:00:00Z"}),
            &["expiresAt"],
        ),
        (
            json!({"userId": staff, "role": "door-staff", "expiresAt": now}),
            &["expiresAt"],
        ),
        (
            json!({"userId": staff, "role": "door-staff", "expiresAt": "+12345-01-01T00:00:00Z"}),
            &["expiresAt"],
        ),
    ] {
        let answer = post(&server, &owner.access, VENUE, &body).await;
        let problem = assert_refused(answer, 400, "validation_failed").await;
        let named: Vec<_> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["field"].as_str().unwrap())
            .collect();
        assert_eq!(named, fields, "{body}");
    }
    for body in [
        json!({"userId": 5, "role": "door-staff"}),
        json!({"userId": staff, "role": "door-staff", "expiresAt": 5}),
    ] {
        let answer = post(&server, &owner.access, VENUE, &body).await;
        assert_refused(answer, 400, "malformed_request").await;
    }
    let answer = revoke(&server, &owner.access, VENUE, &staff, Some("customer")).await;
    assert_refused(answer, 400, "validation_failed").await;
    let far = json!({"userId": staff, "role": "door-staff", "expiresAt": "9999-12-31T23:59:59Z"});
    let answer = post(&server, &owner.access, VENUE, &far).await;
    assert_eq!(answer.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn only_an_account_of_the_tenant_that_may_sign_in_can_be_granted_a_role() {
    let server = server_with_two_tenants().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let foreign = register_at(&server, Some("other"), "ada@example.com").await;
    let disabled = register(&server, "disabled@example.com").await;
    let deleted = register(&server, "deleted@example.com").await;
    execute(
        &server,
        "UPDATE users SET status = 'disabled' WHERE email = 'disabled@example.com';
         UPDATE users SET deleted_at = now() WHERE email = 'deleted@example.com'",
    )
    .await;
    let unknown = "01890000-0000-7000-8000-0000000000ff";
    for user in [&foreign.user_id, &disabled.user_id, &deleted.user_id, unknown] {
        let granted = grant(&server, &owner.access, VENUE, user, "door-staff").await;
        assert_refused(granted, 404, "not_found").await;
        let revoked = revoke(&server, &owner.access, VENUE, user, None).await;
        assert_refused(revoked, 404, "not_found").await;
    }
    let no_venue = list(&server, &owner.access, "first").await;
    assert_refused(no_venue, 404, "not_found").await;
    assert_eq!(count(&server, "SELECT count(*) FROM venue_roles").await, 1);
}

#[tokio::test]
async fn a_grant_that_changes_nothing_tells_nobody() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let staff = holder(&server, "staff@example.com", "door-staff").await;
    let published = count(&server, "SELECT count(*) FROM revocations").await;
    let again = grant(&server, &owner.access, VENUE, &staff.user_id, "door-staff").await;
    assert_eq!(again.status(), StatusCode::OK);
    assert_eq!(
        count(&server, "SELECT count(*) FROM revocations").await,
        published
    );
    server.clock.advance(TimeDelta::seconds(2));
    assert_eq!(me(&server, &staff.access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn one_role_or_all_of_them_are_taken_away() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let staff = register(&server, "staff@example.com").await.user_id;
    for role in &ROLES[1..] {
        give(&server, &staff, VENUE, role).await;
        give(&server, &staff, OTHER_VENUE, role).await;
    }
    let held =
        "SELECT count(*) FROM venue_roles r JOIN users u ON u.id = r.user_id WHERE email LIKE 'staff%'";
    assert_done(&revoke(&server, &owner.access, VENUE, &staff, Some("box-office")).await);
    assert_eq!(count(&server, held).await, 5);
    let again = revoke(&server, &owner.access, VENUE, &staff, Some("box-office")).await;
    assert_refused(again, 404, "not_found").await;
    assert_done(&revoke(&server, &owner.access, VENUE, &staff, None).await);
    assert_eq!(count(&server, held).await, 3);
}

#[tokio::test]
async fn one_role_that_is_granted_many_times_at_once_is_granted_once() {
    let servers = replicas().await;
    let owner = holder(&servers[0], "owner@example.com", "venue-owner").await;
    let staff = register(&servers[0], "staff@example.com").await.user_id;
    let attempts = (0..8).map(|n| grant(&servers[n % 2], &owner.access, VENUE, &staff, "door-staff"));
    let statuses = statuses(join_all(attempts).await);
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 201]);
    let rows = "SELECT count(*) FROM venue_roles WHERE role = 'door-staff'";
    assert_eq!(count(&servers[0], rows).await, 1);
    let events =
        "SELECT count(*) FROM audit_events WHERE type = 'venue_role_granted' AND actor_id IS NOT NULL";
    assert_eq!(count(&servers[0], events).await, 1);
}

#[tokio::test]
async fn grants_that_have_run_out_are_purged_with_a_trace_and_others_stay() {
    let server = server().await;
    let staff = register(&server, "staff@example.com").await.user_id;
    give(&server, &staff, VENUE, "box-office").await;
    for n in 0..120 {
        let venue = format!("33333333-3333-7333-8333-{n:012}");
        let brief = Some(TimeDelta::seconds(60));
        give_in(&server, DEFAULT_TENANT, &staff, &venue, "door-staff", brief).await;
    }
    for (advance, removed) in [(59, 0), (1, 120), (0, 0)] {
        server.clock.advance(TimeDelta::seconds(advance));
        let done = rbac::purge_expired(server.app.core().pool(), &SystemEntropy, server.clock.now())
            .await
            .unwrap();
        assert_eq!(done, removed);
    }
    assert_eq!(count(&server, "SELECT count(*) FROM venue_roles").await, 1);
    let trail =
        "SELECT count(*) FROM audit_events WHERE type = 'venue_role_expired' AND subject_id IS NOT NULL
                 AND tenant_id IS NOT NULL AND actor_id IS NULL AND detail->>'role' = 'door-staff'";
    assert_eq!(count(&server, trail).await, 120);
}
