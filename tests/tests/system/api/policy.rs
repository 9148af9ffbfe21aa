//! The route table: who may call what.

use http::Method;
use portcullis_tests::account::Account;
use portcullis_tests::answer::Answer;
use portcullis_tests::now;
use portcullis_tests::world::Door;
use serde_json::{Value, json};

use super::{VENUE, token_with};

const STEP_UP: &str = r#"Bearer error="insufficient_user_authentication", acr_values="aal2", max_age=300"#;

async fn call(method: &str, path: &str, token: &str) -> Answer {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    Door::edge()
        .client()
        .call(method, path)
        .bearer(token)
        .send()
        .await
}

fn at_venue(venue: &str, what: &str) -> String {
    format!("/api/venues/{venue}/{what}")
}

#[tokio::test]
async fn a_customer_may_buy_a_ticket_and_no_more() {
    let account = Account::register(&Door::edge()).await;
    let token = account.access_token();
    let bought = call("POST", "/api/tickets/purchase", token).await.expect(200);
    assert_eq!(bought.json()["ticket"]["holder"], account.id());
    for (method, path) in [
        ("GET", "/api/reports".to_owned()),
        ("GET", "/api/admin/ping".to_owned()),
        ("GET", at_venue(VENUE, "tickets")),
        ("POST", at_venue(VENUE, "events")),
    ] {
        call(method, &path, token).await.problem(403, "forbidden");
    }
    let refused = call("POST", "/api/withdraw", token).await;
    refused.problem(401, "step_up_required");
    assert_eq!(refused.header("www-authenticate"), Some(STEP_UP));
}

