//! `/auth/register`, `/auth/login`, `/auth/refresh`, `/auth/logout`, `/auth/me`.

use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::http::{AppState, Problem, RequestContext, Valid};
use crate::mail::Mailer;
use crate::rate_limit::Limiter;
use crate::sessions::Sessions;
use crate::tokens::{CurrentUser, Tokens};

use super::desk::Desk;
use super::model::{LoginRequest, LogoutRequest, Me, RefreshRequest, RegisterRequest, SignedIn};

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Mailer: FromRef<S>,
    Sessions: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/auth/register", post(register))
        .route("/auth/login", post(login))
        .route("/auth/refresh", post(refresh))
        .route("/auth/logout", post(logout))
        .route("/auth/me", get(me))
}

async fn register(
    desk: Desk,
    context: RequestContext,
    Valid(new): Valid<RegisterRequest>,
) -> Result<(StatusCode, Json<SignedIn>), Problem> {
    desk.admit_registration(&context, &new).await?;
    Ok((StatusCode::CREATED, Json(desk.register(&context, new).await?)))
}

async fn login(
    desk: Desk,
    context: RequestContext,
    Valid(login): Valid<LoginRequest>,
) -> Result<Json<SignedIn>, Problem> {
    desk.admit_login(&context, &login.email).await?;
    Ok(Json(desk.login(&context, login).await?))
}

async fn refresh(
    desk: Desk,
    context: RequestContext,
    Valid(token): Valid<RefreshRequest>,
) -> Result<Json<SignedIn>, Problem> {
    desk.admit_refresh(&context, &token).await?;
    Ok(Json(desk.refresh(&context, &token).await?))
}

async fn logout(
    desk: Desk,
    context: RequestContext,
    current: CurrentUser,
    request: Option<Valid<LogoutRequest>>,
) -> Result<StatusCode, Problem> {
    let token = request.and_then(|Valid(token)| token);
    desk.logout(&context, &current, token.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn me(current: CurrentUser) -> Json<Me> {
    Json(Me {
        user: current.user.into(),
    })
}
