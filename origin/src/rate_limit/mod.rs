//! How often somebody may do something: exact across replicas, by the generic cell rate algorithm in Redis.
//!
//! Invariants:
//! - One script, one key, one timestamp of state for each limit; two requests cannot both take the last place.
//! - Redis never sees what is limited: a key holds a MAC of the identifier.
//! - When Redis is away the same quota is kept in this process instead: N replicas then allow N times as much,
//!   and nobody is locked out. That is logged once for each outage.

mod limiter;
mod local;
mod quota;

pub use limiter::Limiter;
pub use portcullis_shared::limited::client_key;
pub use quota::{Allowed, Limited, Quota};
