//! The secret of a link as it comes back: from a program, as JSON, or from the page, as a form.

use axum::extract::{FromRef, FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use portcullis_shared::problem::ProblemCode;
use secrecy::SecretString;

use crate::http::{AppState, Form, Problem, Valid};

use super::model::{TicketSecret, VerifyEmailRequest};

/// Who asks, and for what; an extractor.
pub(super) enum Presented {
    /// A program. It gets statuses and problems.
    ByProgram(TicketSecret),
    /// A person, by the button of the page. They get pages.
    ByPerson(TicketSecret),
}

impl<S> FromRequest<S> for Presented
where
    S: Send + Sync,
    AppState: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let named = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let is_form = named.is_some_and(|named| named.starts_with("application/x-www-form-urlencoded"));
        if !is_form {
            let Valid(secret) = Valid::<VerifyEmailRequest>::from_request(request, state).await?;
            return Ok(Self::ByProgram(secret));
        }
        let form = Form::from_request(request, state).await?;
        let mut parameters = form
            .parameters()
            .map_err(|error| Problem::new(ProblemCode::MalformedRequest).detail(error.to_string()))?;
        let secret = parameters.take("token").unwrap_or_else(SecretString::default);
        Ok(Self::ByPerson(TicketSecret::of(&secret)))
    }
}
