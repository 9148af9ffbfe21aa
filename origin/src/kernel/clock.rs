//! The clock is handed in, never looked at in passing.
//!
//! Only the request context and the job runner call [`Clock::now`]; everything else takes `now` as an
//! argument, so that a test moves time instead of waiting for it.

use super::time::{Timestamp, to_stored_precision};

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// The present moment, cut to microseconds.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    fn now(&self) -> Timestamp {
        to_stored_precision(chrono::Utc::now())
    }
}
