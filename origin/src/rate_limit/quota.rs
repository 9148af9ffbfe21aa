//! What is allowed, and what became of one request.

use std::num::NonZeroU32;

use axum::http::{HeaderName, HeaderValue};
use portcullis_shared::problem::ProblemCode;

use crate::http::{Problem, RequestContext};

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// `limit` requests in `window_seconds`. All may come at once; then one place becomes free every
/// `window_seconds / limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    /// Requests in one window.
    pub limit: NonZeroU32,
    /// Length of the window in seconds.
    pub window_seconds: NonZeroU32,
}

impl Quota {
    /// `limit` requests a minute.
    #[must_use]
    pub const fn per_minute(limit: NonZeroU32) -> Self {
        Self::within(limit, 60)
    }

    /// `limit` requests an hour.
    #[must_use]
    pub const fn per_hour(limit: NonZeroU32) -> Self {
        Self::within(limit, 3600)
    }

    /// `limit` requests within `seconds`, at least one second.
    #[must_use]
    pub const fn within(limit: NonZeroU32, seconds: u32) -> Self {
        let window_seconds = match NonZeroU32::new(seconds) {
            Some(seconds) => seconds,
            None => NonZeroU32::MIN,
        };
        Self {
            limit,
            window_seconds,
        }
    }

    /// Time until one more place is free, in microseconds.
    pub(super) fn interval_micros(self) -> u64 {
        u64::from(self.window_seconds.get()) * 1_000_000 / u64::from(self.limit.get())
    }
}

/// The request may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Requests that may follow at once.
    pub remaining: u32,
    /// Seconds until the whole quota is free again, rounded up.
    pub reset_seconds: u64,
    /// Whether all replicas were counted. Not so while Redis is away.
    pub exact: bool,
}

/// The request must wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many requests of the kind `{scope}`")]
pub struct Limited {
    /// What was limited, such as `login-client`.
    pub scope: &'static str,
    /// The quota that is used up.
    pub quota: Quota,
    /// Seconds until one place is free, rounded up, at least one.
    pub retry_after: u64,
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        Self::new(ProblemCode::RateLimited)
            .detail("Too many requests. Please wait a moment.")
            .violating(limited.scope)
            .retry_after(limited.retry_after)
    }
}

/// Tells the client about the limit (draft-ietf-httpapi-ratelimit-headers-11): the policy always, the state where
/// it is exact or used up.
pub(super) fn announce(
    context: &RequestContext,
    scope: &'static str,
    quota: Quota,
    outcome: &Result<Allowed, Limited>,
) {
    let policy = format!("\"{scope}\";q={};w={}", quota.limit, quota.window_seconds);
    let state = match outcome {
        Ok(allowed) if allowed.exact => Some(format!(
            "\"{scope}\";r={};t={}",
            allowed.remaining, allowed.reset_seconds
        )),
        Ok(_) => None,
        Err(limited) => Some(format!("\"{scope}\";r=0;t={}", limited.retry_after)),
    };
    if let Ok(value) = HeaderValue::try_from(policy) {
        context.add_answer_header(RATE_LIMIT_POLICY, value);
    }
    if let Some(value) = state.and_then(|state| HeaderValue::try_from(state).ok()) {
        context.add_answer_header(RATE_LIMIT, value);
    }
}
