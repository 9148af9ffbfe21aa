//! Registering: what is taken, what is refused, and what comes of it.

use futures_util::future::join_all;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{
    DEFAULT_TENANT, PASSWORD, assert_refused, audit_trail, body_of, count, me, moment, refresh, register,
    registration, server,
};

#[tokio::test]
async fn registering_signs_in_at_once() {
    let server = server().await;
    let person = register(&server, "Ada.Lovelace@Example.com").await;
    let (user, tokens) = (&person.body["user"], &person.body["tokens"]);
    for (field, expected) in [
        ("email", json!("ada.lovelace@example.com")),
        ("emailVerified", json!(false)),
        ("firstName", json!("Ada")),
        ("lastName", json!("Lovelace")),
        ("phone", Value::Null),
        ("phoneVerified", json!(false)),
        ("mfaEnabled", json!(false)),
        ("role", json!("customer")),
        (
            "permissions",
            json!([
                "tickets:purchase",
                "tickets:view-own",
                "tickets:transfer-own",
                "profile:update-own"
            ]),
        ),
        ("tenantId", json!(DEFAULT_TENANT)),
        ("kycStatus", json!("pending")),
        ("kycLevel", json!(0)),
    ] {
        assert_eq!(user[field], expected, "{field}");
    }
    assert_eq!(user["createdAt"], user["lastLoginAt"]);
    assert_eq!(tokens["tokenType"], "Bearer");
    assert_eq!(tokens["expiresIn"], 900);
    assert_eq!(tokens["refreshExpiresIn"], 30 * 24 * 3600);
    let lives_for = moment(&person.body["session"]["expiresAt"]) - moment(&user["createdAt"]);
    assert_eq!(lives_for, TimeDelta::days(30));

    let known = body_of(me(&server, &person.access).await, StatusCode::OK).await;
    assert_eq!(known, json!({"user": user}));
    assert_eq!(audit_trail(&server).await, ["registered", "logged_in"]);
    let noted = "SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id
                 WHERE s.ip_address = '127.0.0.1' AND u.last_login_ip = '127.0.0.1'
                   AND s.created_at = u.created_at AND s.auth_time = u.created_at";
    assert_eq!(count(&server, noted).await, 1);
}

#[tokio::test]
async fn the_spellings_of_the_old_service_are_understood_and_unknown_fields_ignored() {
    let server = server().await;
    let request = json!({
        "email": "ada@example.com", "password": PASSWORD, "first_name": " Ada ", "last_name": "Lovelace",
        "phone": "+4915112345678", "newsletter": true,
    });
    let answer = server.post("/auth/register").json(&request).send().await.unwrap();
    let body = body_of(answer, StatusCode::CREATED).await;
    assert_eq!(body["user"]["firstName"], "Ada");
    assert_eq!(body["user"]["phone"], "+4915112345678");

    let request = json!({
        "email": "eve@example.com", "password": PASSWORD, "firstName": "E", "lastName": "E", "phone": "",
    });
    let answer = server.post("/auth/register").json(&request).send().await.unwrap();
    assert_eq!(
        body_of(answer, StatusCode::CREATED).await["user"]["phone"],
        Value::Null
    );
}

#[tokio::test]
async fn an_address_is_registered_once_whatever_its_case() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    let again = server
        .post("/auth/register")
        .json(&registration("ADA@example.COM"))
        .send()
        .await
        .unwrap();
    assert_refused(again, 409, "email_taken").await;
    assert_eq!(count(&server, "SELECT count(*) FROM users").await, 1);
    assert_eq!(count(&server, "SELECT count(*) FROM sessions").await, 1);
}

#[tokio::test]
async fn of_simultaneous_registrations_of_one_address_one_wins() {
    let server = server().await;
    let attempts = (0..8).map(|_| {
        server
            .post("/auth/register")
            .json(&registration("ada@example.com"))
            .send()
    });
    let mut statuses: Vec<u16> = join_all(attempts)
        .await
        .into_iter()
        .map(|answer| answer.unwrap().status().as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    assert_eq!(count(&server, "SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_registration_is_named_at_once() {
    let server = server().await;
    let codes = |body: Value| -> Vec<(String, String)> {
        let text = |entry: &Value, name: &str| entry[name].as_str().unwrap().to_owned();
        let errors = body["errors"].as_array().unwrap();
        errors
            .iter()
            .map(|entry| (text(entry, "field"), text(entry, "code")))
            .collect()
    };
    let entry = |field: &str, code: &str| (field.to_owned(), code.to_owned());

    let answer = server
        .post("/auth/register")
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    let missing = codes(assert_refused(answer, 400, "validation_failed").await);
    assert_eq!(
        missing,
        ["email", "password", "firstName", "lastName"].map(|field| entry(field, "required"))
    );

    let wrong = json!({
        "email": "ada", "password": "short", "firstName": "a".repeat(101), "lastName": "x\u{7}", "phone": "0151",
    });
    let answer = server.post("/auth/register").json(&wrong).send().await.unwrap();
    let mut found = codes(assert_refused(answer, 400, "validation_failed").await);
    found.sort();
    assert_eq!(
        found,
        [
            entry("email", "invalid"),
            entry("firstName", "too_long"),
            entry("lastName", "invalid"),
            entry("password", "too_short"),
            entry("phone", "invalid"),
        ]
    );
}

#[tokio::test]
async fn a_password_made_of_the_accounts_own_words_is_refused() {
    let server = server().await;
    let mut request = registration("lovelace@example.com");
    request["password"] = json!("LovelaceAda1");
    let answer = server.post("/auth/register").json(&request).send().await.unwrap();
    let body = assert_refused(answer, 400, "validation_failed").await;
    assert_eq!(body["errors"][0]["field"], "password");
    assert_eq!(body["errors"][0]["code"], "too_weak");
}

#[tokio::test]
async fn four_registrations_of_one_client_in_five_minutes_are_too_many() {
    let server = TestServer::start().await;
    for number in 0..3 {
        register(&server, &format!("person-{number}@example.com")).await;
    }
    // What is not valid is not counted.
    let invalid = server
        .post("/auth/register")
        .json(&json!({}))
        .send()
        .await
        .unwrap();
    assert_refused(invalid, 400, "validation_failed").await;
    let fourth = server
        .post("/auth/register")
        .json(&registration("person-4@example.com"))
        .send()
        .await
        .unwrap();
    assert_refused(fourth, 429, "rate_limited").await;
}

#[tokio::test]
async fn the_first_people_of_an_installation_may_come_all_at_once() {
    let server = server().await;
    let emails: Vec<String> = (0..8).map(|n| format!("person-{n}@example.com")).collect();
    let people = emails.iter().map(|email| register(&server, email));
    let people = join_all(people).await;
    for person in &people {
        refresh(&server, &person.refresh).await;
    }
    assert_eq!(count(&server, "SELECT count(*) FROM secret_keys").await, 1);
}
