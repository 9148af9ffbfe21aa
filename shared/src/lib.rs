//! What the edge and the origin of Portcullis must agree on, in one place, so that they cannot disagree.
//!
//! Invariants:
//! - No I/O, no clock, no randomness: time, keys and nonces come in as arguments. With default features the
//!   crate builds for `wasm32-unknown-unknown` without a single import from JavaScript.
//! - Claims cannot be read before a signature verdict. [`token::UnverifiedToken`] has no accessor for them;
//!   only a backend in [`signature`] turns it into a [`token::VerifiedToken`], and only
//!   [`token::VerifiedToken::check`] turns that into [`claims::AccessClaims`].
//! - The backends differ in the signature arithmetic alone. Parsing, key rules and claim rules are shared.
//! - Nothing here panics on input, whatever the input is.

mod base64url;
pub mod claims;
pub mod cookies;
pub mod csrf;
pub mod error;
pub mod gcra;
pub mod identity;
mod json;
pub mod jwk;
pub mod jws;
pub mod limited;
pub mod problem;
pub mod request_signature;
pub mod revocation;
pub mod roles;
pub mod signature;
pub mod token;
pub mod venue_roles;
