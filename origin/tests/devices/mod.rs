//! Devices that an account knows, and signs in with.

mod forgetting;
mod keeping;
mod listing;
mod presenting;
mod signing_in;

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{Person, body_of, count, register, text};
use crate::mail::{Folder, server_with_folder};

const ADA: &str = "ada@example.com";
const EVE: &str = "eve@example.com";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const NEWER_FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:146.0) Gecko/20100101 Firefox/146.0";
const CHROME: &str =
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

/// A server that can write letters, which wait in its queue.
async fn server() -> (TestServer, Folder) {
    server_with_folder().await
}

/// How many letters wait that tell of a new sign-in.
async fn letters(server: &TestServer) -> i64 {
    count(
        server,
        "SELECT count(*) FROM graphile_worker._private_jobs WHERE payload ->> 'kind' = 'new_sign_in'",
    )
    .await
}

async fn devices(server: &TestServer) -> i64 {
    count(server, "SELECT count(*) FROM devices").await
}

/// A sign-in with the usual password, before it is sent.
fn signing_in(server: &TestServer, email: &str) -> RequestBuilder {
    let body = json!({"email": email, "password": crate::fixtures::PASSWORD});
    server.post("/auth/login").json(&body)
}

/// Signs in on a device that presents this token, if it has one.
async fn login_on(server: &TestServer, email: &str, token: Option<&str>) -> Person {
    let request = match token {
        Some(token) => signing_in(server, email).header("x-device-token", token),
        None => signing_in(server, email),
    };
    person(request.send().await.unwrap()).await
}

async fn person(answer: Response) -> Person {
    Person::of(body_of(answer, StatusCode::OK).await)
}

/// What a client without cookies is given to present the next time.
fn token(person: &Person) -> String {
    text(&person.body, "/deviceToken")
}

/// Somebody who has registered, and the token of the device that they did it with.
async fn registered(server: &TestServer, email: &str) -> (Person, String) {
    let person = register(server, email).await;
    let token = token(&person);
    (person, token)
}

async fn list(server: &TestServer, person: &Person) -> Vec<Value> {
    let request = server.get("/auth/devices").bearer_auth(&person.access);
    let body = body_of(request.send().await.unwrap(), StatusCode::OK).await;
    body["devices"].as_array().unwrap().clone()
}

/// The identifier of the device that somebody is signed in on.
async fn own_device(server: &TestServer, person: &Person) -> String {
    let listed = list(server, person).await;
    let current: Vec<&Value> = listed.iter().filter(|device| device["current"] == true).collect();
    assert_eq!(current.len(), 1, "{listed:?}");
    text(current[0], "/id")
}

async fn forget(server: &TestServer, person: &Person, device: &str) -> Response {
    server
        .request(Method::DELETE, &format!("/auth/devices/{device}"))
        .bearer_auth(&person.access)
        .send()
        .await
        .unwrap()
}
