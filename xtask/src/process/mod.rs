//! Programs this one starts.
//!
//! Invariants: every program leads a process group of its own, so that ending it ends whatever it started; every wait
//! looks at [`crate::interrupt`]; a service has a pid file from before anyone can rely on it until after it is gone.

pub mod group;
pub mod pidfile;
mod run;
mod service;

pub use run::{observed, openly, quietly, text};
pub use service::{Probe, Service, ServiceSpec, User, was_stopped};
