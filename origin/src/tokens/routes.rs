//! `/.well-known/…`, `/auth/verify` and `/auth/csrf`.

use axum::Json;
use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use portcullis_shared::claims::AccessClaims;
use serde::Serialize;

use crate::http::{AppState, Problem, RequestContext};
use crate::rate_limit::Limiter;

use super::{CsrfTokens, CurrentUser, Tokens, TokensError};

/// How long a key set may be cached. A key is published for at least twice as long before it signs.
const JWKS_CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    CsrfTokens: FromRef<S>,
    Limiter: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/.well-known/jwks.json", get(jwks))
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/auth/verify", get(verify))
        .route("/auth/csrf", get(csrf))
}

async fn jwks(
    State(tokens): State<Tokens>,
    context: RequestContext,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let set = tokens.key_set(context.now).await.map_err(TokensError::from)?;
    let caching = [(CACHE_CONTROL, JWKS_CACHE_CONTROL), (ETAG, set.etag.clone())];
    if is_known(&headers, &set.etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    // RFC 7517 §8.5.2.
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"))];
    Ok((caching, content_type, set.json).into_response())
}

/// `If-None-Match` (RFC 9110 §13.1.2): weak comparison with each entry of each line.
fn is_known(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers
        .get_all(IF_NONE_MATCH)
        .into_iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(str::trim)
        .any(|entry| entry == "*" || entry.strip_prefix("W/").unwrap_or(entry).as_bytes() == etag.as_bytes())
}

/// What RFC 8414 §2 asks for, of what exists. There are no authorization and no token endpoints in the sense of
/// OAuth 2.0, and so no response types and no grants.
#[derive(Serialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 0],
}

async fn metadata(State(tokens): State<Tokens>) -> Response {
    let issuer = tokens.issuer().to_owned();
    let metadata = Metadata {
        jwks_uri: format!("{}/.well-known/jwks.json", issuer.trim_end_matches('/')),
        issuer,
        response_types_supported: [],
        grant_types_supported: [],
    };
    ([(CACHE_CONTROL, JWKS_CACHE_CONTROL)], Json(metadata)).into_response()
}

#[derive(Serialize)]
struct Verified {
    active: bool,
    claims: AccessClaims,
}

async fn verify(user: CurrentUser) -> Json<Verified> {
    Json(Verified {
        active: true,
        claims: user.claims,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CsrfToken {
    csrf_token: String,
}

async fn csrf(
    State(tokens): State<CsrfTokens>,
    context: RequestContext,
    user: CurrentUser,
) -> Json<CsrfToken> {
    Json(CsrfToken {
        csrf_token: tokens.issue(&context, user.session.id),
    })
}
