//! An HTTP client with an address of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use http::Method;
use serde_json::Value;

use crate::answer::Answer;
use crate::fresh_id;
use crate::world::{Door, Kind};

/// How long one exchange may take; well above every timeout of the system itself.
const PATIENCE: Duration = Duration::from_mins(1);

/// One visitor: all its requests come from the same address.
#[derive(Clone, Debug)]
pub struct Client {
    door: Door,
    address: IpAddr,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(door: Door) -> Self {
        let address = fresh_address(door.kind());
        Self::at(door, address)
    }

    /// A visitor from an address of the test's choice; at the origin it has to be a local one.
    #[must_use]
    pub fn at(door: Door, address: IpAddr) -> Self {
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE);
        let builder = match door.kind() {
            Kind::Edge => builder,
            Kind::Origin => builder.local_address(address),
        };
        Self {
            door,
            address,
            http: builder.build().unwrap(),
        }
    }

    /// The same visitor at another door: the same address only where the kind of door is the same.
    #[must_use]
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// Where the requests come from.
    #[must_use]
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// Begins a request; `path` starts with a slash and may have a query.
    pub fn call(&self, method: Method, path: &str) -> Call {
        let mut request = self.http.request(method, format!("{}{path}", self.door.url()));
        if self.door.kind() == Kind::Edge {
            request = request.header("cf-connecting-ip", self.address.to_string());
        }
        Call { request }
    }

    /// Begins a GET.
    pub fn get(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }

    /// Begins a POST.
    pub fn post(&self, path: &str) -> Call {
        self.call(Method::POST, path)
    }
}

/// An address that nobody has used.
fn fresh_address(kind: Kind) -> IpAddr {
    let [a, b, c, d, ..] = fresh_id().into_bytes();
    let wide = |high, low| u16::from_be_bytes([high, low]);
    match kind {
        // From the range for documentation; a /64 of its own, since limits go by /64.
        Kind::Edge => Ipv6Addr::new(0x2001, 0xdb8, wide(a, b), wide(c, d), 0, 0, 0, 1).into(),
        Kind::Origin => Ipv4Addr::new(127, a | 1, b, c.clamp(1, 254)).into(),
    }
}

/// A request in the making.
#[derive(Debug)]
#[must_use]
pub struct Call {
    request: reqwest::RequestBuilder,
}

impl Call {
    /// Presents an access token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    /// Adds a header.
    pub fn header(self, name: &str, value: &str) -> Self {
        Self {
            request: self.request.header(name, value),
        }
    }

    /// Sends JSON.
    pub fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json")
            .body(body.to_string())
    }

    /// Sends bytes, without saying what they are.
    pub fn body(self, body: impl Into<reqwest::Body>) -> Self {
        Self {
            request: self.request.body(body),
        }
    }

    /// Sends it, reads the whole answer, and holds it to what every answer must fulfil.
    ///
    /// # Panics
    ///
    /// When there is no answer, or it has no `X-Request-Id`.
    pub async fn send(self) -> Answer {
        let answer = self
            .attempt()
            .await
            .unwrap_or_else(|error| panic!("no answer: {error:?}"));
        assert!(
            answer.header("x-request-id").is_some(),
            "no X-Request-Id in {answer:?}"
        );
        answer
    }

    /// Sends it; `None` when the connection was refused or broke.
    pub async fn try_send(self) -> Option<Answer> {
        self.attempt().await.ok()
    }

    async fn attempt(self) -> reqwest::Result<Answer> {
        let response = self.request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }

    /// Sends it and leaves the body of the answer to be streamed.
    pub async fn stream(self) -> Option<reqwest::Response> {
        self.request.send().await.ok()
    }
}
