//! Tenants are strangers to each other.

use portcullis_origin::accounts::EmailAddress;
use portcullis_origin::kernel::ids::{Id as _, TenantId};
use reqwest::{Response, StatusCode};
use serde_json::json;

use crate::common::TestServer;
use crate::fixtures::{
    DEFAULT_TENANT, PASSWORD, assert_refused, body_of, count, execute, register, register_at, registration,
    server,
};

async fn server_with_two_tenants() -> TestServer {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES ('00000000-0000-0000-0000-00000000000b', 'other', 'Other', now())",
    )
    .await;
    server
}

async fn login_at(server: &TestServer, tenant: &str, email: &str) -> Response {
    let body = json!({"email": email, "password": PASSWORD});
    server
        .post("/auth/login")
        .header("x-tenant", tenant)
        .json(&body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn one_address_may_have_an_account_in_each_tenant() {
    let server = server_with_two_tenants().await;
    let here = register(&server, "ada@example.com").await;
    let there = register_at(&server, Some("other"), "ada@example.com").await;
    assert_ne!(here.user_id, there.user_id);
    assert_eq!(here.body["user"]["tenantId"], DEFAULT_TENANT);
    assert_eq!(
        there.body["user"]["tenantId"],
        "00000000-0000-0000-0000-00000000000b"
    );

    let explicit = body_of(
        login_at(&server, "default", "ada@example.com").await,
        StatusCode::OK,
    )
    .await;
    assert_eq!(explicit["user"]["id"], here.user_id.as_str());
    let other = body_of(
        login_at(&server, "other", "ada@example.com").await,
        StatusCode::OK,
    )
    .await;
    assert_eq!(other["user"]["id"], there.user_id.as_str());
}

#[tokio::test]
async fn nobody_signs_in_to_a_tenant_they_have_no_account_in() {
    let server = server_with_two_tenants().await;
    register(&server, "ada@example.com").await;
    assert_refused(
        login_at(&server, "other", "ada@example.com").await,
        401,
        "invalid_credentials",
    )
    .await;
    let refused = "SELECT count(*) FROM audit_events WHERE type = 'login_failed' AND subject_id IS NULL
                   AND tenant_id = '00000000-0000-0000-0000-00000000000b'";
    assert_eq!(count(&server, refused).await, 1);
}

#[tokio::test]
async fn a_token_is_good_in_its_own_tenant_only() {
    let server = server_with_two_tenants().await;
    let person = register(&server, "ada@example.com").await;
    let me_at = async |tenant: &str| {
        server
            .get("/auth/me")
            .bearer_auth(&person.access)
            .header("x-tenant", tenant)
            .send()
            .await
            .unwrap()
    };
    assert_eq!(me_at("default").await.status(), StatusCode::OK);
    assert_refused(me_at("other").await, 401, "invalid_token").await;
    assert_refused(me_at("nowhere").await, 400, "unknown_tenant").await;

    let refresh_at = async |tenant: &str| {
        let body = json!({"refreshToken": person.refresh});
        server
            .post("/auth/refresh")
            .header("x-tenant", tenant)
            .json(&body)
            .send()
            .await
            .unwrap()
    };
    assert_refused(refresh_at("other").await, 401, "invalid_refresh_token").await;
    assert_refused(refresh_at("nowhere").await, 400, "unknown_tenant").await;
    assert_eq!(
        refresh_at("default").await.status(),
        StatusCode::OK,
        "and nothing was lost by asking elsewhere"
    );
}

#[tokio::test]
async fn a_tenant_that_does_not_exist_is_said_not_to() {
    let server = server_with_two_tenants().await;
    for tenant in ["nowhere", "", "DEFAULT", "default ' OR 1=1", "\u{e4}"] {
        assert_refused(
            login_at(&server, tenant, "ada@example.com").await,
            400,
            "unknown_tenant",
        )
        .await;
        let request = server
            .post("/auth/register")
            .header("x-tenant", tenant)
            .json(&registration("a@example.com"));
        assert_refused(request.send().await.unwrap(), 400, "unknown_tenant").await;
    }
    assert_eq!(count(&server, "SELECT count(*) FROM users").await, 0);
}

#[tokio::test]
async fn looking_an_account_up_stays_within_the_tenant() {
    let server = server_with_two_tenants().await;
    let person = register_at(&server, Some("other"), "ada@example.com").await;
    let email = EmailAddress::parse("ada@example.com").unwrap();
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let in_tenant = |id: u128| TenantId::from_uuid(uuid::Uuid::from_u128(id));
    let found = portcullis_origin::accounts::find_credentials(&mut connection, in_tenant(0xb), &email)
        .await
        .unwrap();
    assert_eq!(found.unwrap().user.id.to_string(), person.user_id);
    let found = portcullis_origin::accounts::find_credentials(&mut connection, in_tenant(1), &email)
        .await
        .unwrap();
    assert!(found.is_none());
}

#[tokio::test]
async fn a_session_is_found_only_by_all_three_of_its_names() {
    let server = server_with_two_tenants().await;
    let here = register(&server, "ada@example.com").await;
    let there = register_at(&server, Some("other"), "ada@example.com").await;
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let clock = server.app.core().clock().now();
    let tenant = |text: &str| text.parse::<TenantId>().unwrap();
    for (session, of_tenant, user, is_found) in [
        (&here.session_id, DEFAULT_TENANT, &here.user_id, true),
        (
            &here.session_id,
            "00000000-0000-0000-0000-00000000000b",
            &here.user_id,
            false,
        ),
        (&here.session_id, DEFAULT_TENANT, &there.user_id, false),
        (&there.session_id, DEFAULT_TENANT, &here.user_id, false),
    ] {
        let (session, user) = (session.parse().unwrap(), user.parse().unwrap());
        let found =
            portcullis_origin::sessions::find_live(&mut connection, session, tenant(of_tenant), user, clock)
                .await;
        assert_eq!(found.unwrap().is_some(), is_found);
    }
}
