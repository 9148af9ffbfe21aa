//! The boundary: one id, one log line and one set of headers for each request, whatever became of it.
//!
//! Invariant: a log line holds the verb, the route's template, the status, the duration and the id. It never
//! holds a query, a header, a body, an address or a name.

use std::any::Any;
use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, SET_COOKIE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::FutureExt;
use portcullis_shared::identity;
use portcullis_shared::problem::ProblemCode;
use tokio::time::Instant;
use tracing::Instrument;

use crate::kernel::causes;

use super::context::{AnswerHeaders, RequestId};
use super::problem::Problem;
use super::state::AppState;

/// Most bytes of all header names and values together. A browser's headers and a token have a quarter of this.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// Most header lines.
const MAX_HEADER_LINES: usize = 100;

/// The outermost middleware.
pub(super) async fn observe(State(app): State<AppState>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = RequestId::of(request.headers()).unwrap_or_else(|| RequestId::generate(&*app.entropy()));
    let answer_headers = AnswerHeaders::default();
    request.extensions_mut().insert(id.clone());
    request.extensions_mut().insert(answer_headers.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("(none)", MatchedPath::as_str);
    let span = tracing::info_span!("request", request_id = %id);

    let outcome = async {
        if exceeds_header_limits(request.headers()) {
            return Err(Problem::new(ProblemCode::HeadersTooLarge).closing());
        }
        match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(mut response) => match response.extensions_mut().remove::<Problem>() {
                Some(problem) => Err(problem),
                None if is_bare_refusal(&response) => Err(Problem::of_bare(&response)),
                None => Ok(response),
            },
            Err(panic) => Err(Problem::internal(Panicked::from(panic))),
        }
    }
    .instrument(span.clone())
    .await;

    let _entered = span.enter();
    let mut response = outcome.unwrap_or_else(|problem| {
        log_cause(&problem);
        problem.render(id.as_str())
    });
    for (name, value) in &answer_headers.take() {
        response.headers_mut().append(name, value.clone());
    }
    add_headers(response.headers_mut(), &id, route);
    let millis = started.elapsed().as_secs_f64() * 1000.0;
    tracing::info!(
        method = %printable(method.as_str()),
        route,
        status = response.status().as_u16(),
        duration_ms = (millis * 1000.0).round() / 1000.0,
        "answered"
    );
    response
}

/// A verb is whatever the client sent; the known ones are enough for a log.
fn printable(method: &str) -> &str {
    match method {
        "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "TRACE" | "CONNECT" => method,
        _ => "(other)",
    }
}

fn exceeds_header_limits(headers: &HeaderMap) -> bool {
    let bytes: usize = headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len())
        .sum();
    bytes > MAX_HEADER_BYTES || headers.len() > MAX_HEADER_LINES
}

/// Whether this is an answer of the framework, such as 405, and not of a handler.
fn is_bare_refusal(response: &Response) -> bool {
    let status = response.status();
    let refusal = status.is_client_error() || status.is_server_error();
    // What handlers refuse with is a document; pages are for people.
    let is_document = response.headers().get(CONTENT_TYPE).is_some_and(|content_type| {
        let content_type = content_type.as_bytes();
        content_type.ends_with(b"json") || content_type.starts_with(b"text/html")
    });
    refusal && !is_document
}

fn log_cause(problem: &Problem) {
    let code = problem.code().as_str();
    let cause = problem.cause().map(causes::on_one_line);
    match cause {
        Some(cause) if problem.code().status() >= 500 => tracing::error!(code, cause, "failed"),
        Some(cause) => tracing::info!(code, cause, "refused"),
        None => tracing::info!(code, "refused"),
    }
}

fn add_headers(headers: &mut HeaderMap, id: &RequestId, route: &str) {
    headers.insert(identity::REQUEST_ID, id.header());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(
            "default-src 'none'; frame-ancestors 'none'",
        ));
    if headers.contains_key(SET_COOKIE) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    } else if route.starts_with("/auth/") || route.starts_with("/oauth2/") {
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
    }
}

/// A handler panicked. What it said stays out of the log, since it may quote input; the place is logged by the
/// process's panic hook.
#[derive(Debug, thiserror::Error)]
#[error("the handler panicked")]
struct Panicked;

impl From<Box<dyn Any + Send>> for Panicked {
    fn from(_payload: Box<dyn Any + Send>) -> Self {
        Self
    }
}
