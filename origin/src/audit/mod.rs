//! What happened, in order, for good.
//!
//! Invariants:
//! - Append-only: there is no way to change or remove an event, and the tables refuse it, but for two: where an event came from
//!   (address, user agent) is erased when the account is purged, and whole months are dropped when they are older than
//!   the configured retention.
//! - An event is written in the transaction of what it tells of: both are there, or neither. A refusal that must
//!   leave a trace is committed before it is answered.
//! - No event holds a secret.
//! - The events of a tenant, and those of the installation, are a chain of hashes without gaps: what is changed, removed, inserted
//!   or put in another order breaks it. A trigger appends to it at the commit, as the very last thing that a transaction does, so
//!   that nobody waits for another transaction's work.
//! - Erasure and retention leave the chain as it was: it holds commitments to what is erased, and digests of what is
//!   dropped.

mod chain;
mod entry;
mod model;
mod reading;
mod retention;
mod store;
mod stored;

pub use chain::{Chain, Fault, Walk};
pub use entry::Entry;
pub use model::{Event, EventKind, RecordedEvent};
pub use reading::{Break, chains, export, find_unchained, verify};
pub use retention::{keep, prepare};
pub use store::{find, pseudonymise, record};
pub use stored::{StoredEvent, stored};
