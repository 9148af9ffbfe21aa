//! `/auth/verify-email`, `/auth/resend-verification`, `/auth/forgot-password`, `/auth/reset-password`.

use axum::Router;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use secrecy::SecretString;
use serde::Deserialize;

use crate::accounts::password::PasswordRules;
use crate::http::{AppState, Problem, Query, RequestContext, Valid};
use crate::lockout::Lockout;
use crate::mail::Mailer;
use crate::rate_limit::Limiter;
use crate::tokens::{CurrentUser, Tokens};

use super::error::RecoveryError;
use super::model::{ForgotPasswordRequest, ResetPasswordRequest, TicketSecret};
use super::page::Page;
use super::presented::Presented;
use super::ticket::Tickets;
use super::{reset, verification};

/// The routes of this room.
pub fn router<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Lockout: FromRef<S>,
    Mailer: FromRef<S>,
    PasswordRules: FromRef<S>,
    Tickets: FromRef<S>,
    Tokens: FromRef<S>,
{
    Router::new()
        .route("/auth/verify-email", get(ask).post(verify))
        .route("/auth/resend-verification", post(resend))
        .route("/auth/forgot-password", post(forgot))
        .route("/auth/reset-password", post(reset_password))
}

/// The query of a link.
#[derive(Deserialize)]
struct Link {
    token: Option<SecretString>,
}

async fn ask(context: RequestContext, Query(link): Query<Link>) -> Result<Response, Problem> {
    let secret = TicketSecret::of(&link.token.unwrap_or_default());
    let page = if secret.has_form() {
        Page::Question(secret.text())
    } else {
        Page::BadLink
    };
    page.answer(&context)
}

async fn verify(
    State(app): State<AppState>,
    State(limiter): State<Limiter>,
    context: RequestContext,
    presented: Presented,
) -> Result<Response, Problem> {
    reset::admit(&limiter, &app, &context, "reset").await?;
    match presented {
        Presented::ByProgram(secret) => {
            verification::verify(&app, &context, &secret).await?;
            Ok(StatusCode::NO_CONTENT.into_response())
        }
        Presented::ByPerson(secret) => match verification::verify(&app, &context, &secret).await {
            Ok(()) => Page::Confirmed.answer(&context),
            Err(RecoveryError::InvalidTicket) => Page::BadLink.answer(&context),
            Err(error) => Err(error.into()),
        },
    }
}

async fn resend(
    State(app): State<AppState>,
    State(limiter): State<Limiter>,
    State(mailer): State<Mailer>,
    State(tickets): State<Tickets>,
    context: RequestContext,
    caller: CurrentUser,
) -> Result<StatusCode, Problem> {
    if caller.user.email_verified {
        return Err(RecoveryError::AlreadyVerified.into());
    }
    verification::admit_resend(&limiter, &app, &context, &caller).await?;
    verification::resend(&app, &tickets, &mailer, &context, &caller).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn forgot(
    State(app): State<AppState>,
    State(limiter): State<Limiter>,
    State(mailer): State<Mailer>,
    context: RequestContext,
    Valid(email): Valid<ForgotPasswordRequest>,
) -> Result<StatusCode, Problem> {
    reset::admit(&limiter, &app, &context, "reset-client").await?;
    reset::request(&app, &limiter, &mailer, &context, &email).await?;
    Ok(StatusCode::ACCEPTED)
}

async fn reset_password(
    State(app): State<AppState>,
    State(limiter): State<Limiter>,
    State(lockout): State<Lockout>,
    State(mailer): State<Mailer>,
    State(rules): State<PasswordRules>,
    context: RequestContext,
    Valid(new): Valid<ResetPasswordRequest>,
) -> Result<StatusCode, Problem> {
    reset::admit(&limiter, &app, &context, "reset").await?;
    reset::reset(&app, &rules, &lockout, &mailer, &context, new).await?;
    Ok(StatusCode::NO_CONTENT)
}
