//! Sets up, runs, checks and measures Portcullis: the library behind `cargo xtask`.
//!
//! The system tests use [`stack`] as well, so that a test and a developer start the same thing in the same way.

pub mod bench;
pub mod dev;
pub mod doctor;
pub mod fuzz;
pub mod interrupt;
pub mod net;
pub mod pictures;
pub mod process;
pub mod setup;
pub mod sqlx;
pub mod stack;
pub mod suite;
pub mod ui;
pub mod worker;
pub mod workspace;
