//! The whole system as outsiders meet it, area by area; the tree mirrors the URLs.
//!
//! What is expected here is the written HTTP contract. `cargo xtask test` starts the system and says where it is.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "this is test code: whatever does not go as expected fails its test"
)]

mod api;
mod auth;
mod canonical;
mod chromium;
mod cookies;
mod devices;
mod edge_flood;
mod edge_keys;
mod edge_limits;
mod edge_required;
mod edge_signature;
mod errors;
mod flood;
mod health;
mod hostile;
mod key_rotation;
mod keys;
mod kills;
mod log_secrets;
mod mail;
mod oauth2;
mod outages;
mod rate_limits;
mod replicas;
mod request_ids;
mod revocation;
mod second_factor;
mod transport;
mod venue_roles;
mod visibility;
mod well_known;
