//! What is said to a body that cannot be used. Any route with a body does; this is the one of login.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::common::{TestServer, raw_exchange};

async fn send(
    server: &TestServer,
    content_type: Option<&str>,
    body: impl Into<reqwest::Body>,
) -> (StatusCode, Value) {
    let mut request = server.request(Method::POST, "/auth/login").body(body);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert!(response.headers().contains_key("x-request-id"));
    let status = response.status();
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["status"], status.as_u16());
    assert_eq!(
        problem["type"],
        format!(
            "https://portcullis.dev/problems/{}",
            problem["code"].as_str().unwrap()
        )
    );
    (status, problem)
}

async fn json(server: &TestServer, body: &str) -> (StatusCode, Value) {
    send(server, Some("application/json"), body.to_owned()).await
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_malformed() {
    let server = TestServer::start().await;
    for body in [
        "",
        "{",
        "nonsense",
        "[]",
        "[\"a@example.com\",\"pw\"]",
        "\"text\"",
        "null",
        "{} {}",
        "{\"email\":}",
    ] {
        let (status, problem) = json(&server, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_REQUEST, &"malformed_request".into()),
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_value_of_the_wrong_type_is_malformed() {
    let server = TestServer::start().await;
    for body in [
        r#"{"email":5,"password":"x"}"#,
        r#"{"email":"a@example.com","password":["x"]}"#,
        r#"{"email":{"x":1},"password":true}"#,
    ] {
        let (status, problem) = json(&server, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_REQUEST, &"malformed_request".into()),
            "{body}"
        );
        assert!(
            !problem.to_string().contains("integer"),
            "the parser's words are not shown: {problem}"
        );
    }
}

#[tokio::test]
async fn text_that_cannot_be_stored_is_malformed_wherever_it_stands() {
    let server = TestServer::start().await;
    for body in [
        &br#"{"email":"a\u0000@example.com","password":"x"}"#[..],
        br#"{"email":"a@example.com","password":"\ud800"}"#,
        br#"{"email":"a@example.com","password":"x","ignored":"\u0000"}"#,
        br#"{"email":"a@example.com","password":"x","ignored":["\udfff"]}"#,
        b"{\"email\":\"\xff\xfe@example.com\",\"password\":\"x\"}",
        b"{\"email\":\"a\0@example.com\",\"password\":\"x\"}",
    ] {
        let (status, problem) = send(&server, Some("application/json"), body).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_REQUEST, &"malformed_request".into())
        );
    }
}

#[tokio::test]
async fn a_document_that_nests_too_deep_is_malformed() {
    let server = TestServer::start().await;
    let (status, problem) = json(&server, &"{\"a\":".repeat(10_000)).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::BAD_REQUEST, &"malformed_request".into())
    );
}

#[tokio::test]
async fn every_missing_field_is_named() {
    let server = TestServer::start().await;
    for body in ["{}", r#"{"email":null,"password":null}"#, r#"{"ignored":1}"#] {
        let (status, problem) = json(&server, body).await;
        assert_eq!(
            (status, &problem["code"]),
            (StatusCode::BAD_REQUEST, &"validation_failed".into()),
            "{body}"
        );
        let errors = problem["errors"].as_array().unwrap();
        let named: Vec<_> = errors
            .iter()
            .map(|error| (&error["field"], &error["code"]))
            .collect();
        assert_eq!(
            named,
            [
                (&"email".into(), &"required".into()),
                (&"password".into(), &"required".into())
            ]
        );
        assert!(errors.iter().all(|error| error["message"].is_string()));
    }
}

#[tokio::test]
async fn another_content_type_is_unsupported() {
    let server = TestServer::start().await;
    for content_type in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
        Some(""),
    ] {
        let (status, problem) = send(&server, content_type, "{}").await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type:?}");
        assert_eq!(problem["code"], "unsupported_media_type");
    }
    for content_type in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json ; x=y",
    ] {
        assert_eq!(
            send(&server, Some(content_type), "{}").await.0,
            StatusCode::BAD_REQUEST,
            "{content_type}"
        );
    }
}

#[tokio::test]
async fn a_body_of_64_kib_is_read_and_a_larger_one_is_not() {
    let server = TestServer::start().await;
    let of_length = |length: usize| format!("{{\"ignored\":\"{}\"}}", "x".repeat(length - 14));
    let largest = of_length(64 * 1024);
    assert_eq!(largest.len(), 64 * 1024);
    assert_eq!(json(&server, &largest).await.1["code"], "validation_failed");
    let (status, problem) = json(&server, &of_length(64 * 1024 + 1)).await;
    assert_eq!(
        (status, &problem["code"]),
        (StatusCode::PAYLOAD_TOO_LARGE, &"payload_too_large".into())
    );
}

#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_comes() {
    let server = TestServer::start().await;
    let head = "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000000000\r\n\r\n";
    let answer = raw_exchange(server.address(), head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("\"code\":\"payload_too_large\""), "{answer}");
}

#[tokio::test]
async fn a_body_without_a_length_is_read_no_further_than_the_limit() {
    let server = TestServer::start().await;
    let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    let request = format!(
        "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{}",
        chunk.repeat(17)
    );
    // The last chunk never comes: the answer does not wait for it.
    let answer = raw_exchange(server.address(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn a_body_that_never_ends_is_answered_when_its_time_is_up() {
    let server = TestServer::start_with(|settings| {
        settings.insert("PORTCULLIS__HTTP__BODY_TIMEOUT_SECONDS".into(), "1".into());
    })
    .await;
    let request = "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"email\":";
    let answer = raw_exchange(server.address(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("\"code\":\"request_timeout\""), "{answer}");
    assert!(answer.contains("x-request-id: "), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn who_is_still_sending_when_the_body_is_refused_can_send_the_rest_and_read_why() {
    let server = TestServer::start().await;
    let piece = [b'x'; 16 * 1024];
    let announced = format!("content-length: {}", 64 * piece.len());
    for framing in [announced.as_str(), "transfer-encoding: chunked"] {
        let head = format!(
            "POST /auth/login HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n{framing}\r\n\r\n"
        );
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        for sent in 0..64 {
            if sent == 5 {
                // The answer is there, and a megabyte is still to come: one piece after the other, as over a slow line.
                stream.readable().await.unwrap();
            }
            if framing.starts_with("transfer") {
                stream.write_all(b"4000\r\n").await.unwrap();
                stream.write_all(&piece).await.unwrap();
                stream.write_all(b"\r\n").await.unwrap();
            } else {
                stream.write_all(&piece).await.unwrap();
            }
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{framing}: {answer}");
        assert!(
            answer.contains("\"code\":\"payload_too_large\""),
            "{framing}: {answer}"
        );
    }
}
