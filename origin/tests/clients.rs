//! How a service client shows who it is, and what becomes of one that cannot.

use base64ct::{Base64, Encoding as _};
use portcullis_origin::kernel::secret_digest::SecretDigest;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::common::{Settings, TestServer, raw_exchange};
use crate::fixtures::{assert_refused, audit_trail, body_of, count, register, without_limits};
use crate::startup::{out, run};

/// A client of [`server`], and its secret: with characters that a form has to escape.
pub(crate) const CLIENT: &str = "api";
pub(crate) const SECRET: &str = "s3cret +%&=:/ of the api";

const PATHS: [&str; 2] = ["/oauth2/introspect", "/oauth2/revoke"];

/// A server with two service clients, whose limits are out of the way.
pub(crate) async fn server() -> TestServer {
    TestServer::start_with(|settings| {
        without_limits(settings);
        with_clients(settings);
    })
    .await
}

fn with_clients(settings: &mut Settings) {
    for (id, secret) in [("API", SECRET), ("OTHER", "another secret")] {
        let digest = SecretDigest::of(&secret.into()).to_hex();
        settings.insert(
            format!("PORTCULLIS__CLIENTS__{id}"),
            json!({"secret_sha256": digest}).to_string(),
        );
    }
}

fn escaped(text: &str) -> String {
    reqwest::Url::parse_with_params("http://x", [("", text)])
        .unwrap()
        .query()
        .unwrap()
        .trim_start_matches('=')
        .to_owned()
}

/// `Authorization` as RFC 6749 §2.3.1 has it.
fn basic(id: &str, secret: &str) -> String {
    let pair = format!("{}:{}", escaped(id), escaped(secret));
    format!("Basic {}", Base64::encode_string(pair.as_bytes()))
}

fn form(server: &TestServer, path: &str, parameters: &[(&str, &str)]) -> RequestBuilder {
    server.post(path).form(parameters)
}

/// Asks as the client [`CLIENT`].
pub(crate) async fn ask(server: &TestServer, path: &str, token: &str) -> Response {
    form(server, path, &[("token", token)])
        .header("authorization", basic(CLIENT, SECRET))
        .send()
        .await
        .unwrap()
}

/// What an introspection says.
pub(crate) async fn introspect(server: &TestServer, token: &str) -> Value {
    body_of(ask(server, "/oauth2/introspect", token).await, StatusCode::OK).await
}

/// Asserts that an answer is this refusal of RFC 6749 §5.2.
pub(crate) async fn assert_oauth_error(answer: Response, status: u16, error: &str) {
    assert_eq!(answer.status().as_u16(), status);
    let headers = answer.headers().clone();
    assert_eq!(headers["content-type"], "application/json");
    assert_eq!(headers["cache-control"], "no-store");
    assert!(headers.contains_key("x-request-id"));
    let challenge = headers
        .get("www-authenticate")
        .map(|value| value.to_str().unwrap());
    assert_eq!(
        challenge,
        (status == 401).then_some(r#"Basic realm="portcullis", charset="UTF-8""#)
    );
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["error"], error, "{body}");
    assert!(body["error_description"].is_string());
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
}

