//! The harness of the system tests: how a test reaches the running system, and what it holds every answer to.
//!
//! Invariants:
//! - Nothing here knows how the system is built. It speaks HTTP, reads log files and runs the command line, as a
//!   person outside would; what it expects is the written contract. Only what was committed when the origin was killed is
//!   asked of the database ([`own_stack::OwnStack::sql`]).
//! - Tests share one running system and run at the same time. Each [`client::Client`] is another visitor: through the edge
//!   it has an address of its own in `CF-Connecting-IP`, at the origin it connects from a loopback address of its own,
//!   so that no test eats another's rate limits.
//! - A test that stops or floods something starts a system of its own ([`own_stack::OwnStack`]).
//! - Nothing sleeps for a guessed time: what must be awaited is asked for again until a deadline ([`eventually`]).
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "this is test code: whatever does not go as expected fails the test that called it"
)]

pub mod account;
pub mod answer;
pub mod bare_edge;
pub mod chromium;
pub mod client;
pub mod forge;
pub mod hostile;
pub mod lying_origin;
pub mod mail_server;
pub mod own_stack;
pub mod plain_worker;
pub mod process;
pub mod raw;
pub mod scripted;
pub mod upstream;
pub mod worker_config;
pub mod world;

use std::time::{Duration, Instant};

use uuid::Uuid;

/// An id that nobody has used.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "tests that share a system need names that do not meet"
)]
pub fn fresh_id() -> Uuid {
    Uuid::new_v4()
}

/// The time in seconds since the epoch.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the system under test runs on the real clock"
)]
pub fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

/// Asks `probe` again and again until it answers `Some`.
///
/// # Panics
///
/// When it has not within `deadline`; `what` says what was awaited.
#[track_caller]
pub fn eventually<T, F>(what: &str, deadline: Duration, probe: impl FnMut() -> F) -> impl Future<Output = T>
where
    F: Future<Output = Option<T>>,
{
    let caller = std::panic::Location::caller();
    let mut probe = probe;
    async move {
        let started = Instant::now();
        loop {
            if let Some(value) = probe().await {
                return value;
            }
            assert!(
                started.elapsed() < deadline,
                "{caller}: not within {deadline:?}: {what}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
