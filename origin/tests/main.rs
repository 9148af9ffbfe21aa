//! The origin over real Postgres and real Redis, which `DATABASE_URL` and `REDIS_URL` name. Each test has a
//! database of its own; nothing is shared but the servers.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing, also in its helpers"
)]

mod common;

mod audit;
mod bearer;
mod body;
mod boundary;
mod browser;
mod constraints;
mod cookies;
mod csrf;
mod edge_signature;
mod fixtures;
mod health;
mod jobs;
mod limits;
mod log;
mod login;
mod migrations;
mod overload;
mod refresh;
mod registration;
mod rooms;
mod serving;
mod sessions;
mod signing_keys;
mod startup;
mod tenants;
