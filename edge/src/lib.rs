//! The edge of Portcullis: a Worker that decides on each request, before it costs anything, whether it may pass.
//!
//! The modules below are pure and run natively as well, in tests and in tools; the Worker around them is wiring.

pub mod answer;
pub mod answer_rules;
pub mod browser;
pub mod config;
pub mod cors;
pub mod counters;
pub mod credential;
pub mod decide;
pub mod deny_cache;
pub mod hygiene;
pub mod key_cache;
pub mod log;
pub mod path;
pub mod policy;
pub mod renewals;
pub mod request_id;
pub mod revocations;
pub mod server_timing;
pub mod tally;
pub mod token_cache;
pub mod trace;
pub mod venue_roles;

#[cfg(target_arch = "wasm32")]
pub mod exports;
#[cfg(target_arch = "wasm32")]
mod runtime;
