//! Work that no request waits for, kept in Postgres by `graphile_worker` in a schema of its own.
//!
//! Invariants:
//! - A job runs at least once, on whichever replica takes it; if that replica dies, another takes it again. A duty
//!   is enqueued once each time it is due, however many replicas there are.
//! - A task is enqueued in the transaction of what it follows from: both are there, or neither.
//! - A payload carries identifiers, never a secret and nothing about a person: the queue logs it.
//! - One attempt takes a bounded time, so that what hangs does not keep the others waiting for ever.
//! - What a job does is a function of the room that owns the data, handed in by the wiring.
//! - Nothing depends on a LISTEN connection, so that a connection pooler may stand in between.

mod duty;
mod error;
mod inspection;
mod runner;
mod store;
mod task;

pub use error::{JobError, JobsError, RetryError};
pub use inspection::{JobState, JobSummary, Tally, list, retry, retry_dead, tally};
pub use runner::{Jobs, migrate};
pub use task::{Task, enqueue};
