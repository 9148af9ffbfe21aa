//! What people type, and worse: taken or refused as documented, and never an error of the server.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{registration, server};

/// What a registration with this in one field comes to: `None` if it is taken, else the code of the only fault.
async fn outcome(server: &TestServer, number: usize, field: &str, value: Value) -> Option<String> {
    let mut request = registration(&format!("ada{number}@example.org"));
    request[field] = value;
    let answer = server.post("/auth/register").json(&request).send().await.unwrap();
    let status = answer.status();
    let body: Value = answer.json().await.unwrap();
    if status == StatusCode::CREATED {
        return None;
    }
    assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    if body["code"] == "malformed_request" {
        return Some("malformed_request".to_owned());
    }
    assert_eq!(body["code"], "validation_failed");
    assert_eq!(body["errors"][0]["field"], field);
    assert_eq!(body["errors"].as_array().unwrap().len(), 1);
    Some(body["errors"][0]["code"].as_str().unwrap().to_owned())
}

async fn assert_outcomes<'a>(field: &str, cases: impl IntoIterator<Item = (Value, Option<&'a str>)>) {
    let server = server().await;
    for (number, (value, expected)) in cases.into_iter().enumerate() {
        let found = outcome(&server, number, field, value.clone()).await;
        assert_eq!(found.as_deref(), expected, "{field}: {value}");
    }
}

#[tokio::test]
async fn addresses() {
    let long = |length: usize| format!("{}@{}.example", "a".repeat(60), "b".repeat(length - 69));
    assert_outcomes(
        "email",
        [
            (json!("ADA+tickets@Example.COM"), None),
            (json!("  bob@example.com\t"), None),
            (json!("o'brien_{x}~y@example.com"), None),
            (json!("\"ada lovelace\"@example.com"), Some("invalid")),
            (json!("\"ada\"@example.com"), Some("invalid")),
            (json!("ada@bücher.example"), Some("invalid")),
            (json!("ada@xn--bcher-kva.example"), None),
            (json!("ädä@example.com"), Some("invalid")),
            (json!("ada@example.com."), Some("invalid")),
            (json!("ada.@example.com"), Some("invalid")),
            (json!("ada..b@example.com"), Some("invalid")),
            (json!("ada@example..com"), Some("invalid")),
            (json!("ada@@example.com"), Some("invalid")),
            (json!("ada@example.com\r\nBcc: eve@example.com"), Some("invalid")),
            (json!(long(255)), Some("invalid")),
            (json!("a".repeat(10_000)), Some("invalid")),
            (json!(""), Some("invalid")),
            (json!("ada\u{0}@example.com"), Some("malformed_request")),
            (json!(["ada@example.com"]), Some("malformed_request")),
            (json!({"$gt": ""}), Some("malformed_request")),
            (json!(7), Some("malformed_request")),
            (Value::Null, Some("required")),
        ],
    )
    .await;
}

#[tokio::test]
async fn names() {
    assert_outcomes(
        "lastName",
        [
            (json!("Nguyễn Thị Minh Khai"), None),
            (json!("محمد"), None),
            (json!("山田"), None),
            (json!("O’Brien-García Jr."), None),
            (json!("\u{1f469}\u{200d}\u{1f4bb}"), None),
            (json!("<script>alert(1)</script>"), None),
            (json!("'; DROP TABLE users; --"), None),
            (json!("x".repeat(100)), None),
            (json!("\u{1f600}".repeat(100)), None),
            (json!("x".repeat(101)), Some("too_long")),
            (json!(" \t "), Some("required")),
            (json!("Love\u{7}lace"), Some("invalid")),
            (json!("Love\nlace"), Some("invalid")),
            (json!("Love\u{0}lace"), Some("malformed_request")),
            (json!(true), Some("malformed_request")),
        ],
    )
    .await;
}

#[tokio::test]
async fn telephone_numbers() {
    assert_outcomes(
        "phone",
        [
            (json!("+4915112345678"), None),
            (json!("4915112345678"), None),
            (json!(""), None),
            (Value::Null, None),
            (json!("015112345678"), Some("invalid")),
            (json!("+0"), Some("invalid")),
            (json!("+49 151 12345678"), Some("invalid")),
            (json!("+1234567890123456"), Some("invalid")),
            (json!("+٤٩١٥١١٢٣٤٥٦٧٨"), Some("invalid")),
            (json!("+49151\u{0}"), Some("malformed_request")),
            (json!(4_915_112_345_678_i64), Some("malformed_request")),
        ],
    )
    .await;
}

#[tokio::test]
async fn passwords() {
    assert_outcomes(
        "password",
        [
            (json!("\u{1f40e}\u{1f50b}\u{1f4ce}\u{2702}\u{1f6b2}\u{1f9ca}\u{1f335}\u{1f3b7}\u{1f9f2}\u{1fa90}\u{1f9e9}\u{1f98a}"), None),
            (json!("violet anchors drift at noon"), None),
            (json!("пароль-на-странность-92"), None),
            (json!("\u{1f600}".repeat(11)), Some("too_short")),
            (json!("kV9#mQ2$wX7!".repeat(11)), Some("too_long")),
            (json!(" ".repeat(20)), Some("too_weak")),
            (json!("violet anchors\u{0}drift at noon"), Some("malformed_request")),
            (json!(123_456_789_012_i64), Some("malformed_request")),
            (json!(""), Some("too_short")),
        ],
    )
    .await;
}

#[tokio::test]
async fn lone_surrogates_are_refused_wherever_they_stand() {
    let server = server().await;
    for field in ["email", "password", "firstName", "phone", "somethingElse"] {
        let mut request = registration("ada@example.com");
        request[field] = json!("LONE");
        let text = request
            .to_string()
            .replace("LONE", "violet \\ud800 anchors drift");
        let answer = server
            .post("/auth/register")
            .header("content-type", "application/json")
            .body(text)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{field}");
        assert_eq!(
            answer.json::<Value>().await.unwrap()["code"],
            "malformed_request",
            "{field}"
        );
    }
}
