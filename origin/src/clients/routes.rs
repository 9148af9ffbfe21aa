//! `/oauth2/introspect`, `/oauth2/revoke`.

use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};

use crate::http::{AppState, RequestContext};
use crate::rate_limit::Limiter;
use crate::sessions::Sessions;
use crate::tokens::Tokens;

use super::authentication::TokenRequest;
use super::desk::Desk;
use super::error::ClientsError;
use super::model::Introspection;

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Sessions: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/oauth2/introspect", post(introspect))
        .route("/oauth2/revoke", post(revoke))
}

async fn introspect(
    desk: Desk,
    context: RequestContext,
    request: TokenRequest,
) -> Result<Json<Introspection>, ClientsError> {
    Ok(Json(desk.introspect(&context, &request).await?))
}

/// 200 and nothing else, whatever the token was (RFC 7009 §2.2).
async fn revoke(
    desk: Desk,
    context: RequestContext,
    request: TokenRequest,
) -> Result<StatusCode, ClientsError> {
    desk.revoke(&context, &request).await?;
    Ok(StatusCode::OK)
}
