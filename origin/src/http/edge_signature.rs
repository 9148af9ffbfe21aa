//! Tells requests of the edge from all others, and makes the request's context.
//!
//! Invariants:
//! - A request that claims to be signed is signed, or is refused: a bad signature is never ignored.
//! - Without a signature, no handler sees a header that only the edge may set.

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use portcullis_shared::identity;
use portcullis_shared::problem::ProblemCode;
use portcullis_shared::request_signature::{self, SIGNED_HEADERS, SignedRequest, SigningKey};

use crate::kernel::time::Timestamp;

use super::context::RequestContext;
use super::problem::Problem;
use super::state::AppState;

/// What the edge says about the bearer; believed only under its signature.
const IDENTITY_HEADERS: [&str; 9] = [
    identity::SUBJECT,
    identity::TENANT,
    identity::SESSION,
    identity::ROLE,
    identity::PERMISSIONS,
    identity::VENUE_ROLES,
    identity::ACR,
    identity::REVOCATIONS_AGE,
    identity::CLIENT_IP,
];

/// The middleware: verifies or strips, then leaves the [`RequestContext`] for the handlers.
pub(super) async fn authenticate_edge(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let claims_a_signature =
        parts.headers.contains_key("signature-input") || parts.headers.contains_key("signature");
    let edge_key = if claims_a_signature {
        match verify(&parts, &app.config().edge_keys, app.clock().now()) {
            Ok(keyid) => Some(keyid),
            Err(problem) => return problem.into_response(),
        }
    } else {
        for name in IDENTITY_HEADERS {
            parts.headers.remove(name);
        }
        None
    };
    match RequestContext::new(&app, &parts, edge_key) {
        Ok(context) => {
            parts.extensions.insert(context);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// The name of the key that signed.
fn verify(parts: &Parts, keys: &[SigningKey], now: Timestamp) -> Result<String, Problem> {
    let refused = || {
        Problem::new(ProblemCode::InvalidEdgeSignature)
            .detail("The request claims to come from the edge, but its signature does not hold.")
    };
    let only = |name: &str| {
        let mut lines = parts.headers.get_all(name).into_iter();
        match (lines.next(), lines.next()) {
            (Some(line), None) => line.to_str().map_err(|_| refused()),
            _ => Err(refused()),
        }
    };
    let authority = only(HOST.as_str())?.to_ascii_lowercase();
    let mut headers = Vec::new();
    for name in SIGNED_HEADERS {
        for value in parts.headers.get_all(name) {
            headers.push((name, value.to_str().map_err(|_| refused())?));
        }
    }
    let request = SignedRequest {
        method: parts.method.as_str(),
        authority: &authority,
        path: parts.uri.path(),
        query: parts.uri.query(),
        headers: &headers,
    };
    request_signature::verify(
        &request,
        only("signature-input")?,
        only("signature")?,
        keys,
        now.timestamp(),
    )
    .map(|parameters| parameters.keyid)
    .map_err(|error| refused().caused_by(error))
}
