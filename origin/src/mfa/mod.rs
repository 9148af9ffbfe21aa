//! What is asked of somebody beside their password, and what they answer.
//!
//! Invariants:
//! - A challenge is a sign-in whose password was right, and opens nothing by itself. It is good once, for five minutes, for five wrong
//!   codes at most, and for the account, tenant and device that it was made for. A password that is replaced ends all of its account.
//! - Whoever opens, answers or ends challenges of an account holds the lock on its row: of many who answer at once, one at a time does.
//! - Nothing that is stored or queued opens anything: the row knows the digest of the `mfaToken`, and the code of a mail is derived when the
//!   mail is written, and again when it is answered.
//! - Wrong codes are counted by [`crate::lockout`] too, for the account, whichever challenges they were for.
//! - This room writes `sign_in_challenges`; nobody else does.

mod challenge;
mod code;
mod mail_code;
mod store;
mod stored;

pub use challenge::{Asked, Challenge, LIFETIME, Method, MfaToken, TooManyChallenges, end_all, find, open};
pub use code::PresentedCode;
pub use mail_code::MailCodes;
pub use store::{answer, fail, purge_expired};
pub use stored::{StoredChallenge, stored};
