//! People who sign in.

use portcullis_origin::kernel::time::Timestamp;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::common::{Settings, TestServer};

/// Long, unlikely, and the same for everybody.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) const DEFAULT_TENANT: &str = "00000000-0000-0000-0000-000000000001";

/// A server whose limits are out of the way.
pub(crate) async fn server() -> TestServer {
    TestServer::start_with(without_limits).await
}

/// Settings that put the limits out of the way.
pub(crate) fn without_limits(settings: &mut Settings) {
    for limit in [
        "LOGIN_PER_MINUTE_PAIR",
        "LOGIN_PER_MINUTE_CLIENT",
        "REGISTER_PER_5_MINUTES",
        "REGISTER_PER_HOUR",
        "DEFAULT_PER_MINUTE",
        "REFRESH_PER_MINUTE_SESSION",
        "REFRESH_FAILURES_PER_MINUTE_CLIENT",
        "RESET_MAILS_PER_HOUR",
        "VERIFICATION_MAILS_PER_HOUR",
        "ACCOUNT_EXPORTS_PER_HOUR",
        "ROLE_GRANTS_PER_MINUTE",
    ] {
        settings.insert(format!("PORTCULLIS__LIMITS__{limit}"), "100000".into());
    }
    for (limit, most) in [("ACCOUNT", "100"), ("CLIENT", "1000")] {
        settings.insert(format!("PORTCULLIS__LOCKOUT__FAILURES_PER_{limit}"), most.into());
    }
    // However slow the machine is, many at once wait for a connection and for each other.
    for (name, value) in [
        ("MAX_CONNECTIONS", "30"),
        ("ACQUIRE_TIMEOUT_SECONDS", "60"),
        ("LOCK_TIMEOUT_SECONDS", "60"),
    ] {
        settings.insert(format!("PORTCULLIS__DATABASE__{name}"), value.into());
    }
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) user_id: String,
    pub(crate) session_id: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) body: Value,
}

impl Person {
    pub(crate) fn of(body: Value) -> Self {
        let text = |pointer: &str| body.pointer(pointer).unwrap().as_str().unwrap().to_owned();
        Self {
            user_id: text("/user/id"),
            session_id: text("/session/id"),
            access: text("/tokens/accessToken"),
            refresh: text("/tokens/refreshToken"),
            body,
        }
    }
}

pub(crate) fn registration(email: &str) -> Value {
    json!({"email": email, "password": PASSWORD, "firstName": "Ada", "lastName": "Lovelace"})
}

/// Registers with the usual password.
pub(crate) async fn register(server: &TestServer, email: &str) -> Person {
    register_at(server, None, email).await
}

pub(crate) async fn register_at(server: &TestServer, tenant: Option<&str>, email: &str) -> Person {
    let request = server.post("/auth/register").json(&registration(email));
    let request = match tenant {
        Some(tenant) => request.header("x-tenant", tenant),
        None => request,
    };
    Person::of(body_of(request.send().await.unwrap(), StatusCode::CREATED).await)
}

/// Signs in with the usual password.
pub(crate) async fn login(server: &TestServer, email: &str) -> Person {
    Person::of(body_of(try_login(server, email, PASSWORD).await, StatusCode::OK).await)
}

pub(crate) async fn try_login(server: &TestServer, email: &str, password: &str) -> Response {
    server
        .post("/auth/login")
        .json(&json!({"email": email, "password": password}))
        .send()
        .await
        .unwrap()
}

pub(crate) async fn try_refresh(server: &TestServer, token: &str) -> Response {
    server
        .post("/auth/refresh")
        .json(&json!({"refreshToken": token}))
        .send()
        .await
        .unwrap()
}

/// Refreshes, and gives the successor.
pub(crate) async fn refresh(server: &TestServer, token: &str) -> String {
    let body = body_of(try_refresh(server, token).await, StatusCode::OK).await;
    body.pointer("/tokens/refreshToken")
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

pub(crate) async fn me(server: &TestServer, access: &str) -> Response {
    server.get("/auth/me").bearer_auth(access).send().await.unwrap()
}

/// The JSON of an answer that must have this status.
pub(crate) async fn body_of(response: Response, status: StatusCode) -> Value {
    let actual = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(actual, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Asserts that an answer is this refusal, and gives its document.
pub(crate) async fn assert_refused(response: Response, status: u16, code: &str) -> Value {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let body = body_of(response, StatusCode::from_u16(status).unwrap()).await;
    assert_eq!(body["code"], code, "{body}");
    body
}

/// The types of all audit events, in order, that lie behind the making of keys.
pub(crate) async fn audit_trail(server: &TestServer) -> Vec<String> {
    sqlx::query_scalar("SELECT type FROM audit_events WHERE type NOT LIKE 'key_%' ORDER BY seq")
        .fetch_all(server.pool())
        .await
        .unwrap()
}

/// Runs a statement on the server's database, as an operator might.
pub(crate) async fn execute(server: &TestServer, sql: &'static str) {
    sqlx::raw_sql(sql).execute(server.pool()).await.unwrap();
}

pub(crate) async fn count(server: &TestServer, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(server.pool()).await.unwrap()
}

pub(crate) fn moment(value: &Value) -> Timestamp {
    value.as_str().unwrap().parse().unwrap()
}

/// Two servers on one database, as replicas are.
pub(crate) async fn replicas() -> [TestServer; 2] {
    let mut master_key = None;
    let first = TestServer::start_with(|settings| {
        without_limits(settings);
        master_key = settings.get("PORTCULLIS__SECRETS__MASTER_KEY").cloned();
    })
    .await;
    let url = first.database.as_ref().unwrap().url().to_owned();
    let second = TestServer::start_on(&url, |settings| {
        without_limits(settings);
        settings.insert("PORTCULLIS__SECRETS__MASTER_KEY".into(), master_key.unwrap());
    })
    .await;
    [first, second]
}

/// The text at this place of a document.
pub(crate) fn text(body: &Value, pointer: &str) -> String {
    body.pointer(pointer).unwrap().as_str().unwrap().to_owned()
}

/// Asserts that an access token is refused as one that a refresh would mend.
pub(crate) async fn assert_stale(response: Response) {
    let challenge = response.headers()["www-authenticate"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_refused(response, 401, "invalid_token").await;
    assert!(challenge.contains("expired"), "{challenge}");
}
