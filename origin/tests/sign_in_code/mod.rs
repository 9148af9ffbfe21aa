//! The code that is mailed to who signs in on a device that the account does not know.

mod asking;
mod ending;
mod guessing;
mod races;

use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::common::{Settings, TestServer};
use crate::fixtures::{PASSWORD, Person, assert_refused, body_of, count, execute, register, text, try_login};
use crate::mail::{Folder, server_with_folder_and};
use crate::recovery::{mails, only};

const ADA: &str = "ada@example.com";
const SUBJECT: &str = "Your code to sign in to Default";

fn settings(settings: &mut Settings) {
    settings.insert("PORTCULLIS__DEVICES__EMAIL_CODE".into(), "true".into());
}

/// A server that asks for codes, and somebody whose address is confirmed.
async fn server_with_ada() -> (TestServer, Folder, Person) {
    let (server, folder) = server_with_folder_and(settings).await;
    let ada = register(&server, ADA).await;
    confirm(&server).await;
    mails(&server, &folder).await;
    (server, folder, ada)
}

/// Confirms all addresses.
async fn confirm(server: &TestServer) {
    execute(server, "UPDATE users SET email_verified = true").await;
}

/// Signs in with the right password on an unknown device, and gives the `mfaToken`.
async fn challenged(server: &TestServer) -> String {
    let body = body_of(try_login(server, ADA, PASSWORD).await, StatusCode::OK).await;
    assert_eq!(body["mfaRequired"], true, "{body}");
    text(&body, "/mfaToken")
}

/// The code that has arrived.
async fn code(server: &TestServer, folder: &Folder) -> String {
    let arrived = mails(server, folder).await;
    code_in(&only(&arrived, SUBJECT).text)
}

/// The eight digits of a mail.
fn code_in(mail: &str) -> String {
    let lines = mail.lines().map(|line| line.trim().replace(' ', ""));
    let mut codes = lines.filter(|line| line.len() == 8 && line.bytes().all(|byte| byte.is_ascii_digit()));
    codes.next().expect("a code stands in the mail")
}

/// Another code.
fn wrong(code: &str) -> String {
    let number: u32 = code.parse().unwrap();
    format!("{:08}", (number + 1) % 100_000_000)
}

fn with(token: &str, code: &str) -> Value {
    json!({"mfaToken": token, "method": "email_code", "code": code})
}

async fn answer(server: &TestServer, token: &str, code: &str) -> Response {
    let request = server.post("/auth/login/mfa").json(&with(token, code));
    request.send().await.unwrap()
}

async fn assert_wrong(server: &TestServer, token: &str, code: &str) {
    assert_refused(answer(server, token, code).await, 401, "invalid_code").await;
}

async fn assert_over(server: &TestServer, token: &str, code: &str) {
    assert_refused(answer(server, token, code).await, 401, "invalid_mfa_token").await;
}

async fn sessions(server: &TestServer) -> i64 {
    count(server, "SELECT count(*) FROM sessions").await
}
