//! Sessions in a real browser: Chromium, at the edge.

mod hostile;
mod sessions;
mod tabs;

use http::Method;
use portcullis_tests::account::Account;
use portcullis_tests::chromium::Chromium;
use portcullis_tests::world::Door;
use serde_json::{Value, json};

const ACCESS: &str = "__Host-pc_access";
const REFRESH: &str = "__Host-pc_refresh";

/// What a script of a page got to see of an answer.
#[derive(Debug)]
struct Fetched {
    status: u64,
    text: String,
}

impl Fetched {
    #[track_caller]
    fn expect(self, status: u64) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// Opens a page of our own site, from which scripts can ask for anything.
async fn open_own_page(browser: &Chromium, door: &Door) {
    browser.open(&format!("{}/api/public/page", door.url())).await;
}

/// Lets a script of the current page fetch something from its own origin.
async fn fetch(
    browser: &Chromium,
    method: Method,
    path: &str,
    headers: Value,
    body: Option<&Value>,
) -> Fetched {
    let script = "const [method, path, headers, body] = given;
         const answer = await fetch(path, {method, headers, body: body ?? undefined});
         return {status: answer.status, text: await answer.text()};";
    let body = body.map_or(Value::Null, |body| body.to_string().into());
    let given = [method.as_str().into(), path.into(), headers, body];
    let answer = browser.run(script, &given).await;
    Fetched {
        status: answer["status"]
            .as_u64()
            .unwrap_or_else(|| panic!("no answer: {answer}")),
        text: answer["text"].as_str().unwrap().to_owned(),
    }
}

async fn get(browser: &Chromium, path: &str) -> Fetched {
    fetch(browser, Method::GET, path, json!({}), None).await
}

async fn post(browser: &Chromium, path: &str, body: &Value) -> Fetched {
    let headers = json!({"content-type": "application/json"});
    fetch(browser, Method::POST, path, headers, Some(body)).await
}

/// Signs in from the current page and asks for cookies. Gives the answer as the page's script sees it.
async fn sign_in(browser: &Chromium, account: &Account) -> Fetched {
    let headers = json!({"content-type": "application/json", "x-token-delivery": "cookie"});
    let body = json!({"email": account.email, "password": account.password});
    fetch(browser, Method::POST, "/auth/login", headers, Some(&body))
        .await
        .expect(200)
}

/// The names and values of the headers that the example upstream saw of a request.
fn seen_headers<'s>(seen: &'s Value, name: &str) -> Vec<&'s str> {
    let headers = seen["headers"].as_array().expect("headers");
    let of_name = headers.iter().filter(|header| header[0] == name);
    of_name.map(|header| header[1].as_str().unwrap()).collect()
}

/// The chain and the generation that a refresh token names.
fn chain_of(refresh_token: &str) -> (String, u64) {
    let mut parts = refresh_token.split('.');
    let family = parts.next().expect("a chain");
    let generation = parts.next().expect("a generation").parse();
    (family.to_owned(), generation.expect("a number"))
}
