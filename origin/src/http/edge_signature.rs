//! Tells requests of the edge from all others, and makes the request's context.
//!
//! Invariants:
//! - A request that claims to be signed is signed, or is refused: a bad signature is never ignored.
//! - What is signed is accepted once. Only then does anything look at the request, its body included, which no
//!   signature covers: whoever has seen one request of the edge cannot have another body believed under its name.
//! - Without a signature, no handler sees a header that only the edge may set; and where `[edge] required` says so, no
//!   handler sees the request, but for those that say whether the server lives.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::HOST;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use portcullis_shared::identity;
use portcullis_shared::problem::ProblemCode;
use portcullis_shared::request_signature::{
    self, Purpose, SIGNED_HEADERS, SignatureParameters, SignedRequest, SigningKey,
};

use crate::kernel::time::Timestamp;

use super::context::RequestContext;
use super::health;
use super::problem::Problem;
use super::state::AppState;

/// The middleware: verifies or strips, then leaves the [`RequestContext`] for the handlers.
pub(super) async fn authenticate_edge(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match authenticate(&app, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(problem) => problem.into_response(),
    }
}

async fn authenticate(app: &AppState, parts: &mut Parts) -> Result<(), Problem> {
    // They tell a load balancer, which signs nothing, and change nothing, so that they may be asked twice.
    let is_about_health = health::is_route(parts.uri.path());
    let claims_a_signature =
        parts.headers.contains_key("signature-input") || parts.headers.contains_key("signature");
    let signed = if claims_a_signature {
        let now = app.clock().now();
        let (signed, parameters) = verify(parts, &app.config().edge_keys, now)?;
        if !is_about_health {
            app.replays().admit(&parameters, now).await?;
        }
        Some(signed)
    } else if app.config().edge_required && !is_about_health {
        return Err(Problem::new(ProblemCode::EdgeRequired));
    } else {
        for name in identity::HEADERS {
            parts.headers.remove(name);
        }
        None
    };
    let keyid = signed.as_ref().map(|signed| signed.key.keyid.clone());
    let context = RequestContext::new(app, parts, keyid)?;
    parts.extensions.insert(context);
    if let Some(signed) = signed {
        parts.extensions.insert(signed);
    }
    Ok(())
}

/// What a signature that holds says of its request.
#[derive(Clone)]
struct Signed {
    key: SigningKey,
    purpose: Purpose,
}

/// A request of the edge itself, such as for the revocation feed: signed as its own, which nothing is that the edge
/// forwards, whatever its route table says. An extractor, so that a handler that has one answers nobody else; it comes
/// before those that read what was sent.
pub struct OfTheEdge {
    /// The key that the request was signed with, and that its answer is to be signed with.
    pub key: SigningKey,
}

impl<S: Sync> FromRequestParts<S> for OfTheEdge {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Signed>() {
            Some(Signed {
                key,
                purpose: Purpose::Own,
            }) => Ok(Self { key: key.clone() }),
            Some(Signed {
                purpose: Purpose::Forwarded,
                ..
            })
            | None => Err(Problem::new(ProblemCode::InvalidEdgeSignature)
                .detail("Only the edge may ask for this, and not on behalf of a client.")),
        }
    }
}

/// Verifies the signature and says with which of the keys it was made, and in whose name.
fn verify(
    parts: &Parts,
    keys: &[SigningKey],
    now: Timestamp,
) -> Result<(Signed, SignatureParameters), Problem> {
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
    let parameters = request_signature::verify(
        &request,
        only("signature-input")?,
        only("signature")?,
        keys,
        now.timestamp(),
    )
    .map_err(|error| refused().caused_by(error))?;
    let key = keys.iter().find(|key| key.keyid == parameters.keyid);
    let signed = Signed {
        key: key.cloned().ok_or_else(refused)?,
        purpose: parameters.purpose,
    };
    Ok((signed, parameters))
}
