//! Routes in shadow: which refusals are noted there rather than answered.
//!
//! Invariants:
//! - What protects a browser's session or the reading of a request is enforced whatever the mode: malformed paths, two
//!   credentials, unknown methods, requests of other sites with our cookies, bodies that are too large. Only what the
//!   gate demands is tried: a refusal that is not named here is answered.
//! - A caller whose credential is not good is nobody: no identity goes with the request, and neither does a bearer token,
//!   so that what reaches an upstream as one has been verified, here as everywhere.
//! - No outcome of anything that is waited for is answered with a refusal: where keys, revocations or a session cannot be had, the request passes as nobody's.

use portcullis_shared::problem::ProblemCode;

use super::refusal::Refusal;
use crate::policy::{Mode, Route};

/// Whether a request passes `route` in spite of this refusal.
pub(super) fn spares(route: &Route, refusal: &Refusal) -> bool {
    route.gate.mode == Mode::Shadow
        && matches!(
            refusal.code,
            ProblemCode::InvalidToken
                | ProblemCode::Forbidden
                | ProblemCode::StepUpRequired
                | ProblemCode::RateLimited
                | ProblemCode::Unavailable
        )
}
