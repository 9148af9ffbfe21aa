//! Addresses that are confirmed, and passwords that are replaced by who has forgotten them.
//!
//! Invariants:
//! - A ticket is good once, for a bounded time, and for what it was issued for; a newer one for the same purpose takes its place.
//!   A password that is changed in another way ends the link for a new one.
//! - Nothing that is stored or queued opens anything: the secret of a link is derived when its mail is written, and the row
//!   knows its digest.
//! - Asking for a new password does the same work whoever asks, and says the same: whether there is an account is found
//!   out by a job, afterwards.
//! - A link that is opened changes nothing; what it is for is done by a POST.
//! - A new password ends all sessions, outdates all tokens, forgets all devices, and ends the locks of wrong passwords. It touches no second factor, and does not open an account that
//!   an operator has locked.
//! - This room writes `tickets` and `reset_requests`; nobody else does.

mod error;
mod model;
mod page;
mod presented;
mod reset;
mod routes;
mod store;
mod stored;
mod ticket;
mod verification;

pub use error::RecoveryError;
pub use reset::{ResetRequested, answer_request};
pub use routes::router;
pub use store::{purge_expired, withdraw_reset};
pub use stored::{StoredTicket, stored};
pub use ticket::{Purpose, Tickets};
pub use verification::ask_to_verify;
