//! Answers of the edge's own that let nothing on.

use std::fmt::Write as _;
use std::rc::Rc;

use portcullis_shared::csrf::CsrfRefusal;
use portcullis_shared::error::TokenError;
use portcullis_shared::problem::ProblemCode;

use crate::browser::CookieFate;
use crate::policy::{Limit, Methods, Route, StepUp};
use crate::tally::Tally;

/// The challenge to a token that a refresh would replace by a good one.
const EXPIRED: &str = r#"Bearer error="invalid_token", error_description="expired""#;

/// An answer of the edge's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Status, title and `code` of the problem.
    pub code: ProblemCode,
    /// `WWW-Authenticate`.
    pub challenge: Option<String>,
    /// `Allow`.
    pub allow: Option<Methods>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// The limit that was exceeded.
    pub violated: Option<Rc<Limit>>,
    /// `RateLimit`.
    pub rate_limit: Option<Box<str>>,
    /// What becomes of the browser's session cookies.
    pub cookies: CookieFate,
    /// The path of the route that decided, where one did.
    pub route: Option<Rc<Route>>,
    /// Why, for the log; holds nothing that came with the request.
    pub reason: String,
}

impl Refusal {
    /// A refusal with no headers of its own.
    pub fn new(code: ProblemCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            challenge: None,
            allow: None,
            retry_after: None,
            violated: None,
            rate_limit: None,
            cookies: CookieFate::Keep,
            route: None,
            reason: reason.into(),
        }
    }

    pub(super) fn no_token() -> Self {
        let challenge = Some("Bearer".to_owned());
        Self {
            challenge,
            ..Self::new(ProblemCode::InvalidToken, "no token was presented")
        }
    }

    pub(super) fn bad_token(error: TokenError) -> Self {
        let challenge = if error.is_expired() {
            EXPIRED
        } else {
            r#"Bearer error="invalid_token""#
        };
        Self {
            challenge: Some(challenge.to_owned()),
            ..Self::new(ProblemCode::InvalidToken, error.to_string())
        }
    }

    pub(super) fn ended_session() -> Self {
        let challenge = Some(r#"Bearer error="invalid_token""#.to_owned());
        Self {
            challenge,
            ..Self::new(ProblemCode::InvalidToken, "the session has ended")
        }
    }

    /// To the client it is as good as expired: it has to refresh.
    pub(super) fn outdated_token() -> Self {
        let reason = "the account has changed since the token was made";
        Self {
            challenge: Some(EXPIRED.to_owned()),
            ..Self::new(ProblemCode::InvalidToken, reason)
        }
    }

    pub(super) fn unavailable(reason: &'static str, retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(ProblemCode::Unavailable, reason)
        }
    }

    pub(super) fn limited(retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(
                ProblemCode::RateLimited,
                "the session was refreshed too often lately",
            )
        }
    }

    pub(super) fn over(limit: &Rc<Limit>, retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            violated: Some(Rc::clone(limit)),
            ..Self::new(ProblemCode::RateLimited, format!("over the limit {}", limit.name))
        }
    }

    pub(super) fn malformed_token() -> Self {
        let challenge = Some(r#"Bearer error="invalid_token""#.to_owned());
        Self {
            challenge,
            ..Self::new(ProblemCode::InvalidToken, "the bearer credential is no token")
        }
    }

    pub(super) fn forbidden(reason: String) -> Self {
        let challenge = Some(r#"Bearer error="insufficient_scope""#.to_owned());
        Self {
            challenge,
            ..Self::new(ProblemCode::Forbidden, reason)
        }
    }

    pub(super) fn step_up(wanted: &StepUp, reason: &'static str) -> Self {
        let mut challenge = r#"Bearer error="insufficient_user_authentication""#.to_owned();
        if let Some(acr) = wanted.acr {
            challenge.push_str(", acr_values=\"");
            challenge.push_str(acr.as_str());
            challenge.push('"');
        }
        if let Some(max_age) = wanted.max_age {
            // Writing to a String does not fail.
            let _ = write!(challenge, ", max_age={max_age}");
        }
        Self {
            challenge: Some(challenge),
            ..Self::new(ProblemCode::StepUpRequired, reason)
        }
    }

    /// With the session cookies deleted, because they are good for nothing.
    pub(super) fn clearing(self) -> Self {
        Self {
            cookies: CookieFate::Clear,
            ..self
        }
    }

    pub(super) fn csrf(refusal: CsrfRefusal) -> Self {
        Self::new(ProblemCode::CsrfRejected, refusal.to_string())
    }

    /// With what the limits of the route have counted.
    pub(super) fn counting(self, tally: &Tally) -> Self {
        let over = self.violated.as_deref().zip(self.retry_after);
        Self {
            rate_limit: tally.announcement(over).map(String::into_boxed_str),
            ..self
        }
    }

    pub(super) fn at(self, route: &Rc<Route>) -> Self {
        Self {
            route: Some(Rc::clone(route)),
            ..self
        }
    }
}
