//! What a handler knows about the request it answers, read once, at the door.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::header::{SET_COOKIE, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use portcullis_shared::identity;

use crate::kernel::ids::Id;
use crate::kernel::random::{self, Entropy};
use crate::kernel::time::Timestamp;

use super::problem::Problem;
use super::state::AppState;

/// Longest user agent that is kept, in characters.
const MAX_USER_AGENT: usize = 512;

/// Names one request from the edge to the origin's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// The id the request came with, if it has the accepted form: 8 to 64 of `A-Z a-z 0-9 _ -`.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(identity::REQUEST_ID)?.to_str().ok()?;
        let accepted = (8..=64).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
        accepted.then(|| Self(text.into()))
    }

    /// A new id.
    pub(super) fn generate(entropy: &dyn Entropy) -> Self {
        // Version 4: it names a request and orders nothing, so it needs no clock.
        let random = random::bytes(entropy);
        Self(
            uuid::Builder::from_random_bytes(random)
                .into_uuid()
                .to_string()
                .into(),
        )
    }

    /// The text, as in `X-Request-Id`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn header(&self) -> HeaderValue {
        // The accepted form is visible ASCII, which is always a header value.
        HeaderValue::from_str(&self.0).unwrap_or(HeaderValue::from_static(""))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The address of the other end of the connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) SocketAddr);

/// Where and when a request came from; an extractor.
#[derive(Clone)]
pub struct RequestContext {
    /// The moment the request arrived. All of its work happens at this moment.
    pub now: Timestamp,
    /// The id in the log and in the answer.
    pub request_id: RequestId,
    /// The client: signed by the edge, else named by trusted proxies, else the socket's.
    pub client_ip: IpAddr,
    /// The client's `User-Agent`, at most 512 characters, without control characters.
    pub user_agent: Option<String>,
    /// Whether the edge signed the request.
    pub via_edge: bool,
    /// The name of the key that it signed with.
    pub edge_key: Option<Arc<str>>,
    /// The `X-Tenant` header, as it came.
    pub tenant: Option<String>,
    entropy: Arc<dyn Entropy>,
    answer_headers: AnswerHeaders,
}

/// Headers that the answer gets whatever becomes of the request.
#[derive(Clone, Debug, Default)]
pub(super) struct AnswerHeaders(Arc<Mutex<HeaderMap>>);

impl AnswerHeaders {
    pub(super) fn take(&self) -> HeaderMap {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, HeaderMap> {
        // A map of headers is whole at every moment, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RequestContext {
    /// The same request at a later moment, for who had to wait.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Self {
        Self { now, ..self.clone() }
    }

    /// Adds a header to the answer, be it a success or a refusal.
    pub fn add_answer_header(&self, name: HeaderName, value: HeaderValue) {
        self.answer_headers.lock().append(name, value);
    }

    /// Adds a `Set-Cookie` to the answer, be it a success or a refusal. Nobody on the way may keep such an answer:
    /// the boundary says so in its `Cache-Control`.
    pub fn set_cookie(&self, cookie: String) {
        // What the shared crate writes is visible ASCII, which is always a header value.
        let value = HeaderValue::try_from(cookie).unwrap_or(HeaderValue::from_static(""));
        self.add_answer_header(SET_COOKIE, value);
    }

    /// A new identifier of this moment.
    #[must_use]
    pub fn new_id<I: Id>(&self) -> I {
        I::generate(self.now, &*self.entropy)
    }

    /// `N` random bytes.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        random::bytes(&*self.entropy)
    }

    /// The source of randomness, for a function that takes one.
    #[must_use]
    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    pub(super) fn new(app: &AppState, parts: &Parts, edge_key: Option<String>) -> Result<Self, Problem> {
        let via_edge = edge_key.is_some();
        let headers = &parts.headers;
        let peer = parts
            .extensions
            .get::<Peer>()
            .ok_or_else(|| Problem::internal("the connection has no peer"))?;
        let request_id = parts
            .extensions
            .get::<RequestId>()
            .cloned()
            .ok_or_else(|| Problem::internal("the request has no id"))?;
        let client_ip = if via_edge {
            signed_client_ip(headers).unwrap_or(peer.0.ip())
        } else {
            forwarded_client_ip(headers, peer.0.ip(), &app.config().http.trusted_proxies)
        };
        Ok(Self {
            now: app.clock().now(),
            request_id,
            client_ip: client_ip.to_canonical(),
            user_agent: user_agent(headers),
            via_edge,
            edge_key: edge_key.map(Into::into),
            tenant: headers
                .get("x-tenant")
                .map(|slug| String::from_utf8_lossy(slug.as_bytes()).into_owned()),
            entropy: app.entropy(),
            answer_headers: parts.extensions.get().cloned().unwrap_or_default(),
        })
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContext")
            .field("now", &self.now)
            .field("request_id", &self.request_id)
            .finish_non_exhaustive()
    }
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or_else(|| Problem::internal("the route stands outside the application's layers"))
    }
}

fn signed_client_ip(headers: &HeaderMap) -> Option<IpAddr> {
    headers.get(identity::CLIENT_IP)?.to_str().ok()?.parse().ok()
}

/// Walks `X-Forwarded-For` from the right: each trusted proxy vouches for the address before it.
fn forwarded_client_ip(headers: &HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip.to_canonical()));
    let mut client = peer;
    let lines = headers.get_all("x-forwarded-for").into_iter().rev();
    for hop in lines.flat_map(|line| line.to_str().unwrap_or("?").rsplit(',').map(str::trim)) {
        if !is_trusted(client) {
            break;
        }
        // An entry that is no address ends what can be believed; so does a made-up one further left.
        let Ok(ip) = hop.parse() else { break };
        client = ip;
    }
    client
}

fn user_agent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(USER_AGENT)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    Some(
        text.chars()
            .filter(|character| !character.is_control())
            .take(MAX_USER_AGENT)
            .collect(),
    )
}
