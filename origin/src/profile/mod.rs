//! What a person says of themselves, read and changed by themselves.
//!
//! Invariants:
//! - A change names the version it was made to (RFC 9110 §13.1.1): nobody overwrites what they have not seen.
//! - The audit log says which fields were changed, and not to what.
//! - This room owns no table.

mod entity_tag;
mod error;
mod model;
mod routes;

pub use routes::router;
