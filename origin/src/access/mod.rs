//! Access that exists, and how it ends: the sessions of an account, its devices, its password, its right to sign in, its role, and the account itself.
//!
//! Invariants:
//! - A person sees and ends their own sessions only, and sees and has forgotten their own devices only; any other identifier is one that does not exist.
//! - What ends access is committed with what the edge is told of it, or not at all.
//! - Rows are locked in one order: the account, its failed attempts, its devices, its sessions, and last the numbers of the revocation feed. A sign-in
//!   and a change of the account therefore take turns: no session is opened by a password, or for an account, that the
//!   change has ended.
//! - No transaction and no connection is held while a password is hashed.
//! - This room owns no table, and decides nothing but the order of things.

mod deletion;
mod error;
mod model;
mod own_devices;
mod own_sessions;
mod password;
mod routes;
mod standing;

pub use error::AccessError;
pub use routes::router;
pub use standing::{ChangedRole, ChangedStatus, change_role, change_status};
