//! `/auth/sessions…`, `/auth/devices…`, `/auth/change-password` and `/auth/account`.

use axum::extract::{FromRef, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{delete, get, put};
use axum::{Json, Router};

use crate::accounts::password::PasswordRules;
use crate::http::{AppState, Problem, Query, RequestContext, Valid};
use crate::lockout::Lockout;
use crate::mail::Mailer;
use crate::rate_limit::Limiter;
use crate::reauthentication::CurrentPassword;
use crate::tokens::{Credential, CurrentUser, FreshUser, Tokens};

use super::error::AccessError;
use super::model::{
    ChangePasswordRequest, DeleteAccountRequest, DeviceList, RevokeAllQuery, Revoked, SessionList,
};
use super::{deletion, own_devices, own_sessions, password};

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Lockout: FromRef<S>,
    Mailer: FromRef<S>,
    PasswordRules: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/auth/sessions", get(list))
        .route("/auth/sessions/all", delete(revoke_all))
        .route("/auth/sessions/{id}", delete(revoke))
        .route("/auth/devices", get(list_devices))
        .route("/auth/devices/{id}", delete(forget_device))
        .route("/auth/change-password", put(change_password))
        .route("/auth/account", delete(delete_account))
}

async fn list(
    State(app): State<AppState>,
    context: RequestContext,
    caller: CurrentUser,
) -> Result<Json<SessionList>, Problem> {
    let sessions = own_sessions::list(&app, &context, &caller).await?;
    Ok(Json(SessionList { sessions }))
}

async fn revoke(
    State(app): State<AppState>,
    context: RequestContext,
    caller: CurrentUser,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    // What is no identifier is nobody's session either.
    let id = id.parse().map_err(|_| AccessError::NoSuchSession)?;
    own_sessions::revoke(&app, &context, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn revoke_all(
    State(app): State<AppState>,
    context: RequestContext,
    caller: CurrentUser,
    Query(query): Query<RevokeAllQuery>,
) -> Result<Json<Revoked>, Problem> {
    let revoked = own_sessions::revoke_all(&app, &context, &caller, query.include_current).await?;
    Ok(Json(Revoked { revoked }))
}

async fn list_devices(
    State(app): State<AppState>,
    context: RequestContext,
    caller: CurrentUser,
) -> Result<Json<DeviceList>, Problem> {
    let devices = own_devices::list(&app, &context, &caller).await?;
    Ok(Json(DeviceList { devices }))
}

async fn forget_device(
    State(app): State<AppState>,
    context: RequestContext,
    caller: CurrentUser,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    // What is no identifier is nobody's device either.
    let id = id.parse().map_err(|_| AccessError::NoSuchDevice)?;
    own_devices::forget(&app, &context, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change_password(
    current: CurrentPassword,
    State(rules): State<PasswordRules>,
    context: RequestContext,
    caller: CurrentUser,
    Valid(change): Valid<ChangePasswordRequest>,
) -> Result<StatusCode, Problem> {
    password::change(&current, &rules, &context, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete_account(
    current: CurrentPassword,
    context: RequestContext,
    caller: FreshUser,
    headers: HeaderMap,
    Valid(password): Valid<DeleteAccountRequest>,
) -> Result<StatusCode, Problem> {
    deletion::delete(&current, &context, caller, password).await?;
    Credential::of(&headers)?.forget(&context);
    Ok(StatusCode::NO_CONTENT)
}
