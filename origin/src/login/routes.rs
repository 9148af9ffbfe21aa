//! `/auth/register`, `/auth/login`, `/auth/login/mfa`, `/auth/biometric/login`, `/auth/mfa/step-up`, `/auth/refresh`, `/auth/logout`, `/auth/me`.

use axum::extract::FromRef;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use crate::accounts::password::PasswordRules;
use crate::device_keys::{Challenges, SignedRequest};
use crate::devices::PresentedDevice;
use crate::http::{AppState, Problem, RequestContext, Valid};
use crate::lockout::Lockout;
use crate::mail::Mailer;
use crate::mfa::{Factors, MailCodes};
use crate::rate_limit::Limiter;
use crate::reauthentication::CurrentPassword;
use crate::recovery::Tickets;
use crate::sessions::Sessions;
use crate::tokens::{CurrentUser, Tokens};

use super::cookies::{BrowserCookies, Delivery, PresentedRefreshToken};
use super::desk::Desk;
use super::error::LoginError;
use super::model::{
    AnswerRequest, ChallengedView, LoginRequest, Me, OptionalRefreshToken, Outcome, RegisterRequest,
    SignedInView, StepUpRequest,
};
use super::patience::once_more;

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    Challenges: FromRef<S>,
    Factors: FromRef<S>,
    Limiter: FromRef<S>,
    Lockout: FromRef<S>,
    MailCodes: FromRef<S>,
    Mailer: FromRef<S>,
    PasswordRules: FromRef<S>,
    Sessions: FromRef<S>,
    Tickets: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/auth/register", post(register))
        .route("/auth/login", post(login))
        .route("/auth/login/mfa", post(answer))
        .route("/auth/biometric/login", post(login_by_device_key))
        .route("/auth/mfa/step-up", post(step_up))
        .route("/auth/refresh", post(refresh))
        .route("/auth/logout", post(logout))
        .route("/auth/me", get(me))
}

async fn register(
    desk: Desk,
    context: RequestContext,
    delivery: Delivery,
    device: PresentedDevice,
    Valid(new): Valid<RegisterRequest>,
) -> Result<Response, Problem> {
    desk.admit_registration(&context, &new).await?;
    if desk.app.config().registration.hide_existing {
        desk.register_unseen(&context, new).await?;
        return Ok(StatusCode::ACCEPTED.into_response());
    }
    let signed_in = desk.register(&context, new, &device).await?;
    Ok((StatusCode::CREATED, delivery.deliver(&context, signed_in)?).into_response())
}

async fn login(
    desk: Desk,
    context: RequestContext,
    delivery: Delivery,
    device: PresentedDevice,
    Valid(login): Valid<LoginRequest>,
) -> Result<Response, Problem> {
    desk.admit_login(&context, &login.email).await?;
    let mut outcome = desk.login(&context, login.clone(), &device).await;
    if let Some(later) = once_more(&desk.app, &context, &outcome).await {
        outcome = desk.login(&later, login, &device).await;
    }
    outcome_of(&context, delivery, outcome?)
}

fn outcome_of(context: &RequestContext, delivery: Delivery, outcome: Outcome) -> Result<Response, Problem> {
    Ok(match outcome {
        Outcome::SignedIn(signed_in) => delivery.deliver(context, *signed_in)?.into_response(),
        Outcome::Challenged(challenged) => Json(ChallengedView::from(challenged)).into_response(),
    })
}

async fn login_by_device_key(
    desk: Desk,
    context: RequestContext,
    delivery: Delivery,
    device: PresentedDevice,
    Valid(signed): Valid<SignedRequest>,
) -> Result<Response, Problem> {
    desk.admit_device_key(&context).await?;
    let mut outcome = desk.login_by_device_key(&context, &signed, &device).await;
    if let Some(later) = once_more(&desk.app, &context, &outcome).await {
        outcome = desk.login_by_device_key(&later, &signed, &device).await;
    }
    outcome_of(&context, delivery, outcome?)
}

async fn answer(
    desk: Desk,
    context: RequestContext,
    delivery: Delivery,
    device: PresentedDevice,
    Valid(answer): Valid<AnswerRequest>,
) -> Result<Json<SignedInView>, Problem> {
    desk.admit_answer(&context).await?;
    let mut signed_in = desk.answer(&context, &answer, &device).await;
    if let Some(later) = once_more(&desk.app, &context, &signed_in).await {
        signed_in = desk.answer(&later, &answer, &device).await;
    }
    delivery.deliver(&context, signed_in?)
}

async fn step_up(
    desk: Desk,
    current: CurrentPassword,
    context: RequestContext,
    delivery: Delivery,
    caller: CurrentUser,
    Valid(proof): Valid<StepUpRequest>,
) -> Result<Json<SignedInView>, Problem> {
    let mut stepped_up = desk.step_up(&current, &context, &caller, &proof).await;
    if let Some(later) = once_more(&desk.app, &context, &stepped_up).await {
        stepped_up = desk.step_up(&current, &later, &caller, &proof).await;
    }
    delivery.deliver(&context, stepped_up?)
}

async fn refresh(
    desk: Desk,
    context: RequestContext,
    delivery: Delivery,
    cookies: BrowserCookies,
    presented: PresentedRefreshToken,
) -> Result<Json<SignedInView>, Problem> {
    desk.admit_refresh(&context, &presented.token).await?;
    let mut refreshed = desk.refresh(&context, &presented.token).await;
    if let Some(later) = once_more(&desk.app, &context, &refreshed).await {
        refreshed = desk.refresh(&later, &presented.token).await;
    }
    if let Err(LoginError::InvalidRefreshToken) = &refreshed {
        desk.count_failed_refresh(&context).await;
    }
    if let Err(LoginError::InvalidRefreshToken | LoginError::RefreshTokenReused) = &refreshed
        && presented.in_cookie
    {
        cookies.forget(&context);
    }
    delivery.deliver(&context, refreshed?)
}

async fn logout(
    desk: Desk,
    context: RequestContext,
    cookies: BrowserCookies,
    current: Result<CurrentUser, Problem>,
    request: Option<Valid<OptionalRefreshToken>>,
) -> Result<StatusCode, Problem> {
    let in_body = request.and_then(|Valid(token)| token);
    let token = cookies.one_refresh_token(in_body)?;
    desk.sign_out(&context, current, &cookies, token.as_ref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn me(current: CurrentUser) -> Json<Me> {
    Json(Me {
        user: current.user.into(),
    })
}
