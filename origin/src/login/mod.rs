//! Signing in and staying signed in: factors come in, a session and its tokens go out.
//!
//! Invariants:
//! - The answer to a login, and the work it costs, are the same for an unknown address and for a wrong
//!   password. What is wrong with an account is told only to who knows its password, and has not guessed too often ([`crate::lockout`]).
//! - No transaction and no connection is held while a password is hashed or a token is signed.
//! - A refusal that must leave a trace is committed before it is answered.
//! - The tokens of one answer go to cookies or into its body, never to both.
//! - A device is known before anybody is let in with it, and not by a sign-in that is refused.
//! - This room decides the order of things; the rules are in the rooms it calls.

mod admission;
mod challenge;
mod cookies;
mod desk;
mod device_key;
mod error;
mod factor;
mod model;
mod opening;
mod password;
mod patience;
mod registration;
mod routes;
mod sign_out;
mod step_up;

pub use error::LoginError;
pub use routes::router;
