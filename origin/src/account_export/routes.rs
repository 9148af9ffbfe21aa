//! `/auth/account/export`.

use axum::extract::{FromRef, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};

use crate::http::{AppState, Problem, RequestContext};
use crate::rate_limit::Limiter;
use crate::tokens::{FreshUser, Tokens};

use super::export;

/// A browser that is sent here keeps the document as a file and shows nothing.
const AS_A_FILE: &str = r#"attachment; filename="account.json""#;

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new().route("/auth/account/export", get(hand_out))
}

async fn hand_out(
    State(app): State<AppState>,
    State(limiter): State<Limiter>,
    context: RequestContext,
    FreshUser(caller): FreshUser,
) -> Result<impl IntoResponse, Problem> {
    export::admit(&limiter, &app, &context, &caller).await?;
    let export = export::export(&app, &context, &caller).await?;
    let headers = [(CACHE_CONTROL, "no-store"), (CONTENT_DISPOSITION, AS_A_FILE)];
    Ok((headers, Json(export)))
}
