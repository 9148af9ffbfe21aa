//! What every room stands on: configuration, identifiers, time, randomness, secrets, passwords, connections.
//!
//! Invariants:
//! - Nothing here serves HTTP, and nothing here imports another room.
//! - Secrets have a redacted `Debug`, no `Serialize`, and are wiped when dropped.
//! - Time and randomness are handed in ([`clock`], [`random`]).

pub mod causes;
pub mod clock;
pub mod config;
pub mod db;
pub mod excerpt;
pub mod explanation;
pub mod http_client;
pub mod ids;
pub mod logging;
pub mod outage;
pub mod passwords;
pub mod random;
pub mod redis;
pub mod secret_digest;
pub mod secrets;
pub mod time;
