//! Tokens that a change of roles makes stale, and how often one may change them.

use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;
use serde_json::json;

use super::*;
use crate::feed_reader;
use crate::fixtures::{
    PASSWORD, assert_refused, assert_stale, body_of, count, login, me, register, server, text, try_login,
    try_refresh, without_limits,
};

#[tokio::test]
async fn a_change_makes_older_tokens_stale_here_and_at_the_edge() {
    let server = feed_reader::server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let staff = register(&server, "staff@example.com").await;
    let bystander = register(&server, "bystander@example.com").await;
    server.clock.advance(TimeDelta::seconds(5));
    let mut access = staff.access.clone();
    let mut refresh = staff.refresh.clone();
    for (change, roles) in [("grant", json!({VENUE: ["door-staff"]})), ("revoke", json!({}))] {
        assert_eq!(me(&server, &access).await.status(), StatusCode::OK, "{change}");
        let known = feed_reader::read(&server, None).await.cursor();
        let answer = match change {
            "grant" => grant(&server, &owner.access, VENUE, &staff.user_id, "door-staff").await,
            _ => revoke(&server, &owner.access, VENUE, &staff.user_id, None).await,
        };
        assert!(answer.status().is_success(), "{answer:?}");
        assert_stale(me(&server, &access).await).await;
        let told = feed_reader::read(&server, Some(known)).await;
        let not_before = server.clock.now().timestamp() + 1;
        assert_eq!(
            told.subjects,
            [(feed_reader::uuid(&staff.user_id), not_before)].into()
        );
        assert!(told.sessions.is_empty());

        let body = body_of(try_refresh(&server, &refresh).await, StatusCode::OK).await;
        access = text(&body, "/tokens/accessToken");
        refresh = text(&body, "/tokens/refreshToken");
        assert_eq!(claims(&access)["venues"], roles);
        server.clock.advance(TimeDelta::seconds(5));
    }
    assert_eq!(me(&server, &bystander.access).await.status(), StatusCode::OK);
    let trail = "SELECT count(*) FROM audit_events e JOIN users u ON u.id = e.subject_id
                 WHERE u.email = 'staff@example.com' AND e.actor_id IS NOT NULL AND e.tenant_id = u.tenant_id
                   AND e.ip_address IS NOT NULL AND detail->>'venue' = '11111111-1111-7111-8111-111111111111'
                   AND ((e.type = 'venue_role_granted' AND detail->>'role' = 'door-staff')
                     OR (e.type = 'venue_role_revoked' AND detail->'roles' = '[\"door-staff\"]'))";
    assert_eq!(count(&server, trail).await, 2);
}

