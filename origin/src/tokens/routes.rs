//! `/.well-known/…`, `/auth/verify` and `/auth/csrf`.

use axum::Json;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRef, Query, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use portcullis_shared::claims::AccessClaims;
use serde::{Deserialize, Serialize};

use crate::http::{AppState, Problem, RequestContext, is_known};
use crate::rate_limit::Limiter;

use super::{CsrfTokens, CurrentUser, Tokens, TokensError};

/// How long a key set may be cached: [`MAX_AGE_SECONDS`](portcullis_shared::jwk::MAX_AGE_SECONDS). A key is
/// published for at least twice as long before it signs.
const JWKS_CACHE_CONTROL: HeaderValue = HeaderValue::from_static("public, max-age=300");
/// The same for a set that lacks what was asked for.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

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

/// What the caller lacks. It is a hint: the answer is the key set in any case, and nothing else may hold it back.
#[derive(Default, Deserialize)]
struct Sought {
    /// A key that the caller has met in a token.
    kid: Option<String>,
    /// The least version of the set that the caller may use.
    version: Option<String>,
}

async fn jwks(
    State(tokens): State<Tokens>,
    context: RequestContext,
    sought: Result<Query<Sought>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Query(sought) = sought.unwrap_or_default();
    let version = sought.version.and_then(|version| version.parse().ok());
    let (set, has_it) = tokens
        .key_set_with(sought.kid.as_deref(), version.unwrap_or(0), context.now)
        .await
        .map_err(TokensError::from)?;
    // A set without it may be that of a replica that has not looked again yet. Kept on its way, it would hold back for
    // minutes what the next attempt brings.
    let caching = if has_it { JWKS_CACHE_CONTROL } else { NO_STORE };
    let caching = [(CACHE_CONTROL, caching), (ETAG, set.etag.clone())];
    if is_known(&headers, &set.etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching).into_response());
    }
    // RFC 7517 §8.5.2.
    let content_type = [(CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json"))];
    Ok((caching, content_type, set.json).into_response())
}

/// What RFC 8414 §2 asks for, of what exists. There are no authorization and no token endpoints in the sense of
/// OAuth 2.0, and so no response types and no grants.
#[derive(Serialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
    response_types_supported: [&'static str; 0],
    grant_types_supported: [&'static str; 0],
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: [&'static str; 2],
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: [&'static str; 2],
}

/// How service clients may authenticate themselves (RFC 6749 §2.3.1, by the names of RFC 7591 §2).
const CLIENT_AUTH_METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

async fn metadata(State(tokens): State<Tokens>) -> Response {
    let issuer = tokens.issuer().to_owned();
    let metadata = Metadata {
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        introspection_endpoint: format!("{issuer}/oauth2/introspect"),
        introspection_endpoint_auth_methods_supported: CLIENT_AUTH_METHODS,
        revocation_endpoint: format!("{issuer}/oauth2/revoke"),
        revocation_endpoint_auth_methods_supported: CLIENT_AUTH_METHODS,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_set_may_be_cached_for_as_long_as_verifiers_keep_it() {
        let expected = format!("public, max-age={}", portcullis_shared::jwk::MAX_AGE_SECONDS);
        assert_eq!(JWKS_CACHE_CONTROL, expected);
    }
}
