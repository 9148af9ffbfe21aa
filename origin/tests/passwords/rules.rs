//! The rules that an operator may add.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use reqwest::Response;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::common::{Settings, TestServer};
use crate::fixtures::{PASSWORD, register, registration, without_limits};

async fn server_with(change: impl FnOnce(&mut Settings)) -> TestServer {
    TestServer::start_with(|settings| {
        without_limits(settings);
        change(settings);
    })
    .await
}

async fn register_with(server: &TestServer, email: &str, password: &str) -> Response {
    let mut request = registration(email);
    request["password"] = json!(password);
    server.post("/auth/register").json(&request).send().await.unwrap()
}

/// The code of the only thing that is wrong.
async fn fault(answer: Response) -> String {
    assert_eq!(answer.status().as_u16(), 400);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["code"], "validation_failed");
    assert_eq!(body["errors"].as_array().unwrap().len(), 1, "{body}");
    body["errors"][0]["code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn composition_is_asked_for_where_the_operator_wants_it() {
    let server = server_with(|settings| {
        settings.insert("PORTCULLIS__PASSWORDS__COMPOSITION".into(), "true".into());
    })
    .await;
    assert_eq!(
        fault(register_with(&server, "ada@example.com", PASSWORD).await).await,
        "composition"
    );
    let answer = register_with(&server, "ada@example.com", "Correct-horse 7 battery").await;
    assert_eq!(answer.status().as_u16(), 201);
    let access = answer.json::<Value>().await.unwrap()["tokens"]["accessToken"]
        .as_str()
        .unwrap()
        .to_owned();
    let change = json!({"currentPassword": "Correct-horse 7 battery", "newPassword": PASSWORD});
    let answer = server
        .request(reqwest::Method::PUT, "/auth/change-password")
        .bearer_auth(access)
        .json(&change)
        .send()
        .await
        .unwrap();
    assert_eq!(fault(answer).await, "composition");
}

/// What was asked of a service that knows stolen passwords, and how it answers.
struct Breaches {
    asked: AtomicUsize,
    answer: Answer,
}

#[derive(Clone, Copy)]
enum Answer {
    /// As the real service does: the rests of digests, padding among them.
    Rests,
    Failure,
    Redirect,
    Endless,
    Nothing,
}

async fn range(
    State(breaches): State<Arc<Breaches>>,
    Path(told): Path<String>,
    headers: HeaderMap,
) -> axum::response::Response {
    breaches.asked.fetch_add(1, Ordering::SeqCst);
    assert!(
        told.len() == 5 && told.bytes().all(|digit| digit.is_ascii_hexdigit()),
        "{told}"
    );
    assert_eq!(headers["add-padding"], "true");
    match breaches.answer {
        Answer::Rests => {
            let digits = sha1_of_password();
            let count = i32::from(digits.starts_with(&told));
            format!(
                "{}:{count}\r\n0018A45C4D1DEF81644B54AB7F969B88D65:0\r\n",
                &digits[5..]
            )
            .into_response()
        }
        Answer::Failure => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Answer::Redirect => {
            (StatusCode::FOUND, [(header::LOCATION, format!("/range/{told}"))]).into_response()
        }
        Answer::Endless => "0018A45C4D1DEF81644B54AB7F969B88D65:1\r\n"
            .repeat(20_000)
            .into_response(),
        Answer::Nothing => std::future::pending().await,
    }
}

fn sha1_of_password() -> String {
    use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
    hex::encode_upper(digest(&SHA1_FOR_LEGACY_USE_ONLY, PASSWORD.as_bytes()))
}

/// A server that asks about stolen passwords, and whom it asks.
async fn with_breaches(answer: Answer) -> (TestServer, Arc<Breaches>) {
    let breaches = Arc::new(Breaches {
        asked: AtomicUsize::new(0),
        answer,
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/range/", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/range/{told}", get(range))
        .with_state(Arc::clone(&breaches));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let server = server_with(|settings| {
        settings.insert("PORTCULLIS__PASSWORDS__BREACHES_URL".into(), url);
        settings.insert("PORTCULLIS__PASSWORDS__BREACHES_TIMEOUT_MS".into(), "500".into());
    })
    .await;
    (server, breaches)
}

#[tokio::test]
async fn a_password_that_was_stolen_before_is_refused() {
    let (server, breaches) = with_breaches(Answer::Rests).await;
    assert_eq!(
        fault(register_with(&server, "ada@example.com", PASSWORD).await).await,
        "breached"
    );
    let answer = register_with(&server, "ada@example.com", "violet anchors drift at noon").await;
    assert_eq!(answer.status().as_u16(), 201);
    assert_eq!(breaches.asked.load(Ordering::SeqCst), 2);
    assert_eq!(
        fault(register_with(&server, "eve@example.com", "password1234").await).await,
        "too_weak"
    );
    assert_eq!(
        breaches.asked.load(Ordering::SeqCst),
        2,
        "nobody is asked about what is refused anyway"
    );
}

#[tokio::test]
async fn a_service_that_gives_no_answer_keeps_nobody_from_registering() {
    for answer in [
        Answer::Failure,
        Answer::Redirect,
        Answer::Endless,
        Answer::Nothing,
    ] {
        let (server, breaches) = with_breaches(answer).await;
        let began = std::time::Instant::now();
        register(&server, "ada@example.com").await;
        assert!(began.elapsed() < Duration::from_secs(20));
        assert_eq!(breaches.asked.load(Ordering::SeqCst), 1, "and is asked once");
    }
}
