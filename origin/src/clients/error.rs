//! Refusals of the endpoints for service clients.

use axum::Json;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::http::{MalformedForm, Problem};
use crate::sessions::SessionsError;
use crate::tokens::TokensError;

/// What a client that is not authenticated is asked for (RFC 7617 §2).
const CHALLENGE: HeaderValue = HeaderValue::from_static(r#"Basic realm="portcullis", charset="UTF-8""#);

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// The request is not one that these endpoints know; the text says why, and is shown.
    #[error("{0}")]
    InvalidRequest(&'static str),
    /// No client has shown its secret; the text says why, and is shown.
    #[error("{0}")]
    InvalidClient(&'static str),
    /// An answer that is the same on every route: a limit, a body that is too large.
    #[error("the request was refused before it was understood")]
    Boundary(Problem),
    /// The access token could not be looked at.
    #[error("the access tokens are at fault")]
    Tokens(#[from] TokensError),
    /// The session could not be read or changed.
    #[error("the sessions are at fault")]
    Sessions(#[from] SessionsError),
    /// Postgres could not be reached, or did not commit.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<Problem> for ClientsError {
    fn from(problem: Problem) -> Self {
        Self::Boundary(problem)
    }
}

impl From<MalformedForm> for ClientsError {
    fn from(error: MalformedForm) -> Self {
        Self::InvalidRequest(match error {
            MalformedForm::NotText => "The form holds something that is not text.",
            MalformedForm::Repeated => "A parameter may come once.",
        })
    }
}

/// RFC 6749 §5.2.
#[derive(Serialize)]
struct OauthError {
    error: &'static str,
    error_description: &'static str,
}

impl IntoResponse for ClientsError {
    fn into_response(self) -> Response {
        match self {
            Self::InvalidRequest(description) => {
                oauth_error(StatusCode::BAD_REQUEST, "invalid_request", description)
            }
            Self::InvalidClient(description) => {
                let mut answer = oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", description);
                answer.headers_mut().insert(WWW_AUTHENTICATE, CHALLENGE);
                answer
            }
            Self::Boundary(problem) => problem.into_response(),
            Self::Tokens(error) => Problem::from(error).into_response(),
            Self::Sessions(error) => Problem::from(error).into_response(),
            Self::Database(error) => Problem::database(error).into_response(),
        }
    }
}

/// The causes of problems are logged at the boundary; this is the one refusal that it does not see.
fn oauth_error(status: StatusCode, error: &'static str, error_description: &'static str) -> Response {
    tracing::info!(code = error, cause = error_description, "refused");
    let body = OauthError {
        error,
        error_description,
    };
    (status, Json(body)).into_response()
}
