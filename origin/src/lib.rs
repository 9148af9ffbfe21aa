//! The origin of Portcullis: it owns the credentials. `docs/architecture.md` is the map of its rooms.
//!
//! A room may import those left of it: `kernel ← http ← jobs, audit, rate_limit ← mail ← revocations ← accounts ←
//! devices, sessions, rbac, lockout ← tokens ← reauthentication, device_keys ← mfa ← recovery ← access, clients, feed, permissions, profile ← login, account_export`. `app` wires them together and `cli` starts them; no room imports
//! those two.

pub mod access;
pub mod account_export;
pub mod accounts;
pub mod app;
pub mod audit;
pub mod cli;
pub mod clients;
pub mod device_keys;
pub mod devices;
pub mod feed;
pub mod http;
pub mod jobs;
pub mod kernel;
pub mod lockout;
pub mod login;
pub mod mail;
pub mod mfa;
pub mod permissions;
pub mod profile;
pub mod rate_limit;
pub mod rbac;
pub mod reauthentication;
pub mod recovery;
pub mod revocations;
pub mod sessions;
pub mod tokens;
