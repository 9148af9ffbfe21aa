//! `GET /edge/venue-roles`: who is told, and what.

use portcullis_origin::kernel::time::TimeDelta;
use portcullis_shared::request_signature::{SignatureHeaders, SignedRequest, SigningKey, sign, sign_own};
use portcullis_shared::venue_roles::VENUE_ROLES_PATH;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;

use super::*;
use crate::common::fresh_nonce;
use crate::feed_reader::{key, server};
use crate::fixtures::{assert_refused, body_of, execute, register};

/// A question as the edge asks it by itself.
fn question(server: &TestServer, query: &str) -> RequestBuilder {
    signed_by(sign_own, server, query)
}

fn signed_by(
    sign: fn(&SignedRequest<'_>, &SigningKey, &str, i64) -> SignatureHeaders,
    server: &TestServer,
    query: &str,
) -> RequestBuilder {
    let request = SignedRequest {
        method: "GET",
        authority: &server.address().to_string(),
        path: VENUE_ROLES_PATH,
        query: Some(query),
        headers: &[],
    };
    let now = server.clock.now().timestamp();
    let signature = sign(&request, &key("one"), &fresh_nonce(), now);
    server
        .get(&format!("{VENUE_ROLES_PATH}?{query}"))
        .header("signature-input", signature.signature_input)
        .header("signature", signature.signature)
}

fn query(tenant: &str, subject: &str, venue: &str) -> String {
    format!("tenant={tenant}&subject={subject}&venue={venue}")
}

async fn told(server: &TestServer, query: &str) -> Value {
    let answer = question(server, query).send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    body_of(answer, StatusCode::OK).await
}

#[tokio::test]
async fn the_edge_is_told_what_is_held_at_the_moment() {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES ('00000000-0000-0000-0000-00000000000b', 'other', 'Other', now())",
    )
    .await;
    let person = register(&server, "ada@example.com").await.user_id;
    let other = register(&server, "eve@example.com").await.user_id;
    give(&server, &person, VENUE, "venue-manager").await;
    let brief = Some(TimeDelta::seconds(60));
    give_in(&server, DEFAULT_TENANT, &person, VENUE, "door-staff", brief).await;
    let asked = query(DEFAULT_TENANT, &person, VENUE);
    assert_eq!(
        told(&server, &asked).await,
        json!({"roles": ["door-staff", "venue-manager"]})
    );
    for elsewhere in [
        query(DEFAULT_TENANT, &person, OTHER_VENUE),
        query(DEFAULT_TENANT, &other, VENUE),
        query(OTHER_TENANT, &person, VENUE),
        query(DEFAULT_TENANT, VENUE, VENUE),
    ] {
        assert_eq!(
            told(&server, &elsewhere).await,
            json!({"roles": []}),
            "{elsewhere}"
        );
    }
    server.clock.advance(TimeDelta::seconds(60));
    assert_eq!(told(&server, &asked).await, json!({"roles": ["venue-manager"]}));
    execute(&server, "UPDATE users SET status = 'locked'").await;
    assert_eq!(told(&server, &asked).await, json!({"roles": []}));
}

#[tokio::test]
async fn nobody_but_the_edge_itself_is_told_and_not_on_behalf_of_a_client() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let asked = query(DEFAULT_TENANT, &owner.user_id, VENUE);
    let path = format!("{VENUE_ROLES_PATH}?{asked}");
    let unsigned = server.get(&path).bearer_auth(&owner.access).send().await.unwrap();
    assert_refused(unsigned, 401, "invalid_edge_signature").await;
    let forwarded = signed_by(sign, &server, &asked).send().await.unwrap();
    assert_refused(forwarded, 401, "invalid_edge_signature").await;
    let mut altered = question(&server, &asked).build().unwrap();
    altered
        .url_mut()
        .set_query(Some(&query(DEFAULT_TENANT, &owner.user_id, OTHER_VENUE)));
    let altered = server.client.execute(altered).await.unwrap();
    assert_refused(altered, 401, "invalid_edge_signature").await;
}

#[tokio::test]
async fn a_question_that_names_no_place_is_refused() {
    let server = server().await;
    for asked in [
        String::new(),
        query(DEFAULT_TENANT, "ada", VENUE),
        query(DEFAULT_TENANT, VENUE, "first"),
        format!("tenant={DEFAULT_TENANT}&subject={VENUE}"),
        format!("{}&venue={OTHER_VENUE}", query(DEFAULT_TENANT, VENUE, VENUE)),
    ] {
        let answer = question(&server, &asked).send().await.unwrap();
        assert_refused(answer, 400, "malformed_request").await;
    }
}