#[tokio::test]
async fn a_client_authenticates_itself_by_the_header_or_in_the_form() {
    let server = server().await;
    for path in PATHS {
        assert_eq!(ask(&server, path, "nonsense").await.status(), StatusCode::OK);
        let posted = [
            ("client_id", CLIENT),
            ("client_secret", SECRET),
            ("token", "nonsense"),
        ];
        let answer = form(&server, path, &posted).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        // Many libraries repeat the id in the form; it is no second authentication.
        let answer = form(&server, path, &[("client_id", CLIENT), ("token", "nonsense")])
            .header("authorization", basic(CLIENT, SECRET))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_wrong_secret_an_unknown_client_and_none_at_all_are_invalid_clients() {
    let server = server().await;
    for path in PATHS {
        for (id, secret) in [
            (CLIENT, "wrong"),
            (CLIENT, "another secret"),
            (CLIENT, &SECRET[1..]),
            ("nobody", SECRET),
            ("API", SECRET),
        ] {
            let answer = form(&server, path, &[("token", "x")])
                .header("authorization", basic(id, secret))
                .send()
                .await
                .unwrap();
            assert_oauth_error(answer, 401, "invalid_client").await;
            let posted = [("client_id", id), ("client_secret", secret), ("token", "x")];
            let answer = form(&server, path, &posted).send().await.unwrap();
            assert_oauth_error(answer, 401, "invalid_client").await;
        }
        for parameters in [
            &[("token", "x")][..],
            &[("token", "x"), ("client_id", CLIENT)],
            &[("token", "x"), ("client_id", CLIENT), ("client_secret", "")],
            &[("token", "x"), ("client_secret", SECRET)],
        ] {
            let answer = form(&server, path, parameters).send().await.unwrap();
            assert_oauth_error(answer, 401, "invalid_client").await;
        }
    }
}

#[tokio::test]
async fn the_digest_of_a_secret_is_not_the_secret() {
    let server = server().await;
    let digest = SecretDigest::of(&SECRET.into()).to_hex();
    let answer = form(&server, PATHS[0], &[("token", "x")])
        .header("authorization", basic(CLIENT, &digest))
        .send()
        .await
        .unwrap();
    assert_oauth_error(answer, 401, "invalid_client").await;
}

#[tokio::test]
async fn somebody_who_is_signed_in_is_no_service_client() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    for path in PATHS {
        let answer = form(&server, path, &[("token", &person.refresh)])
            .bearer_auth(&person.access)
            .send()
            .await
            .unwrap();
        assert_oauth_error(answer, 401, "invalid_client").await;
    }
    assert_eq!(introspect(&server, &person.refresh).await["active"], true);
}

#[tokio::test]
async fn two_credentials_are_an_invalid_request_even_if_they_agree() {
    let server = server().await;
    let both = [("client_id", CLIENT), ("client_secret", SECRET), ("token", "x")];
    for path in PATHS {
        let answer = form(&server, path, &both)
            .header("authorization", basic(CLIENT, SECRET))
            .send()
            .await
            .unwrap();
        assert_oauth_error(answer, 400, "invalid_request").await;
        let answer = form(&server, path, &both).bearer_auth("x").send().await.unwrap();
        assert_oauth_error(answer, 400, "invalid_request").await;
        let answer = form(&server, path, &[("token", "x")])
            .header("authorization", basic(CLIENT, SECRET))
            .header("authorization", basic(CLIENT, SECRET))
            .send()
            .await
            .unwrap();
        // Two headers are refused before it matters what they are for, as on every route.
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "ambiguous_credentials");
        let answer = form(&server, path, &[("token", "x"), ("client_id", "other")])
            .header("authorization", basic(CLIENT, SECRET))
            .send()
            .await
            .unwrap();
        assert_oauth_error(answer, 400, "invalid_request").await;
    }
}

#[tokio::test]
async fn a_form_that_says_something_twice_or_nothing_is_an_invalid_request() {
    let server = server().await;
    for path in PATHS {
        for body in [
            "",
            "token",
            "token=",
            "token_type_hint=access_token",
            "token=a&token=a",
            "token=a&to%6ben=b",
            "token=a&x=1&x=2",
            "token=a&token_type_hint=access_token&token_type_hint=refresh_token",
            "token=a%00b",
            "token=a&x=%00",
            "token=%ff",
        ] {
            let answer = server
                .post(path)
                .header("authorization", basic(CLIENT, SECRET))
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body)
                .send()
                .await
                .unwrap();
            assert_oauth_error(answer, 400, "invalid_request").await;
        }
    }
}

#[tokio::test]
async fn what_is_no_form_is_refused_as_everywhere() {
    let server = server().await;
    for path in PATHS {
        let send = |content_type: &'static str, body: String| {
            server
                .post(path)
                .header("authorization", basic(CLIENT, SECRET))
                .header("content-type", content_type)
                .body(body)
                .send()
        };
        let json = send("application/json", json!({"token": "x"}).to_string())
            .await
            .unwrap();
        assert_refused(json, 415, "unsupported_media_type").await;
        let form = "application/x-www-form-urlencoded; charset=UTF-8";
        let fits = send(form, format!("token={}", "x".repeat(64 * 1024 - 6)))
            .await
            .unwrap();
        assert_eq!(fits.status(), StatusCode::OK);
        let large = send(form, format!("token={}", "x".repeat(64 * 1024 - 5)))
            .await
            .unwrap();
        assert_refused(large, 413, "payload_too_large").await;
        let read = server.get(path).send().await.unwrap();
        assert_eq!(read.headers()["allow"], "POST");
        assert_refused(read, 405, "method_not_allowed").await;
    }
}

