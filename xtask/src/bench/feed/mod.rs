//! The rows of the revocation feed at many entries: what a snapshot costs the origin, and what it costs the edge.

mod at_edge;
mod at_origin;
mod entries;

use std::time::{SystemTime, UNIX_EPOCH};

pub(super) use at_edge::rows as at_edge;
pub(super) use at_origin::row as at_origin;
pub(super) use entries::{Entries, KEY_ID, signing_keys};

/// How many entries the rows are about.
const MANY: usize = 100_000;

/// Of ten entries one is about an account, and the others about a session.
const SESSIONS_OF_TEN: usize = 9;

/// Seconds since the epoch.
#[expect(
    clippy::disallowed_methods,
    reason = "a signature is for the moment at which it is made"
)]
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_secs()).ok())
        .unwrap_or_default()
}
