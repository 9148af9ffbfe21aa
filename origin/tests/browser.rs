//! A browser that keeps its tokens in cookies, as far as the origin can tell.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{PASSWORD, body_of, registration};

pub(crate) const ACCESS: &str = "__Host-pc_access";
pub(crate) const REFRESH: &str = "__Host-pc_refresh";
pub(crate) const DEVICE: &str = "__Host-pc_device";

/// The cookies of a signed-in browser.
#[derive(Clone, Debug)]
pub(crate) struct Browser {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) session_id: String,
}

impl Browser {
    /// Registers with the usual password, and asks for cookies.
    pub(crate) async fn register(server: &TestServer, email: &str) -> Self {
        Self::register_at(server, None, email).await
    }

    pub(crate) async fn register_at(server: &TestServer, tenant: Option<&str>, email: &str) -> Self {
        let request = server.post("/auth/register").json(&registration(email));
        let request = match tenant {
            Some(tenant) => request.header("x-tenant", tenant),
            None => request,
        };
        Self::of(asking(request).send().await.unwrap(), StatusCode::CREATED).await
    }

    /// Signs in with the usual password, and asks for cookies.
    pub(crate) async fn login(server: &TestServer, email: &str) -> Self {
        let body = json!({"email": email, "password": PASSWORD});
        let request = asking(server.post("/auth/login").json(&body));
        Self::of(request.send().await.unwrap(), StatusCode::OK).await
    }

    async fn of(response: Response, status: StatusCode) -> Self {
        let (access, refresh) = (kept(&response, ACCESS), kept(&response, REFRESH));
        let body = body_of(response, status).await;
        Self {
            access: access.unwrap(),
            refresh: refresh.unwrap(),
            session_id: body["session"]["id"].as_str().unwrap().to_owned(),
        }
    }

    pub(crate) fn access_cookie(&self) -> String {
        format!("{ACCESS}={}", self.access)
    }

    pub(crate) fn refresh_cookie(&self) -> String {
        format!("{REFRESH}={}", self.refresh)
    }

    pub(crate) fn both_cookies(&self) -> String {
        format!("theme=dark; {}; {}", self.access_cookie(), self.refresh_cookie())
    }

    /// A request of our own page, with both cookies.
    pub(crate) fn post(&self, server: &TestServer, path: &str) -> RequestBuilder {
        from_own_page(server, Method::POST, path, &self.both_cookies())
    }

    /// Whether the access cookie is good.
    pub(crate) async fn is_signed_in(&self, server: &TestServer) -> bool {
        let request = from_own_page(server, Method::GET, "/auth/me", &self.access_cookie());
        let response = request.send().await.unwrap();
        match response.status() {
            StatusCode::OK => true,
            status => {
                assert_eq!(status, StatusCode::UNAUTHORIZED);
                false
            }
        }
    }
}

/// A request of our own page, with these cookies.
pub(crate) fn from_own_page(
    server: &TestServer,
    method: Method,
    path: &str,
    cookies: &str,
) -> RequestBuilder {
    server
        .request(method, path)
        .header("cookie", cookies)
        .header("sec-fetch-site", "same-origin")
}

pub(crate) fn asking(request: RequestBuilder) -> RequestBuilder {
    request.header("x-token-delivery", "cookie")
}

/// All lines of `Set-Cookie`.
pub(crate) fn set_cookies(response: &Response) -> Vec<String> {
    response
        .headers()
        .get_all("set-cookie")
        .into_iter()
        .map(|line| line.to_str().unwrap().to_owned())
        .collect()
}

/// The value that a browser keeps of this cookie, if the answer sets it.
pub(crate) fn kept(response: &Response, name: &str) -> Option<String> {
    let lines = set_cookies(response);
    let mut values = lines
        .iter()
        .filter_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        .map(|rest| rest.split(';').next().unwrap().to_owned());
    let value = values.next();
    assert_eq!(values.next(), None, "{name} is set twice");
    value
}

/// Asserts that the answer makes the browser forget both cookies, and that nobody may keep it.
pub(crate) fn assert_forgotten(response: &Response) {
    let mut lines = set_cookies(response);
    lines.sort();
    assert_eq!(
        lines,
        [ACCESS, REFRESH].map(|name| format!("{name}=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"))
    );
    assert_private(response);
}

pub(crate) fn assert_untouched(response: &Response) {
    assert_eq!(set_cookies(response), Vec::<String>::new());
}

/// Asserts that exactly one `Cache-Control` says that nobody may keep the answer.
pub(crate) fn assert_private(response: &Response) {
    let lines: Vec<_> = response.headers().get_all("cache-control").into_iter().collect();
    assert_eq!(lines, ["private, no-store"]);
}

/// Asserts that the body holds the lifetimes of the tokens and no token.
pub(crate) fn assert_without_tokens(body: &Value) {
    let tokens = body["tokens"].as_object().unwrap();
    let mut names: Vec<&str> = tokens.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["expiresIn", "refreshExpiresIn"]);
    let text = body.to_string();
    assert!(!text.contains("pcr_") && !text.contains("eyJ"), "{text}");
}
