//! `/auth/biometric/…`, but for signing in, which is the login room's.

use axum::extract::{FromRef, Path, State};
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};

use crate::http::{AppState, Problem, RequestContext, Valid};
use crate::mail::Mailer;
use crate::rate_limit::{Limiter, Quota, client_key};
use crate::tokens::{CurrentUser, RecentUser, Tokens};

use super::challenge::{Challenges, Purpose};
use super::error::DeviceKeyError;
use super::model::{ChallengeRequest, ChallengeView, DeviceKeyList, RegisterRequest, Registered};
use super::own;

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    Challenges: FromRef<S>,
    Limiter: FromRef<S>,
    Mailer: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/auth/biometric/register", post(register))
        .route(
            "/auth/biometric/challenge",
            post(challenge_to_sign_in).get(challenge_to_step_up),
        )
        .route("/auth/biometric/devices", get(list))
        .route("/auth/biometric/devices/{id}", delete(remove))
}

async fn register(
    State(app): State<AppState>,
    State(mailer): State<Mailer>,
    context: RequestContext,
    RecentUser(caller): RecentUser,
    Valid(new): Valid<RegisterRequest>,
) -> Result<(StatusCode, Json<Registered>), Problem> {
    let kind = new.kind;
    let credential_id = own::register(&app, &mailer, &context, &caller, &new).await?;
    Ok((StatusCode::CREATED, Json(Registered { credential_id, kind })))
}

async fn challenge_to_sign_in(
    State(app): State<AppState>,
    State(limiter): State<Limiter>,
    State(challenges): State<Challenges>,
    context: RequestContext,
    Valid(credential): Valid<ChallengeRequest>,
) -> Result<Json<ChallengeView>, Problem> {
    let quota = Quota::per_minute(app.config().limits.default_per_minute);
    limiter
        .enforce(
            &context,
            "device-key-challenge",
            &client_key(context.client_ip),
            quota,
        )
        .await?;
    let text = challenges.issue(Purpose::SignIn(&credential), context.now, context.entropy());
    Ok(Json(text.into()))
}

async fn challenge_to_step_up(
    State(challenges): State<Challenges>,
    context: RequestContext,
    caller: CurrentUser,
) -> Json<ChallengeView> {
    let purpose = Purpose::StepUp(caller.session.id);
    Json(challenges.issue(purpose, context.now, context.entropy()).into())
}

async fn list(State(app): State<AppState>, caller: CurrentUser) -> Result<Json<DeviceKeyList>, Problem> {
    let devices = own::list(&app, &caller).await?;
    Ok(Json(DeviceKeyList { devices }))
}

async fn remove(
    State(app): State<AppState>,
    State(mailer): State<Mailer>,
    context: RequestContext,
    caller: CurrentUser,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    // What is no identifier is nobody's key either.
    let id = id.parse().map_err(|_| DeviceKeyError::NoSuchKey)?;
    own::remove(&app, &mailer, &context, &caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