#[tokio::test]
async fn changes_within_one_second_make_also_those_tokens_stale_that_were_made_in_between() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let staff = register(&server, "staff@example.com").await;
    let (mut access, mut refresh) = (staff.access, staff.refresh);
    for change in ["grant", "revoke", "grant"] {
        let answer = match change {
            "grant" => grant(&server, &owner.access, VENUE, &staff.user_id, "door-staff").await,
            _ => revoke(&server, &owner.access, VENUE, &staff.user_id, None).await,
        };
        assert!(answer.status().is_success(), "{answer:?}");
        assert_stale(me(&server, &access).await).await;
        let body = body_of(try_refresh(&server, &refresh).await, StatusCode::OK).await;
        access = text(&body, "/tokens/accessToken");
        refresh = text(&body, "/tokens/refreshToken");
        assert_eq!(me(&server, &access).await.status(), StatusCode::OK, "{change}");
    }
    // From the fourth on there is no second left that verifiers would grant. The clock of this test stands still, so that
    // waiting for the next one is in vain.
    for role in ["box-office", "venue-manager"] {
        for _ in 0..2 {
            give(&server, &staff.user_id, VENUE, role).await;
            assert_stale(me(&server, &access).await).await;
            assert_done(&revoke(&server, &owner.access, VENUE, &staff.user_id, Some(role)).await);
            for answer in [
                try_refresh(&server, &refresh).await,
                try_login(&server, "staff@example.com", PASSWORD).await,
            ] {
                assert_eq!(answer.headers()["retry-after"], "1");
                assert_refused(answer, 503, "unavailable").await;
            }
        }
    }
    server.clock.advance(TimeDelta::seconds(1));
    let body = body_of(try_refresh(&server, &refresh).await, StatusCode::OK).await;
    let access = text(&body, "/tokens/accessToken");
    let ahead = claims(&access)["iat"].as_i64().unwrap() - server.clock.now().timestamp();
    assert_eq!(ahead, 3, "however many changes there were");
    assert_eq!(claims(&access)["venues"], json!({VENUE: ["door-staff"]}));
    assert_eq!(me(&server, &access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn nobody_is_kept_out_by_having_their_roles_changed_all_the_time() {
    let server = TestServer::start_with(|settings| {
        without_limits(settings);
        settings.insert("PORTCULLIS__LIMITS__ROLE_GRANTS_PER_MINUTE".into(), "3".into());
    })
    .await;
    let admin = admin(&server).await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let another = holder(&server, "another@example.com", "venue-owner").await;
    let others = register(&server, "staff@example.com").await.user_id;
    server.clock.advance(TimeDelta::seconds(2));
    for _ in 0..3 {
        let granted = grant(&server, &owner.access, VENUE, &admin.user_id, "door-staff").await;
        assert_eq!(granted.status(), StatusCode::CREATED);
        assert_done(&revoke(&server, &owner.access, VENUE, &admin.user_id, None).await);
    }
    for access in [&owner.access, &another.access] {
        let refused = grant(&server, access, VENUE, &admin.user_id, "door-staff").await;
        assert_eq!(refused.headers()["retry-after"], "20");
        let problem = assert_refused(refused, 429, "rate_limited").await;
        assert!(problem["violated-policies"].is_array(), "{problem}");
    }
    server.clock.advance(TimeDelta::seconds(1));
    let admin = login(&server, "admin@example.com").await;
    server.clock.advance(TimeDelta::seconds(3));
    for round in 0..6 {
        let granted = grant(
            &server,
            &admin.access,
            &format!("33333333-3333-7333-8333-{round:012}"),
            &others,
            "door-staff",
        )
        .await;
        assert_eq!(granted.status(), StatusCode::CREATED, "an admin may do worse");
    }
    let granted = grant(&server, &owner.access, VENUE, &others, "door-staff").await;
    assert_eq!(granted.status(), StatusCode::CREATED, "others are no part of it");
    assert_done(&revoke(&server, &owner.access, VENUE, &others, None).await);

    give(&server, &owner.user_id, OTHER_VENUE, "venue-owner").await;
    let owner = login(&server, "owner@example.com").await;
    server.clock.advance(TimeDelta::seconds(2));
    let refused = grant(&server, &owner.access, OTHER_VENUE, &admin.user_id, "door-staff").await;
    assert_refused(refused, 429, "rate_limited").await;
    server.clock.advance(TimeDelta::seconds(20));
    let granted = grant(&server, &owner.access, OTHER_VENUE, &admin.user_id, "door-staff").await;
    assert_eq!(granted.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn strangers_do_not_wait_for_a_venue_whose_roles_are_being_changed() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let stranger = register(&server, "stranger@example.com").await;
    server.clock.advance(TimeDelta::seconds(2));
    let mut change = server.app.core().pool().begin().await.unwrap();
    let place = place(DEFAULT_TENANT, VENUE);
    let now = server.clock.now();
    let admitted = rbac::admit(&mut change, place, Granter::Operator, None, now)
        .await
        .unwrap();
    let event = |kind| Event::of_operator(now, &SystemEntropy, kind);
    let staff = owner.user_id.parse().unwrap();
    let role = VenueRole::parse("venue-owner").unwrap();
    let refused = rbac::revoke(&mut change, admitted, staff, Some(role), event, now).await;
    assert!(
        refused.is_err(),
        "the last owner; and the turn at the venue lasts until the transaction ends"
    );

    let refused = grant(&server, &stranger.access, VENUE, &stranger.user_id, "door-staff").await;
    assert_refused(refused, 403, "forbidden").await;
    let refused = revoke(&server, &stranger.access, VENUE, &owner.user_id, None).await;
    assert_refused(refused, 403, "forbidden").await;
    change.rollback().await.unwrap();
}
