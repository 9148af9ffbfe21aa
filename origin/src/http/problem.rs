//! Refusals as HTTP: RFC 9457 problem documents with the headers that belong to them.

use std::error::Error;
use std::sync::Arc;

use axum::http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use portcullis_shared::problem::{self, FieldError, PROBLEM_CONTENT_TYPE, ProblemCode};

use crate::kernel::passwords::HasherError;

/// When a client that was answered 503 may come again, unless the refusal knows better.
const DEFAULT_RETRY_AFTER_SECONDS: u64 = 1;

/// One refusal. A room's error becomes one (`impl From<RoomError> for Problem`), and a handler returns it.
///
/// The request id is filled in at the boundary, where the cause, if there is one, is logged.
#[derive(Clone, Debug)]
pub struct Problem(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    code: ProblemCode,
    detail: Option<String>,
    errors: Vec<FieldError>,
    violated_policies: Vec<String>,
    headers: HeaderMap,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// What a 401 asks for (RFC 6750 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Challenge {
    /// No token came, or the credentials were of another kind: `Bearer`, without an error code.
    Bearer,
    /// The token is bad, and that is all the client learns.
    InvalidToken,
    /// The token was good once.
    ExpiredToken,
}

impl Challenge {
    const fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Bearer => "Bearer",
            Self::InvalidToken => r#"Bearer error="invalid_token""#,
            Self::ExpiredToken => {
                r#"Bearer error="invalid_token", error_description="The token has expired""#
            }
        })
    }
}

impl Problem {
    /// 401 `step_up_required` (RFC 9470 §3): the holder of the token has to prove who they are again, and not longer than
    /// `max_age_seconds` before they come back; as strongly as `acr_values` says, if it does.
    #[must_use]
    pub fn step_up_required(max_age_seconds: i64, acr_values: Option<&'static str>) -> Self {
        let strength = acr_values.map_or_else(String::new, |value| format!(r#"acr_values="{value}", "#));
        let challenge = format!(
            r#"Bearer error="insufficient_user_authentication", {strength}max_age={max_age_seconds}"#
        );
        // A number and a name within a fixed text are always a header value.
        let challenge = HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Bearer"));
        Self::new(ProblemCode::StepUpRequired).header(WWW_AUTHENTICATE, challenge)
    }

    /// A refusal with this code, its status and its title.
    #[must_use]
    pub fn new(code: ProblemCode) -> Self {
        Self(Box::new(Parts {
            code,
            detail: None,
            errors: Vec::new(),
            violated_policies: Vec::new(),
            headers: HeaderMap::new(),
            cause: None,
        }))
    }

    /// 401 `invalid_token` with the challenge that fits.
    #[must_use]
    pub fn invalid_token(challenge: Challenge) -> Self {
        let problem = Self::new(ProblemCode::InvalidToken);
        let problem = match challenge {
            Challenge::Bearer => problem.detail("An access token is required."),
            Challenge::InvalidToken => problem.detail("The access token is not valid."),
            Challenge::ExpiredToken => problem.detail("The access token has expired."),
        };
        problem.header(WWW_AUTHENTICATE, challenge.header())
    }

    /// 400 `validation_failed` with one entry for each field.
    #[must_use]
    pub fn validation_failed(errors: Vec<FieldError>) -> Self {
        let mut problem = Self::new(ProblemCode::ValidationFailed);
        problem.0.errors = errors;
        problem
    }

    /// 500 `internal_error`; the cause goes to the log, not to the client.
    #[must_use]
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ProblemCode::InternalError).caused_by(cause)
    }

    /// 503 `unavailable`; the cause goes to the log, not to the client.
    #[must_use]
    pub fn unavailable(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(ProblemCode::Unavailable).caused_by(cause)
    }

