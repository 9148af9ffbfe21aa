//! Who is calling, and has shown just now that it is them.

use axum::extract::{FromRef, FromRequestParts};
use axum::http::HeaderValue;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::request::Parts;
use portcullis_shared::problem::ProblemCode;

use crate::http::{AppState, Problem, RequestContext};
use crate::kernel::time::Timestamp;
use crate::rate_limit::Limiter;

use super::{CurrentUser, Tokens};

/// How old a proof may be, in seconds.
const MAX_AGE: i64 = 300;

/// What a client is told to do (RFC 9470 §3), which names [`MAX_AGE`].
const CHALLENGE: &str = r#"Bearer error="insufficient_user_authentication", max_age=300"#;

/// A [`CurrentUser`] whose token says that a factor was proved within the last 5 minutes; else 401 `step_up_required`. It is
/// the token that counts and not its session: one that was stolen before its owner proved who they are gains nothing by that.
pub struct FreshUser(pub CurrentUser);

impl<S> FromRequestParts<S> for FreshUser
where
    S: Send + Sync,
    AppState: FromRef<S>,
    Limiter: FromRef<S>,
    Tokens: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let context = RequestContext::from_request_parts(parts, state).await?;
        let caller = CurrentUser::from_request_parts(parts, state).await?;
        if is_fresh(caller.claims.auth_time, context.now) {
            return Ok(Self(caller));
        }
        Err(Problem::new(ProblemCode::StepUpRequired)
            .detail("Please sign in once more.")
            .header(WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE)))
    }
}

/// Whether a proof at `auth_time`, in seconds, is young enough. A token that names none proves nothing.
fn is_fresh(auth_time: Option<i64>, now: Timestamp) -> bool {
    auth_time.is_some_and(|proved| now.timestamp().saturating_sub(proved) <= MAX_AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_fresh_for_five_minutes() {
        let now = Timestamp::from_timestamp(1_700_000_000, 999_999_999).unwrap();
        for (auth_time, fresh) in [
            (Some(1_700_000_000), true),
            (Some(1_700_000_000 - 300), true),
            (Some(1_700_000_000 - 301), false),
            (Some(i64::MIN), false),
            (None, false),
        ] {
            assert_eq!(is_fresh(auth_time, now), fresh, "{auth_time:?}");
        }
        assert!(CHALLENGE.ends_with(&format!("max_age={MAX_AGE}")));
    }
}
