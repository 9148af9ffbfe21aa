//! Service clients: programs of ours that ask what a token is worth (RFC 7662), and have tokens revoked (RFC 7009).
//!
//! Invariants:
//! - Who may ask is a type: a [`ServiceClient`] exists only where a client of the configuration has shown its secret.
//! - A token is active here exactly if it is good elsewhere: an access token by [`Tokens::authenticate`], which lets every
//!   request in, a refresh token by the judgement of its chain. There is no second way to be good.
//! - Asking changes nothing: no lock is taken, no chain moves, nobody is accused of reuse.
//! - `{"active": false}` is the whole answer for every token that is not active, whatever is wrong with it.
//! - Revoking either kind of token ends its session, which is what the edge hears of.
//! - Refusals are those of RFC 6749 §5.2. What never gets as far as a form (405, 413, 415) or is limited or out of order
//!   (429, 5xx) is a [`Problem`](crate::http::Problem), as everywhere.
//!
//! [`Tokens::authenticate`]: crate::tokens::Tokens::authenticate

mod authentication;
mod credentials;
mod desk;
mod error;
mod model;
mod routes;

pub use authentication::ServiceClient;
pub use error::ClientsError;
pub use routes::router;
