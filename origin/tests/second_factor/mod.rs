//! Codes of authenticator apps and backup codes: set up, asked for, shown once more, given up.

mod backup_codes;
mod changing;
mod enforced;
mod races;
mod setting_up;
mod signing_in;
mod stepping_up;

use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use totp_rs::{Builder, Secret, Totp};

use crate::common::TestServer;
use crate::fixtures::{
    PASSWORD, Person, assert_refused, audit_trail, body_of, count, execute, login, me, refresh, register,
    text, try_login, try_refresh,
};
use crate::mail::{Folder, server_with_folder};
use crate::recovery::{mails, only};

const ADA: &str = "ada@example.com";

/// An authenticator app.
#[derive(Clone)]
pub(crate) struct App(Totp);

impl App {
    fn of(secret: &str) -> Self {
        let secret = Secret::try_from_base32(secret).unwrap();
        Self(
            Builder::new()
                .with_secret(secret)
                .with_account_name(ADA)
                .build()
                .unwrap(),
        )
    }

    /// What it shows, if its clock is so many seconds ahead of the server's.
    fn code_at(&self, server: &TestServer, seconds: i64) -> String {
        let now = server.clock.now() + TimeDelta::seconds(seconds);
        self.0.generate(now.timestamp().unsigned_abs()).to_string()
    }

    pub(crate) fn code(&self, server: &TestServer) -> String {
        self.code_at(server, 0)
    }
}

/// Somebody with a second factor.
pub(crate) struct Ada {
    person: Person,
    pub(crate) app: App,
    pub(crate) backup_codes: Vec<String>,
}

impl Ada {
    /// Registers and sets an app up. The clock goes on after that: the code of the set-up is used up.
    pub(crate) async fn with_app(server: &TestServer) -> Self {
        let person = register(server, ADA).await;
        let body = body_of(set_up(server, &person.access, PASSWORD).await, StatusCode::OK).await;
        let app = App::of(&text(&body, "/secret"));
        body_of(
            verify(server, &person.access, &app.code(server)).await,
            StatusCode::OK,
        )
        .await;
        next_step(server);
        let codes = body["backupCodes"].as_array().unwrap().iter();
        Self {
            backup_codes: codes.map(|code| code.as_str().unwrap().to_owned()).collect(),
            person,
            app,
        }
    }
}

/// Lets half a minute pass, so that the app shows another code.
fn next_step(server: &TestServer) {
    server.clock.advance(TimeDelta::seconds(30));
}

/// A server that can write letters, and somebody with a second factor who has no mail that waits.
async fn server_with_ada() -> (TestServer, Folder, Ada) {
    let (server, folder) = server_with_folder().await;
    let ada = Ada::with_app(&server).await;
    mails(&server, &folder).await;
    (server, folder, ada)
}

fn posting(server: &TestServer, access: &str, path: &str, body: &Value) -> RequestBuilder {
    server.post(path).bearer_auth(access).json(body)
}

async fn post(server: &TestServer, access: &str, path: &str, body: &Value) -> Response {
    posting(server, access, path, body).send().await.unwrap()
}

async fn set_up(server: &TestServer, access: &str, password: &str) -> Response {
    post(server, access, "/auth/mfa/setup", &json!({"password": password})).await
}

async fn verify(server: &TestServer, access: &str, code: &str) -> Response {
    post(server, access, "/auth/mfa/verify", &json!({"code": code})).await
}

async fn step_up(server: &TestServer, access: &str, method: &str, code: &str) -> Response {
    post(
        server,
        access,
        "/auth/mfa/step-up",
        &json!({"method": method, "code": code}),
    )
    .await
}

async fn new_backup_codes(server: &TestServer, access: &str) -> Response {
    post(server, access, "/auth/mfa/backup-codes", &json!({})).await
}

async fn disable(server: &TestServer, access: &str, password: &str) -> Response {
    server
        .request(Method::DELETE, "/auth/mfa/disable")
        .bearer_auth(access)
        .json(&json!({"password": password}))
        .send()
        .await
        .unwrap()
}

/// Signs in with the right password, and gives the `mfaToken`.
pub(crate) async fn challenged(server: &TestServer) -> String {
    let body = body_of(try_login(server, ADA, PASSWORD).await, StatusCode::OK).await;
    assert_eq!(body["mfaRequired"], true, "{body}");
    text(&body, "/mfaToken")
}

pub(crate) async fn answer(server: &TestServer, token: &str, method: &str, code: &str) -> Response {
    let body = json!({"mfaToken": token, "method": method, "code": code});
    server.post("/auth/login/mfa").json(&body).send().await.unwrap()
}

/// Signs in with the password and what the app shows.
pub(crate) async fn login_with(server: &TestServer, app: &App) -> Person {
    let token = challenged(server).await;
    let answered = answer(server, &token, "totp", &app.code(server)).await;
    Person::of(body_of(answered, StatusCode::OK).await)
}

async fn claims(server: &TestServer, access: &str) -> Value {
    let request = server.get("/auth/verify").bearer_auth(access);
    body_of(request.send().await.unwrap(), StatusCode::OK).await["claims"].clone()
}

async fn mfa_enabled(server: &TestServer, access: &str) -> bool {
    let body = body_of(me(server, access).await, StatusCode::OK).await;
    body["user"]["mfaEnabled"].as_bool().unwrap()
}

async fn exported(server: &TestServer, access: &str) -> Response {
    let request = server.get("/auth/account/export").bearer_auth(access);
    request.send().await.unwrap()
}