#[tokio::test]
async fn a_form_that_never_ends_is_answered_when_its_time_is_up() {
    let server = TestServer::start_with(|settings| {
        settings.insert("PORTCULLIS__HTTP__BODY_TIMEOUT_SECONDS".into(), "1".into());
    })
    .await;
    let request = "POST /oauth2/introspect HTTP/1.1\r\nhost: x\r\n\
                   content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\ntoken=";
    let answer = raw_exchange(server.address(), request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[tokio::test]
async fn failures_are_limited_by_address_and_successes_are_not() {
    let server = TestServer::start_with(|settings| {
        with_clients(settings);
        settings.insert("PORTCULLIS__LIMITS__LOGIN_PER_MINUTE_CLIENT".into(), "3".into());
        settings.insert("PORTCULLIS__LIMITS__DEFAULT_PER_MINUTE".into(), "3".into());
    })
    .await;
    let wrong = || {
        form(&server, "/oauth2/introspect", &[("token", "x")])
            .header("authorization", basic(CLIENT, "wrong"))
            .send()
    };
    for _ in 0..3 {
        assert_oauth_error(wrong().await.unwrap(), 401, "invalid_client").await;
    }
    for _ in 0..3 {
        let limited = wrong().await.unwrap();
        assert!(limited.headers().contains_key("retry-after"));
        assert_refused(limited, 429, "rate_limited").await;
    }
    assert_eq!(audit_trail(&server).await, ["client_refused"; 3]);
    for _ in 0..10 {
        assert_eq!(introspect(&server, "x").await, json!({"active": false}));
    }
}

#[tokio::test]
async fn a_failure_is_audited_with_the_client_only_if_there_is_such_a_client() {
    let server = server().await;
    for id in [CLIENT, "a secret in the wrong place"] {
        let answer = form(&server, "/oauth2/revoke", &[("token", "x")])
            .header("authorization", basic(id, "wrong"))
            .send()
            .await
            .unwrap();
        assert_oauth_error(answer, 401, "invalid_client").await;
    }
    let details: Vec<Value> =
        sqlx::query_scalar("SELECT detail FROM audit_events WHERE type = 'client_refused' ORDER BY seq")
            .fetch_all(server.pool())
            .await
            .unwrap();
    assert_eq!(details, [json!({"client_id": "api"}), json!({})]);
}

#[tokio::test]
async fn a_flood_of_failures_fills_the_log_of_events_only_so_fast() {
    let server = server().await;
    for _ in 0..70 {
        let answer = form(&server, "/oauth2/introspect", &[("token", "x")])
            .header("authorization", basic("nobody", "wrong"))
            .send()
            .await
            .unwrap();
        assert_oauth_error(answer, 401, "invalid_client").await;
    }
    let events = count(
        &server,
        "SELECT count(*) FROM audit_events WHERE type = 'client_refused'",
    );
    assert_eq!(events.await, 60);
}

#[tokio::test]
async fn a_generated_client_secret_is_new_and_its_lines_are_a_configuration() {
    let generate = async || out(&run(&["clients", "generate", "api"], &[]).await);
    let (one, two) = (generate().await, generate().await);
    assert_ne!(one, two);
    let secret = one.lines().nth(1).unwrap();
    let digest = SecretDigest::of(&secret.into()).to_hex();
    assert!(
        one.ends_with(&format!("[clients.api]\nsecret_sha256 = \"{digest}\"\n")),
        "{one}"
    );
    assert_eq!(secret.len(), 43);
    let refused = run(&["clients", "generate", "two words"], &[]).await;
    assert_eq!(refused.status.code(), Some(2));
}
