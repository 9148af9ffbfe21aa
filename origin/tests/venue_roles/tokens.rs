//! What access tokens say of roles at venues.

use portcullis_origin::kernel::time::TimeDelta;
use portcullis_shared::claims::MAX_VENUES;
use portcullis_shared::cookies::MAX_COOKIE_BYTES;
use reqwest::StatusCode;
use serde_json::json;

use super::*;
use crate::fixtures::{
    PASSWORD, assert_refused, assert_stale, body_of, execute, login, me, register, server, text, try_refresh,
};

fn venue(number: usize) -> String {
    format!("44444444-4444-7444-8444-{number:012}")
}

/// Somebody with these roles at each of so many venues, granted in the order of their names from behind.
async fn with_venues(server: &TestServer, email: &str, venues: usize, roles: &[&str]) -> String {
    let person = register(server, email).await;
    for number in (0..venues).rev() {
        for role in roles {
            give(server, &person.user_id, &venue(number), role).await;
        }
    }
    // After so many changes tokens are made from the next second on.
    server.clock.advance(TimeDelta::seconds(1));
    person.user_id
}

#[tokio::test]
async fn a_token_names_all_roles_of_its_holder_by_venue() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    assert_eq!(claims(&person.access)["venues"], json!({}));
    for (venue, role) in [
        (VENUE, "venue-manager"),
        (VENUE, "box-office"),
        (OTHER_VENUE, "door-staff"),
    ] {
        give(&server, &person.user_id, venue, role).await;
    }
    let expected = json!({VENUE: ["box-office", "venue-manager"], OTHER_VENUE: ["door-staff"]});
    let login = login(&server, "ada@example.com").await;
    let body = body_of(try_refresh(&server, &person.refresh).await, StatusCode::OK).await;
    for token in [login.access, text(&body, "/tokens/accessToken")] {
        let claims = claims(&token);
        assert_eq!(claims["venues"], expected);
        assert!(claims.get("venues_truncated").is_none());
        assert_eq!(
            (&claims["role"], claims["permissions"][0].as_str()),
            (&json!("customer"), Some("tickets:purchase"))
        );
        server.clock.advance(TimeDelta::seconds(1));
        assert_eq!(me(&server, &token).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_token_names_the_first_thirty_two_venues_and_says_that_there_are_more() {
    let server = server().await;
    for (email, venues) in [
        ("few@example.com", MAX_VENUES),
        ("many@example.com", MAX_VENUES + 1),
    ] {
        with_venues(&server, email, venues, &["door-staff"]).await;
        for _ in 0..2 {
            let claims = claims(&login(&server, email).await.access);
            let named: Vec<_> = claims["venues"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(named, (0..MAX_VENUES).map(venue).collect::<Vec<_>>());
            let truncated = claims.get("venues_truncated").and_then(Value::as_bool);
            assert_eq!(truncated, (venues > MAX_VENUES).then_some(true));
        }
    }
}

#[tokio::test]
async fn a_token_fits_into_a_cookie_however_many_roles_its_holder_has() {
    let server = server().await;
    with_venues(&server, "all@example.com", 40, &ROLES).await;
    let answer = server
        .post("/auth/login")
        .header("x-token-delivery", "cookie")
        .json(&json!({"email": "all@example.com", "password": PASSWORD}))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let lines: Vec<_> = answer
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap().to_owned())
        .collect();
    let access = lines
        .iter()
        .find_map(|line| line.strip_prefix("__Host-pc_access="))
        .unwrap();
    assert!(
        lines.iter().all(|line| line.len() <= MAX_COOKIE_BYTES),
        "{lines:?}"
    );
    let claims = claims(access.split(';').next().unwrap());
    let named = claims["venues"].as_object().unwrap();
    println!("{} of 40 venues with four roles each are named", named.len());
    assert!(named.len() > 15 && named.len() < MAX_VENUES, "{}", named.len());
    assert!(
        named.keys().cloned().eq((0..named.len()).map(venue)),
        "the first ones"
    );
    assert_eq!(claims["venues_truncated"], true);
}

#[tokio::test]
async fn a_token_does_not_outlive_a_role_that_it_names() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let brief = Some(TimeDelta::seconds(100));
    give_in(
        &server,
        DEFAULT_TENANT,
        &person.user_id,
        VENUE,
        "door-staff",
        brief,
    )
    .await;
    give(&server, &person.user_id, OTHER_VENUE, "box-office").await;
    let end = server.clock.now().timestamp() + 100;
    server.clock.advance(TimeDelta::seconds(2));
    let body = body_of(try_refresh(&server, &person.refresh).await, StatusCode::OK).await;
    let token = text(&body, "/tokens/accessToken");
    assert_eq!(claims(&token)["exp"], end);
    assert_eq!(body["tokens"]["expiresIn"], end - server.clock.now().timestamp());
    assert_eq!(
        claims(&token)["venues"],
        json!({VENUE: ["door-staff"], OTHER_VENUE: ["box-office"]})
    );

    // The leeway of verifiers is within the five seconds that the edge may be late.
    server.clock.advance(TimeDelta::seconds(98 + 5));
    assert_stale(me(&server, &token).await).await;
    let refresh = text(&body, "/tokens/refreshToken");
    let body = body_of(try_refresh(&server, &refresh).await, StatusCode::OK).await;
    let claims = claims(&text(&body, "/tokens/accessToken"));
    assert_eq!(claims["venues"], json!({OTHER_VENUE: ["box-office"]}));
    assert_eq!(body["tokens"]["expiresIn"], 900);
}

#[tokio::test]
async fn a_role_that_ends_at_once_makes_no_token_that_is_born_dead() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    for milliseconds in [1, 500, 999, 1000, 1001, 2000, 2500] {
        let venue = format!("55555555-5555-7555-8555-{milliseconds:012}");
        let brief = Some(TimeDelta::milliseconds(milliseconds));
        give_in(
            &server,
            DEFAULT_TENANT,
            &person.user_id,
            &venue,
            "door-staff",
            brief,
        )
        .await;
        let claims = claims(&login(&server, "ada@example.com").await.access);
        let (from, to) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert!(to > from, "{milliseconds} ms: {claims}");
        server.clock.advance(TimeDelta::seconds(4));
    }
}

#[tokio::test]
async fn what_a_locked_account_holds_is_held_again_when_it_is_unlocked() {
    let server = server().await;
    let owner = holder(&server, "owner@example.com", "venue-owner").await;
    let other = holder(&server, "other@example.com", "venue-owner").await;
    server.clock.advance(TimeDelta::seconds(2));
    execute(
        &server,
        "UPDATE users SET status = 'locked' WHERE email = 'owner@example.com'",
    )
    .await;
    assert_refused(list(&server, &owner.access, VENUE).await, 401, "invalid_token").await;
    let listed = body_of(list(&server, &other.access, VENUE).await, StatusCode::OK).await;
    assert_eq!(listed["roles"].as_array().unwrap().len(), 2, "it is still theirs");
    execute(
        &server,
        "UPDATE users SET status = 'active' WHERE email = 'owner@example.com'",
    )
    .await;
    let answer = list(&server, &owner.access, VENUE).await;
    assert_eq!(answer.status(), StatusCode::OK);
}
