//! Work that no request waits for, kept in Postgres by `graphile_worker` in a schema of its own.
//!
//! Invariants:
//! - A job runs at least once, on whichever replica takes it; a scheduled job is enqueued once, however many
//!   replicas there are.
//! - A payload carries identifiers, never a secret.
//! - What a job does is a function of the room that owns the data, handed in by the wiring.
//! - Nothing depends on a LISTEN connection, so that a connection pooler may stand in between.

mod purge;
mod runner;
mod store;

pub use purge::{DutyError, PurgeExpiredSessions};
pub use runner::{JobsError, migrate, run};
