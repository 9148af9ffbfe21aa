//! What is asked of somebody beside their password, and what they answer.
//!
//! Invariants:
//! - A challenge is a sign-in whose password was right, and opens nothing by itself. It is good once, for five minutes, for five wrong
//!   codes at most, and for the account, tenant and device that it was made for. A password that is replaced ends all of its account.
//! - Whoever opens, answers or ends challenges of an account holds the lock on its row: of many who answer at once, one at a time does.
//! - Nothing that is stored or queued opens anything: the row knows the digest of the `mfaToken`, and the code of a mail is derived when the
//!   mail is written, and again when it is answered.
//! - Wrong codes are counted by [`crate::lockout`] too, for the account, whichever challenges they were for.
//! - Whoever changes what signing in takes ends the other sessions of the account and what waits, and its holder is told.
//! - This room writes `sign_in_challenges`, `totp_factors` and `backup_codes`; nobody else does.

mod challenge;
mod code;
mod enrolment;
mod error;
mod factor;
mod mail_code;
mod model;
mod routes;
mod store;
mod stored;

pub use challenge::{
    Asked, Challenge, LIFETIME, Method, MfaToken, NewChallenge, TooManyChallenges, end_all, find, open,
};
pub use code::PresentedCode;
pub use enrolment::remove_by_operator;
pub use error::{MfaError, invalid_code};
pub use factor::{Checked, Drift, Factors, count_sealed_elsewhere, purge_pending, rewrap};
pub use mail_code::MailCodes;
pub use routes::router;
pub use store::{answer, fail, purge_expired};
pub use stored::{
    StoredBackupCode, StoredChallenge, StoredFactor, stored, stored_backup_codes, stored_factors,
};
