//! What every answer has, whatever became of the request.

use axum::Router;
use axum::routing::get;
use portcullis_origin::app::App;
use portcullis_origin::http;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use crate::common::{TestServer, raw_exchange};

fn assert_common_headers(response: &Response) {
    let headers = response.headers();
    assert!(!headers["x-request-id"].is_empty());
    assert_eq!(headers["x-content-type-options"], "nosniff");
    assert_eq!(headers["referrer-policy"], "no-referrer");
    assert_eq!(
        headers["content-security-policy"],
        "default-src 'none'; frame-ancestors 'none'"
    );
}

/// A server whose route `/panics` panics with a secret.
async fn panicking_server() -> TestServer {
    async fn panics() -> StatusCode {
        panic!("hunter2")
    }
    let server = TestServer::start().await;
    let routes = Router::<App>::new().route("/panics", get(panics));
    let application = http::application(routes, server.app.clone());
    let mut other = TestServer::serve(server.app.clone(), server.clock.clone(), application).await;
    other.database = { server }.database.take();
    other
}

#[tokio::test]
async fn an_unknown_path_is_a_problem_of_404() {
    let server = TestServer::start().await;
    for path in [
        "/",
        "/nothing",
        "/auth",
        "/auth/",
        "/auth/login/",
        "/auth//login",
        "/AUTH/LOGIN",
    ] {
        let response = server.get(path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
        assert_common_headers(&response);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let id = response.headers()["x-request-id"].clone();
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "not_found");
        assert_eq!(problem["requestId"], id.to_str().unwrap());
    }
}

#[tokio::test]
async fn odd_paths_are_not_resolved_to_routes() {
    let server = TestServer::start().await;
    for path in [
        "/x/../live",
        "/%2e%2e/live",
        "/auth%2flogin",
        "/live%00",
        "//live",
        "/./live",
        "/live\\",
        "/%ff",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = raw_exchange(server.address(), request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_verb_that_the_route_does_not_know_is_405_with_allow() {
    let server = TestServer::start().await;
    for (method, path, allowed) in [
        (Method::GET, "/auth/login", "POST"),
        (Method::DELETE, "/auth/login", "POST"),
        (Method::OPTIONS, "/auth/login", "POST"),
        (Method::POST, "/live", "GET,HEAD"),
        (Method::from_bytes(b"BREW").unwrap(), "/auth/login", "POST"),
        (Method::from_bytes(b"get").unwrap(), "/live", "GET,HEAD"),
    ] {
        let response = server.request(method.clone(), path).send().await.unwrap();
        assert_eq!(
            response.status(),
            StatusCode::METHOD_NOT_ALLOWED,
            "{method} {path}"
        );
        assert_eq!(response.headers()["allow"], allowed, "{method} {path}");
        assert_common_headers(&response);
        assert_eq!(
            response.json::<Value>().await.unwrap()["code"],
            "method_not_allowed"
        );
    }
}

#[tokio::test]
async fn a_request_id_of_the_accepted_form_is_kept_and_any_other_replaced() {
    let server = TestServer::start().await;
    for id in [
        "abcdefgh",
        "018bcfe5-687b-7fff-bfff-ffffffffffff",
        &"x".repeat(64),
    ] {
        let response = server
            .get("/live")
            .header("x-request-id", id)
            .send()
            .await
            .unwrap();
        assert_eq!(response.headers()["x-request-id"], id);
    }
    for id in ["short", "with space", "semi;colon", "", &"x".repeat(65)] {
        let response = server
            .get("/live")
            .header("x-request-id", id)
            .send()
            .await
            .unwrap();
        let given = response.headers()["x-request-id"].to_str().unwrap();
        assert_ne!(given, id);
        assert_eq!(given.len(), 36, "{given}");
    }
}

#[tokio::test]
async fn a_panic_is_a_problem_of_500_and_the_next_request_is_served() {
    let server = panicking_server().await;
    let response = server.get("/panics").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_common_headers(&response);
    let text = response.text().await.unwrap();
    assert!(
        text.contains("\"code\":\"internal_error\"") && !text.contains("hunter2"),
        "{text}"
    );
    assert_eq!(server.get("/live").send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn credential_routes_are_never_stored_by_caches() {
    let server = TestServer::start().await;
    let response = server
        .post("/auth/login")
        .json(&serde_json::json!({}))
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let response = server.get("/auth/me").send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_request_without_a_token_is_challenged() {
    let server = TestServer::start().await;
    let response = server.get("/auth/me").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_common_headers(&response);
    assert_eq!(response.json::<Value>().await.unwrap()["code"], "invalid_token");
}

#[tokio::test]
async fn headers_that_are_too_many_or_too_large_are_431() {
    let server = TestServer::start().await;
    let mut many = server.get("/live");
    for number in 0..101 {
        many = many.header(format!("x-number-{number}"), "1");
    }
    let large = server.get("/live").bearer_auth("x".repeat(40 * 1024));
    for request in [many, large] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        assert_common_headers(&response);
        assert_eq!(
            response.json::<Value>().await.unwrap()["code"],
            "headers_too_large"
        );
    }
}

#[tokio::test]
async fn a_token_of_a_mebibyte_is_431() {
    let server = TestServer::start().await;
    let request = format!(
        "GET /auth/me HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
        "x".repeat(1 << 20)
    );
    let answer = raw_exchange(server.address(), request.as_bytes()).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
        "{answer}"
    );
    assert_eq!(server.get("/live").send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_no_http_is_400() {
    let server = TestServer::start().await;
    for request in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"GET / HTTP/1.1\r\nbad header\r\n\r\n",
    ] {
        let answer = raw_exchange(server.address(), request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}
