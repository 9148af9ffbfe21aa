//! What somebody is told of their own permissions.

use portcullis_origin::rbac::VenueRole;
use portcullis_shared::roles::{self, VENUE_ROLES};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::fixtures::{assert_refused, body_of, execute, login, register, server};

async fn own(server: &TestServer, access: &str, venue: Option<&str>) -> Response {
    let query = venue.map(|venue| format!("?venueId={venue}")).unwrap_or_default();
    let request = server.get(&format!("/auth/me/permissions{query}"));
    request.bearer_auth(access).send().await.unwrap()
}

async fn authorize(server: &TestServer, access: &str, body: &Value) -> Response {
    let request = server.post("/auth/authorize").bearer_auth(access).json(body);
    request.send().await.unwrap()
}

/// Every permission that the table of roles knows, and one that it does not.
fn all_permissions() -> Vec<&'static str> {
    let mut all: Vec<_> = VENUE_ROLES
        .into_iter()
        .chain(["customer"])
        .flat_map(|role| roles::permissions_of(role).unwrap())
        .copied()
        .chain(["roles:manage", "withdraw:funds"])
        .filter(|permission| *permission != "*")
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[tokio::test]
async fn each_role_permits_at_its_venue_what_the_table_says_and_nothing_at_another() {
    let server = server().await;
    for role in ROLES {
        let person = holder(&server, &format!("{role}@example.com"), role).await;
        for permission in all_permissions() {
            let as_customer = roles::grants(
                roles::permissions_of("customer").unwrap().iter().copied(),
                permission,
            );
            let by_role = roles::grants(roles::permissions_of(role).unwrap().iter().copied(), permission);
            for (venue, by_venue) in [(Some(VENUE), by_role), (Some(OTHER_VENUE), false), (None, false)] {
                let expected = match (as_customer, by_venue) {
                    (true, _) => json!({"allowed": true, "reason": "global_role"}),
                    (false, true) => json!({"allowed": true, "reason": "venue_role"}),
                    (false, false) => json!({"allowed": false, "reason": "not_granted"}),
                };
                let body = json!({"permission": permission, "venueId": venue});
                let answer = authorize(&server, &person.access, &body).await;
                assert_eq!(body_of(answer, StatusCode::OK).await, expected, "{role} {body}");
            }
        }
    }
}

#[tokio::test]
async fn an_admin_may_do_everything_everywhere() {
    let server = server().await;
    let admin = admin(&server).await;
    for venue in [Some(VENUE), None] {
        let body = json!({"permission": "roles:manage", "venueId": venue});
        let answer = body_of(authorize(&server, &admin.access, &body).await, StatusCode::OK).await;
        assert_eq!(answer, json!({"allowed": true, "reason": "global_role"}));
    }
}

#[tokio::test]
async fn ones_own_permissions_are_the_global_ones_and_those_of_the_venue() {
    let server = server().await;
    let person = holder(&server, "ada@example.com", "door-staff").await;
    let customer = json!([
        "tickets:purchase",
        "tickets:view-own",
        "tickets:transfer-own",
        "profile:update-own"
    ]);
    for (venue, permissions, roles) in [
        (None, customer.clone(), json!(["customer"])),
        (Some(OTHER_VENUE), customer, json!([])),
        (
            Some(VENUE),
            json!([
                "tickets:purchase",
                "tickets:view-own",
                "tickets:transfer-own",
                "profile:update-own",
                "tickets:validate",
                "tickets:view"
            ]),
            json!(["door-staff"]),
        ),
    ] {
        let answer = body_of(own(&server, &person.access, venue).await, StatusCode::OK).await;
        assert_eq!(
            answer,
            json!({"permissions": permissions, "roles": roles}),
            "{venue:?}"
        );
    }
}

/// The old service asked for `expires_at > now OR expires_at IS NULL` without brackets, and so gave every account the
/// unexpiring roles of all others.
#[tokio::test]
async fn unexpiring_roles_of_others_and_of_other_venues_are_nobody_elses() {
    let server = server().await;
    holder(&server, "owner@example.com", "venue-owner").await;
    let person = register(&server, "ada@example.com").await;
    give(&server, &person.user_id, OTHER_VENUE, "venue-owner").await;
    let person = login(&server, "ada@example.com").await;
    assert_eq!(
        claims(&person.access)["venues"],
        json!({OTHER_VENUE: ["venue-owner"]})
    );
    let answer = body_of(own(&server, &person.access, Some(VENUE)).await, StatusCode::OK).await;
    assert_eq!(answer["roles"], json!([]));
    let stranger = register(&server, "eve@example.com").await;
    let answer = body_of(own(&server, &stranger.access, Some(VENUE)).await, StatusCode::OK).await;
    assert_eq!(answer["roles"], json!([]));
}

#[tokio::test]
async fn what_is_asked_for_must_be_sayable() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    for body in [
        json!({}),
        json!({"permission": ""}),
        json!({"permission": "x".repeat(101)}),
        json!({"permission": "tickets:view", "venueId": "first"}),
    ] {
        let answer = authorize(&server, &person.access, &body).await;
        assert_refused(answer, 400, "validation_failed").await;
    }
    let answer = own(&server, &person.access, Some("first")).await;
    assert_refused(answer, 400, "validation_failed").await;
    let answer = own(&server, &person.access, Some(&format!("{VENUE}&venueId={VENUE}"))).await;
    assert_refused(answer, 400, "malformed_request").await;
    assert_refused(own(&server, "none", None).await, 401, "invalid_token").await;
    let answer = authorize(&server, "none", &json!({"permission": "tickets:view"})).await;
    assert_refused(answer, 401, "invalid_token").await;
}

#[tokio::test]
async fn the_schema_and_the_table_of_roles_know_the_same_names() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    for role in VENUE_ROLES {
        assert!(VenueRole::parse(role).is_some());
        give(&server, &person.user_id, VENUE, role).await;
    }
    execute(&server, "DELETE FROM users").await;
}
