//! `/auth/mfa/setup`, `/auth/mfa/verify`, `/auth/mfa/backup-codes` and `/auth/mfa/disable`.

use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::routing::{delete, post};
use axum::{Json, Router};

use crate::http::{AppState, Problem, RequestContext, Valid};
use crate::lockout::Lockout;
use crate::mail::Mailer;
use crate::rate_limit::Limiter;
use crate::reauthentication::CurrentPassword;
use crate::tokens::{CurrentUser, FreshUser, Tokens};

use super::enrolment;
use super::factor::Factors;
use super::model::{BackupCodesView, Enabled, PasswordRequest, SetUpView, VerifyRequest};

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    Factors: FromRef<S>,
    Limiter: FromRef<S>,
    Lockout: FromRef<S>,
    Mailer: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/auth/mfa/setup", post(set_up))
        .route("/auth/mfa/verify", post(verify))
        .route("/auth/mfa/backup-codes", post(replace_backup_codes))
        .route("/auth/mfa/disable", delete(disable))
}

async fn set_up(
    current: CurrentPassword,
    State(factors): State<Factors>,
    context: RequestContext,
    caller: CurrentUser,
    Valid(password): Valid<PasswordRequest>,
) -> Result<Json<SetUpView>, Problem> {
    let set_up = enrolment::set_up(&current, &factors, &context, &caller, password).await?;
    Ok(Json(set_up.into()))
}

async fn verify(
    current: CurrentPassword,
    State(lockout): State<Lockout>,
    State(factors): State<Factors>,
    context: RequestContext,
    caller: CurrentUser,
    Valid(code): Valid<VerifyRequest>,
) -> Result<Json<Enabled>, Problem> {
    enrolment::confirm(&current, &lockout, &factors, &context, &caller, &code).await?;
    Ok(Json(Enabled { enabled: true }))
}

async fn replace_backup_codes(
    current: CurrentPassword,
    State(factors): State<Factors>,
    context: RequestContext,
    FreshUser(caller): FreshUser,
) -> Result<Json<BackupCodesView>, Problem> {
    let codes = enrolment::replace_backup_codes(&current, &factors, &context, &caller).await?;
    Ok(Json(codes.into()))
}

async fn disable(
    current: CurrentPassword,
    context: RequestContext,
    FreshUser(caller): FreshUser,
    Valid(password): Valid<PasswordRequest>,
) -> Result<StatusCode, Problem> {
    enrolment::disable(&current, &context, &caller, password).await?;
    Ok(StatusCode::NO_CONTENT)
}
