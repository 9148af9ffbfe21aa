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

/// What a route that is in shadow has not refused a request for so far. One that is enforced spares nothing.
pub(super) struct Shadow {
    mode: Mode,
    noted: Option<Refusal>,
}

impl Shadow {
    pub(super) const fn of(route: &Route) -> Self {
        Self {
            mode: route.gate.mode,
            noted: None,
        }
    }

    /// Notes a refusal rather than answering it; gives one back that is to be answered. The first is the one that counts.
    pub(super) fn spare(&mut self, refusal: Refusal) -> Result<(), Refusal> {
        let is_of_the_gate = matches!(
            refusal.code,
            ProblemCode::InvalidToken
                | ProblemCode::Forbidden
                | ProblemCode::StepUpRequired
                | ProblemCode::RateLimited
                | ProblemCode::Unavailable
        );
        match self.mode {
            Mode::Shadow if is_of_the_gate => {
                self.noted.get_or_insert(refusal);
                Ok(())
            }
            Mode::Shadow | Mode::Enforce => Err(refusal),
        }
    }

    pub(super) fn noted(self) -> Option<Refusal> {
        self.noted
    }
}
