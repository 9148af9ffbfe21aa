//! Something between the edge and the origin that passes everything on, and lies about revocations when it is told to.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The path that is lied about.
const FEED: &str = "/edge/revocations";
/// The path of the edge's questions about venues.
const VENUE_ROLES: &str = "/edge/venue-roles";
const LARGEST_BODY: usize = 32 * 1024 * 1024;

/// What it does about a request for the revocation feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// It passes the answer on.
    None,
    /// It changes one byte of the body, or of the entity tag where there is no body.
    Tampering,
    /// It gives the very first answer again.
    Replaying,
    /// It sends 100 MB.
    Flooding,
    /// It says nothing for longer than the edge waits.
    Hanging,
    /// It answers 500.
    Failing,
}

/// A server on a free port of 127.0.0.1 in front of an origin.
#[derive(Debug)]
pub struct LyingOrigin {
    url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    origin: Mutex<Option<String>>,
    lie: Mutex<Lie>,
    first: Mutex<Option<(StatusCode, HeaderMap, Bytes)>>,
    asked: Mutex<usize>,
    asked_about_venues: Mutex<usize>,
    silent_about_venues: Mutex<bool>,
    http: reqwest::Client,
}

impl LyingOrigin {
    /// Starts it, in front of nothing yet.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            origin: Mutex::default(),
            lie: Mutex::new(Lie::None),
            first: Mutex::default(),
            asked: Mutex::default(),
            asked_about_venues: Mutex::default(),
            silent_about_venues: Mutex::default(),
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .unwrap(),
        });
        let routes = Router::new().fallback(pass_on).with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, shared, serving }
    }

    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where to pass requests on to.
    pub fn stand_before(&self, origin: &str) {
        *self.shared.origin.lock().unwrap() = Some(origin.to_owned());
    }

    /// Lies from now on, or stops lying.
    pub fn lie(&self, lie: Lie) {
        *self.shared.lie.lock().unwrap() = lie;
    }

    /// How often the feed was asked for.
    #[must_use]
    pub fn asked(&self) -> usize {
        *self.shared.asked.lock().unwrap()
    }

    /// How often it was asked who holds what at a venue.
    #[must_use]
    pub fn asked_about_venues(&self) -> usize {
        *self.shared.asked_about_venues.lock().unwrap()
    }

    /// Says nothing about venues from now on for longer than the edge waits, or answers again.
    pub fn be_silent_about_venues(&self, silent: bool) {
        *self.shared.silent_about_venues.lock().unwrap() = silent;
    }
}

impl Drop for LyingOrigin {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass_on(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let is_feed = request.uri().path() == FEED;
    let lie = *shared.lie.lock().unwrap();
    if is_feed {
        *shared.asked.lock().unwrap() += 1;
        match lie {
            Lie::Flooding => return flood(),
            Lie::Failing => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
            Lie::Hanging => tokio::time::sleep(Duration::from_secs(2)).await,
            Lie::None | Lie::Tampering | Lie::Replaying => {}
        }
        let first = shared.first.lock().unwrap().clone();
        if let (Lie::Replaying, Some(first)) = (lie, first) {
            return first.into_response();
        }
    }
    if request.uri().path() == VENUE_ROLES {
        *shared.asked_about_venues.lock().unwrap() += 1;
        let silent = *shared.silent_about_venues.lock().unwrap();
        if silent {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
    }
    let Some(mut answer) = ask(&shared, request).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    if is_feed {
        let mut first = shared.first.lock().unwrap();
        if first.is_none() && answer.0.is_success() {
            *first = Some(answer.clone());
        }
    }
    if is_feed && lie == Lie::Tampering {
        tamper(&mut answer);
    }
    answer.into_response()
}

/// Asks the origin the same, `Host` included, since the edge has signed it.
async fn ask(shared: &Shared, request: Request) -> Option<(StatusCode, HeaderMap, Bytes)> {
    let origin = shared.origin.lock().unwrap().clone()?;
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.ok()?;
    let mut headers = parts.headers;
    headers.remove("transfer-encoding");
    let url = format!("{origin}{}", parts.uri.path_and_query()?);
    let asked = shared.http.request(parts.method, url).headers(headers).body(body);
    let answer = asked.send().await.ok()?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    for name in ["transfer-encoding", "content-length", "connection"] {
        headers.remove(name);
    }
    Some((status, headers, answer.bytes().await.ok()?))
}

fn tamper((_, headers, body): &mut (StatusCode, HeaderMap, Bytes)) {
    if body.is_empty() {
        headers.insert("etag", "\"1.999999.0\"".parse().unwrap());
    } else {
        let mut bytes = body.to_vec();
        let last = bytes.len() - 1;
        bytes[last] = b' ';
        *body = bytes.into();
    }
}

fn flood() -> Response {
    let piece = Bytes::from(vec![b' '; 1024 * 1024]);
    let pieces = stream::iter((0..100).map(move |_| Ok::<_, std::io::Error>(piece.clone())));
    Response::new(Body::from_stream(pieces))
}
