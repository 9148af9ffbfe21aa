//! The origin over real Postgres and real Redis, which `DATABASE_URL` and `REDIS_URL` name. Each test has a
//! database of its own; nothing is shared but the servers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing, also in its helpers"
)]

mod common;

mod account_deletion;
mod account_export;
mod account_standing;
mod audit;
mod audit_log;
mod bad_input;
mod bearer;
mod body;
mod boundary;
mod browser;
mod change_password;
mod clients;
mod constraints;
mod cookies;
mod csrf;
mod device_keys;
mod devices;
mod edge_required;
mod edge_signature;
mod explain;
mod feed_reader;
mod fixtures;
mod health;
mod introspection;
mod jobs;
mod key_rotation;
mod key_set_caching;
mod limits;
mod lockout;
mod locks;
mod log;
mod login;
mod mail;
mod migrations;
mod operator_mail;
mod overload;
mod passwords;
mod policy_cli;
mod profile;
mod recovery;
mod redis_cluster;
mod refresh;
mod refresh_failures;
mod refresh_model;
mod refresh_races;
mod registration;
mod replay;
mod revocation_endpoint;
mod revocation_feed;
mod rewrap;
mod rooms;
mod second_factor;
mod serving;
mod session_management;
mod sessions;
mod sign_in_code;
mod signing_keys;
mod startup;
mod tenants;
mod venue_roles;
