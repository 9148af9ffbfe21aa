//! What happened, in order, for good.
//!
//! Invariants:
//! - Append-only: there is no way to change or remove an event, and the table refuses both.
//! - An event is written in the transaction of what it tells of: both are there, or neither. A refusal that must
//!   leave a trace is committed before it is answered.
//! - No event holds a secret.

mod model;
mod store;
mod stored;

pub use model::{Event, EventKind, RecordedEvent};
pub use store::{find, record};
pub use stored::{StoredEvent, stored};