    /// What a failed query means to the client: 503 where Postgres is not there, else 500.
    #[must_use]
    pub fn database(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_) => Self::unavailable(error),
            // Classes 08 (connection), 53 (resources) and 57P (operator intervention), and what was not done in time: a lock
            // (55P03), a statement (57014), a transaction that paused (25P03). The server is going away, full or busy; the
            // request may well succeed later.
            sqlx::Error::Database(ref database)
                if database.code().is_some_and(|code| {
                    code.starts_with("08")
                        || code.starts_with("53")
                        || code.starts_with("57P")
                        || matches!(&*code, "55P03" | "57014" | "25P03")
                }) =>
            {
                Self::unavailable(error)
            }
            error => Self::internal(error),
        }
    }

    /// Says more about this case. It is shown to the client, so it must not name internals.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds an entry to `errors`.
    #[must_use]
    pub fn field(mut self, field: &str, code: &str, message: &str) -> Self {
        self.0.errors.push(FieldError {
            field: field.into(),
            code: code.into(),
            message: message.into(),
        });
        self
    }

    /// Names a limit that was exceeded, as `RateLimit-Policy` spells it without the quotation marks.
    #[must_use]
    pub fn violating(mut self, limit: &str) -> Self {
        self.0.violated_policies.push(limit.to_owned());
        self
    }

    /// Sets `Retry-After`, in seconds, at least one.
    #[must_use]
    pub fn retry_after(self, seconds: u64) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds.max(1)))
    }

    /// Sets a header of the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// Ends the connection after the answer, where the rest of the request is not going to be read.
    #[must_use]
    pub(super) fn closing(self) -> Self {
        self.header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// Keeps what led here for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(Arc::from(cause.into()));
        self
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> ProblemCode {
        self.0.code
    }

    /// What led here.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn Error + 'static)> {
        self.0
            .cause
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }

    /// The problem that a bare answer stands for, as axum makes them for unknown paths and verbs.
    pub(super) fn of_bare(response: &Response) -> Self {
        let code = match response.status() {
            StatusCode::NOT_FOUND => ProblemCode::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => ProblemCode::MethodNotAllowed,
            StatusCode::PAYLOAD_TOO_LARGE => ProblemCode::PayloadTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemCode::UnsupportedMediaType,
            status if status.is_client_error() => ProblemCode::MalformedRequest,
            _ => ProblemCode::InternalError,
        };
        let mut problem = Self::new(code);
        if let Some(allow) = response.headers().get(ALLOW) {
            problem.0.headers.insert(ALLOW, allow.clone());
        }
        problem
    }

    /// The finished answer to the request of this id.
    pub(super) fn render(self, request_id: &str) -> Response {
        let status = StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let parts = *self.0;
        let mut headers = parts.headers;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_CONTENT_TYPE));
        headers
            .entry(CACHE_CONTROL)
            .or_insert(HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            headers
                .entry(WWW_AUTHENTICATE)
                .or_insert(Challenge::Bearer.header());
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers
                .entry(RETRY_AFTER)
                .or_insert(HeaderValue::from(DEFAULT_RETRY_AFTER_SECONDS));
        }
        let document = problem::Problem {
            code: parts.code,
            detail: parts.detail,
            request_id: request_id.to_owned(),
            errors: parts.errors,
            violated_policies: parts.violated_policies,
        };
        (status, headers, document.to_json()).into_response()
    }
}

impl From<HasherError> for Problem {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Overloaded => Self::new(ProblemCode::Overloaded).retry_after(1),
            HasherError::UnreadableHash | HasherError::Failed => Self::internal(error),
        }
    }
}

impl IntoResponse for Problem {
    /// Leaves the body to the boundary, which knows the request id.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn rendered(problem: Problem) -> (StatusCode, HeaderMap, serde_json::Value) {
        let (parts, body) = problem.render("request-0001").into_parts();
        let body = axum::body::to_bytes(body, 64 * 1024).await.unwrap();
        (
            parts.status,
            parts.headers,
            serde_json::from_slice(&body).unwrap(),
        )
    }

    #[tokio::test]
    async fn every_problem_has_the_headers_that_belong_to_its_status() {
        for &code in ProblemCode::ALL {
            let (status, headers, body) = rendered(Problem::new(code)).await;
            assert_eq!(status.as_u16(), code.status());
            assert_eq!(headers[CONTENT_TYPE], "application/problem+json");
            assert_eq!(headers[CACHE_CONTROL], "no-store");
            assert_eq!(headers.contains_key(WWW_AUTHENTICATE), status == 401, "{code:?}");
            assert_eq!(headers.contains_key(RETRY_AFTER), status == 503, "{code:?}");
            assert_eq!(body["requestId"], "request-0001");
            assert_eq!(body["code"], code.as_str());
        }
    }

    #[tokio::test]
    async fn a_challenge_says_whether_a_token_came_and_whether_it_has_expired() {
        for (challenge, header) in [
            (Challenge::Bearer, "Bearer"),
            (Challenge::InvalidToken, "Bearer error=\"invalid_token\""),
            (
                Challenge::ExpiredToken,
                "Bearer error=\"invalid_token\", error_description=\"The token has expired\"",
            ),
        ] {
            let (status, headers, _) = rendered(Problem::invalid_token(challenge)).await;
            assert_eq!(
                (status, headers[WWW_AUTHENTICATE].to_str().unwrap()),
                (StatusCode::UNAUTHORIZED, header)
            );
        }
    }

    #[tokio::test]
    async fn a_cause_is_kept_for_the_log_and_not_shown() {
        let problem = Problem::internal("the disk of db-7 is full").detail("Please try again.");
        assert_eq!(problem.cause().unwrap().to_string(), "the disk of db-7 is full");
        let (_, _, body) = rendered(problem).await;
        assert_eq!(body["detail"], "Please try again.");
        assert!(!body.to_string().contains("db-7"));
    }

    #[test]
    fn a_database_that_is_away_is_unavailable_and_any_other_failure_is_ours() {
        let io = sqlx::Error::Io(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
        for away in [sqlx::Error::PoolTimedOut, sqlx::Error::PoolClosed, io] {
            assert_eq!(Problem::database(away).code(), ProblemCode::Unavailable);
        }
        for ours in [sqlx::Error::RowNotFound, sqlx::Error::ColumnNotFound("x".into())] {
            assert_eq!(Problem::database(ours).code(), ProblemCode::InternalError);
        }
    }

    #[tokio::test]
    async fn a_wait_is_at_least_a_second() {
        let (_, headers, _) = rendered(Problem::new(ProblemCode::RateLimited).retry_after(0)).await;
        assert_eq!(headers[RETRY_AFTER], "1");
    }
}
