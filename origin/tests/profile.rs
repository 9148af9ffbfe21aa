//! `GET` and `PUT /auth/profile`.

use futures_util::future::join_all;
use reqwest::header::{ETAG, IF_MATCH};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{assert_refused, audit_trail, body_of, execute, login, register, server, text};

async fn read(server: &TestServer, access: &str) -> Response {
    server
        .get("/auth/profile")
        .bearer_auth(access)
        .send()
        .await
        .unwrap()
}

async fn write(server: &TestServer, access: &str, tag: Option<&str>, body: &Value) -> Response {
    let request = server.request(Method::PUT, "/auth/profile").bearer_auth(access);
    let request = match tag {
        Some(tag) => request.header(IF_MATCH, tag),
        None => request,
    };
    request.json(body).send().await.unwrap()
}

fn tag(answer: &Response) -> String {
    answer.headers()[ETAG].to_str().unwrap().to_owned()
}

/// The profile and its tag.
async fn profile(answer: Response) -> (Value, String) {
    let tag = tag(&answer);
    (body_of(answer, StatusCode::OK).await["profile"].clone(), tag)
}

/// The only thing that is wrong.
async fn fault(answer: Response) -> (String, String) {
    let body = body_of(answer, StatusCode::BAD_REQUEST).await;
    assert_eq!(body["errors"].as_array().unwrap().len(), 1, "{body}");
    (text(&body, "/errors/0/field"), text(&body, "/errors/0/code"))
}

#[tokio::test]
async fn a_profile_is_read_and_changed_field_by_field() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let (before, first) = profile(read(&server, &person.access).await).await;
    assert_eq!(before["id"], person.user_id.as_str());
    assert_eq!(
        (&before["email"], &before["emailVerified"]),
        (&json!("ada@example.com"), &json!(false))
    );
    assert_eq!(before["preferences"], json!({}));

    let change = json!({"first_name": " Augusta ", "phone": "+4915112345678", "unknown": 1});
    let (after, second) = profile(write(&server, &person.access, Some(&first), &change).await).await;
    assert_eq!(
        (&after["firstName"], &after["lastName"]),
        (&json!("Augusta"), &json!("Lovelace"))
    );
    assert_eq!(after["phone"], "+4915112345678");
    assert_ne!(first, second);

    let preferences = json!({"theme": "dark", "seats": ["A1", {"row": 2}]});
    let change = json!({"preferences": preferences, "phone": null});
    let (after, third) = profile(write(&server, &person.access, Some(&second), &change).await).await;
    assert_eq!(
        (&after["preferences"], &after["phone"]),
        (&preferences, &Value::Null)
    );
    assert_eq!(profile(read(&server, &person.access).await).await, (after, third));
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "profile_changed", "profile_changed"]
    );
}

#[tokio::test]
async fn a_change_has_to_name_the_version_that_it_is_made_to() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let (_, first) = profile(read(&server, &person.access).await).await;
    let change = json!({"firstName": "Augusta"});
    assert_refused(
        write(&server, &person.access, None, &change).await,
        428,
        "precondition_required",
    )
    .await;
    let (_, second) = profile(write(&server, &person.access, Some(&first), &change).await).await;
    for stale in [first.as_str(), "\"0\"", &format!("W/{second}"), "", "nonsense"] {
        let answer = write(&server, &person.access, Some(stale), &change).await;
        assert_refused(answer, 412, "precondition_failed").await;
    }
    let list = format!("{first}, {second}");
    let (_, third) = profile(write(&server, &person.access, Some(&list), &change).await).await;
    assert_ne!(second, third);
    profile(write(&server, &person.access, Some("*"), &change).await).await;
}

#[tokio::test]
async fn of_many_who_change_the_same_version_one_does() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let (_, first) = profile(read(&server, &person.access).await).await;
    let changes: Vec<Value> = (0..16)
        .map(|number| json!({"lastName": format!("Name {number}")}))
        .collect();
    let answers = join_all(
        changes
            .iter()
            .map(|change| write(&server, &person.access, Some(&first), change)),
    )
    .await;
    let done: Vec<usize> = (0..16)
        .filter(|&place| answers[place].status() == StatusCode::OK)
        .collect();
    let [winner] = done.as_slice() else {
        panic!("{done:?}")
    };
    let (after, _) = profile(read(&server, &person.access).await).await;
    assert_eq!(after["lastName"], changes[*winner]["lastName"]);
}

#[tokio::test]
async fn signing_in_is_no_change_of_the_profile() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let (_, first) = profile(read(&server, &person.access).await).await;
    let again = login(&server, "ada@example.com").await;
    assert_eq!(profile(read(&server, &again.access).await).await.1, first);
}

#[tokio::test]
async fn another_number_is_not_verified_and_the_same_one_stays_so() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    execute(
        &server,
        "UPDATE users SET phone = '+4915112345678', phone_verified = true",
    )
    .await;
    let same = json!({"phone": "+4915112345678"});
    let (after, _) = profile(write(&server, &person.access, Some("*"), &same).await).await;
    assert_eq!(after["phoneVerified"], true);
    let other = json!({"phone": "+4915112345679"});
    let (after, _) = profile(write(&server, &person.access, Some("*"), &other).await).await;
    assert_eq!(after["phoneVerified"], false);
}

fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({}), |inner, _| json!({"a": inner}))
}

#[tokio::test]
async fn what_does_not_fit_is_refused_by_name_and_changes_nothing() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let (before, _) = profile(read(&server, &person.access).await).await;
    let full = json!({"a": "x".repeat(16 * 1024 - 8)});
    assert_eq!(full.to_string().len(), 16 * 1024);
    for (change, field, code) in [
        (json!({"firstName": " "}), "firstName", "required"),
        (json!({"lastName": "x".repeat(101)}), "lastName", "too_long"),
        (json!({"lastName": "Love\nlace"}), "lastName", "invalid"),
        (json!({"phone": "0151"}), "phone", "invalid"),
        (json!({"preferences": []}), "preferences", "invalid"),
        (json!({"preferences": "dark"}), "preferences", "invalid"),
        (json!({"preferences": nested(21)}), "preferences", "too_deep"),
        (
            json!({"preferences": {"a": "x".repeat(16 * 1024 - 7)}}),
            "preferences",
            "too_long",
        ),
    ] {
        let answer = write(&server, &person.access, Some("*"), &change).await;
        assert_eq!(fault(answer).await, (field.to_owned(), code.to_owned()));
    }
    for malformed in [
        json!({"firstName": 7}),
        json!({"firstName": "a\u{0}b"}),
        json!({"preferences": {"a": "\u{0}"}}),
        json!({"preferences": {"\u{0}": 1}}),
        json!([]),
    ] {
        let answer = write(&server, &person.access, Some("*"), &malformed).await;
        assert_refused(answer, 400, "malformed_request").await;
    }
    assert_eq!(profile(read(&server, &person.access).await).await.0, before);
    for fits in [json!({"preferences": nested(20)}), json!({"preferences": full})] {
        profile(write(&server, &person.access, Some("*"), &fits).await).await;
    }
}

#[tokio::test]
async fn a_profile_is_for_who_is_signed_in() {
    let server = server().await;
    assert_refused(
        server.get("/auth/profile").send().await.unwrap(),
        401,
        "invalid_token",
    )
    .await;
    assert_refused(
        write(&server, "none", Some("*"), &json!({})).await,
        401,
        "invalid_token",
    )
    .await;
}