#[tokio::test]
async fn every_protected_route_needs_a_token() {
    for (method, path) in [
        ("POST", "/api/tickets/purchase".to_owned()),
        ("GET", "/api/reports".to_owned()),
        ("GET", at_venue(VENUE, "tickets")),
        ("POST", at_venue(VENUE, "events")),
        ("POST", "/api/withdraw".to_owned()),
        ("GET", "/api/admin/ping".to_owned()),
        ("GET", "/api/echo".to_owned()),
        ("GET", "/api/stream?bytes=1".to_owned()),
        ("GET", "/api/ws".to_owned()),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Door::edge()
            .client()
            .call(method, &path)
            .send()
            .await
            .problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_permission_opens_its_route_and_no_other() {
    let token = token_with(json!({"role": "customer", "permissions": ["reports:view"]})).await;
    call("GET", "/api/reports", &token).await.expect(200);
    call("POST", "/api/tickets/purchase", &token)
        .await
        .problem(403, "forbidden");
    // Neither a prefix nor another spelling of a permission is that permission.
    for near in [
        "reports",
        "reports:",
        "reports:view2",
        "REPORTS:VIEW",
        "reports:*",
        "view",
    ] {
        let token = token_with(json!({"role": "customer", "permissions": [near]})).await;
        call("GET", "/api/reports", &token)
            .await
            .problem(403, "forbidden");
    }
}

#[tokio::test]
async fn a_role_opens_its_route_and_permissions_do_not() {
    let admin = token_with(json!({"role": "admin"})).await;
    call("GET", "/api/admin/ping", &admin).await.expect(200);
    for role in [json!("Admin"), json!("administrator"), json!("venue-owner")] {
        let token = token_with(json!({"role": role, "permissions": ["admin", "*"]})).await;
        call("GET", "/api/admin/ping", &token)
            .await
            .problem(403, "forbidden");
    }
}

#[tokio::test]
async fn roles_at_a_venue_open_what_the_table_of_roles_says_there() {
    let may = |role: &str| match role {
        "venue-owner" | "venue-manager" => (200, 200),
        "box-office" | "door-staff" => (200, 403),
        _ => (403, 403),
    };
    for role in [
        "venue-owner",
        "venue-manager",
        "box-office",
        "door-staff",
        "customer",
        "owner",
        "*",
    ] {
        let token = token_with(json!({"venues": {VENUE: [role]}})).await;
        let tickets = call("GET", &at_venue(VENUE, "tickets"), &token).await;
        let events = call("POST", &at_venue(VENUE, "events"), &token).await;
        assert_eq!(
            (tickets.status.as_u16(), events.status.as_u16()),
            may(role),
            "{role}"
        );
    }
}

#[tokio::test]
async fn a_role_at_one_venue_says_nothing_about_another() {
    let other = "22222222-2222-7222-8222-222222222222";
    let token =
        token_with(json!({"venues": {other: ["venue-owner"]}, "permissions": ["tickets:view"]})).await;
    call("GET", &at_venue(other, "tickets"), &token).await.expect(200);
    for venue in [VENUE, "*", "22222222", "22222222-2222-7222-8222-22222222222"] {
        call("GET", &at_venue(venue, "tickets"), &token)
            .await
            .problem(403, "forbidden");
    }
}

#[tokio::test]
async fn a_step_up_route_wants_a_fresh_login_with_two_factors() {
    let now = now();
    let cases: [(Value, bool); 5] = [
        (json!({"acr": "aal2", "auth_time": now - 10}), true),
        (json!({"acr": "aal2", "auth_time": now - 400}), false),
        (json!({"acr": "aal1", "auth_time": now - 10}), false),
        (json!({"acr": "aal2", "auth_time": null}), false),
        (json!({"acr": null, "auth_time": now - 10}), false),
    ];
    for (mut claims, passes) in cases {
        claims["permissions"] = json!(["withdraw:funds"]);
        let absent: Vec<_> = ["acr", "auth_time"]
            .into_iter()
            .filter(|name| claims[name].is_null())
            .collect();
        let token = token_without(&claims, &absent).await;
        let answer = call("POST", "/api/withdraw", &token).await;
        if passes {
            answer.expect(200);
        } else {
            answer.problem(401, "step_up_required");
            assert_eq!(answer.header("www-authenticate"), Some(STEP_UP), "{claims}");
        }
    }
}

async fn token_without(claims: &Value, absent: &[&str]) -> String {
    let mut all = super::claims().await;
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    for name in absent {
        all.as_object_mut().unwrap().remove(*name);
    }
    portcullis_tests::forge::trusted().await.token(&all)
}

#[tokio::test]
async fn nothing_that_is_not_listed_exists_with_or_without_a_token() {
    let admin = token_with(json!({"role": "admin", "permissions": ["*"]})).await;
    for path in [
        "/api/nothing",
        "/api",
        "/api/",
        "/api/admin",
        "/api/echo/more",
        "/api/tickets",
        "/",
        "/apiecho",
        "/edge/anything",
        "/metrics",
    ] {
        call("GET", path, &admin).await.problem(404, "not_found");
        Door::edge()
            .client()
            .get(path)
            .send()
            .await
            .problem(404, "not_found");
    }
}

#[tokio::test]
async fn another_verb_on_a_listed_route_is_a_405_that_names_the_right_ones() {
    let account = Account::register(&Door::edge()).await;
    for (method, path, allowed) in [
        ("GET", "/api/tickets/purchase", "POST"),
        ("DELETE", "/api/reports", "GET"),
        ("PUT", "/api/withdraw", "POST"),
    ] {
        let answer = call(method, path, account.access_token()).await;
        answer.problem(405, "method_not_allowed");
        let verbs: Vec<_> = answer
            .header("allow")
            .unwrap()
            .split(',')
            .map(str::trim)
            .collect();
        assert!(verbs.contains(&allowed) && !verbs.contains(&method), "{verbs:?}");
    }
}

#[tokio::test]
async fn every_usual_verb_reaches_a_route_that_takes_any() {
    let account = Account::register(&Door::edge()).await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let answer = call(method, "/api/echo", account.access_token())
            .await
            .expect(200);
        assert_eq!(answer.json()["method"], method);
    }
    let head = call("HEAD", "/api/echo", account.access_token())
        .await
        .expect(200);
    assert!(head.body.is_empty());
}
