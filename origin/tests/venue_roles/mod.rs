//! Roles at venues: who may look, grant and take away, what tokens say of it, and what the edge is told.

mod changes;
mod command_line;
mod edge_question;
mod owners;
mod permissions;
mod staleness;
mod tokens;

use portcullis_origin::audit::Event;
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::ids::{GrantId, Id as _};
use portcullis_origin::kernel::random::SystemEntropy;
use portcullis_origin::kernel::time::{TimeDelta, rfc3339};
use portcullis_origin::rbac::{self, Expiry, Granted, Granter, NewGrant, Place, VenueRole};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{DEFAULT_TENANT, Person, login, register};

const VENUE: &str = "11111111-1111-7111-8111-111111111111";
const OTHER_VENUE: &str = "22222222-2222-7222-8222-222222222222";
const OTHER_TENANT: &str = "00000000-0000-0000-0000-00000000000b";

const ROLES: [&str; 4] = ["venue-owner", "venue-manager", "box-office", "door-staff"];

fn place(tenant: &str, venue: &str) -> Place {
    Place {
        tenant: tenant.parse().unwrap(),
        venue: venue.parse().unwrap(),
    }
}

/// Grants a role as the operator does, in a tenant, for some time or for good.
async fn give_in(
    server: &TestServer,
    tenant: &str,
    user: &str,
    venue: &str,
    role: &str,
    lasting: Option<TimeDelta>,
) {
    let now = server.clock.now();
    let new = NewGrant {
        user: user.parse().unwrap(),
        role: VenueRole::parse(role).unwrap(),
        expiry: lasting.map_or(Expiry::Never, |lasting| Expiry::At(now + lasting)),
    };
    let mut transaction = server.app.core().pool().begin().await.unwrap();
    let place = place(tenant, venue);
    let admitted = rbac::admit(&mut transaction, place, Granter::Operator, None, now)
        .await
        .unwrap();
    let id = GrantId::generate(now, &SystemEntropy);
    let event = |kind| Event::of_operator(now, &SystemEntropy, kind);
    let granted = rbac::grant(&mut transaction, admitted, id, new, event, now)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    assert!(matches!(granted, Granted::New(_)), "{granted:?}");
}

/// Grants a role as the operator does, for good.
async fn give(server: &TestServer, user: &str, venue: &str, role: &str) {
    give_in(server, DEFAULT_TENANT, user, venue, role, None).await;
}

/// Somebody who holds a role at [`VENUE`], with a token that says so.
async fn holder(server: &TestServer, email: &str, role: &str) -> Person {
    let person = register(server, email).await;
    give(server, &person.user_id, VENUE, role).await;
    login(server, email).await
}

/// Somebody who runs the installation.
async fn admin(server: &TestServer) -> Person {
    let person = register(server, "admin@example.com").await;
    sqlx::query("UPDATE users SET role = 'admin' WHERE id = $1::uuid")
        .bind(&person.user_id)
        .execute(server.pool())
        .await
        .unwrap();
    person
}

fn path(venue: &str) -> String {
    format!("/auth/venues/{venue}/roles")
}

async fn list(server: &TestServer, access: &str, venue: &str) -> Response {
    let request = server.get(&path(venue)).bearer_auth(access);
    request.send().await.unwrap()
}

async fn post(server: &TestServer, access: &str, venue: &str, body: &Value) -> Response {
    let request = server.post(&path(venue)).bearer_auth(access).json(body);
    request.send().await.unwrap()
}

async fn grant(server: &TestServer, access: &str, venue: &str, user: &str, role: &str) -> Response {
    post(server, access, venue, &json!({"userId": user, "role": role})).await
}

async fn revoke(server: &TestServer, access: &str, venue: &str, user: &str, role: Option<&str>) -> Response {
    let query = role.map(|role| format!("?role={role}")).unwrap_or_default();
    let path = format!("{}/{user}{query}", path(venue));
    let request = server.request(Method::DELETE, &path).bearer_auth(access);
    request.send().await.unwrap()
}

/// The moment so many seconds from now, as clients write it.
fn later(server: &TestServer, seconds: i64) -> String {
    rfc3339(server.clock.now() + TimeDelta::seconds(seconds))
}

fn assert_done(response: &Response) {
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}

/// The claims of a token, unverified.
fn claims(token: &str) -> Value {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&Base64UrlUnpadded::decode_vec(payload).unwrap()).unwrap()
}

fn statuses(answers: Vec<Response>) -> Vec<u16> {
    let mut statuses: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.status().as_u16())
        .collect();
    statuses.sort_unstable();
    statuses
}
