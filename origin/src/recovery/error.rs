//! Why a mail was not sent, or its link did nothing.

use portcullis_shared::problem::ProblemCode;

use crate::accounts::AccountsError;
use crate::accounts::password::UnfitPassword;
use crate::http::Problem;
use crate::kernel::passwords::HasherError;
use crate::sessions::SessionsError;

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// Nobody was sent this link, or it was used, has expired, or was followed by a newer one.
    #[error("the ticket is not good")]
    InvalidTicket,
    /// The address of the caller is known to be theirs.
    #[error("the address is verified already")]
    AlreadyVerified,
    /// The new password would not protect the account.
    #[error("the password is unfit")]
    UnfitPassword(#[from] UnfitPassword),
    /// A password could not be hashed.
    #[error("the password could not be hashed")]
    Hasher(#[from] HasherError),
    /// The account could not be found or changed.
    #[error("the accounts are at fault")]
    Accounts(#[from] AccountsError),
    /// The sessions could not be ended.
    #[error("the sessions are at fault")]
    Sessions(#[from] SessionsError),
    /// Postgres could not be reached, or did not commit.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<RecoveryError> for Problem {
    fn from(error: RecoveryError) -> Self {
        match error {
            RecoveryError::InvalidTicket => Self::new(ProblemCode::InvalidOrExpiredToken)
                .detail("The link is not good any more, or never was. Ask for a new one."),
            RecoveryError::AlreadyVerified => Self::new(ProblemCode::AlreadyVerified),
            RecoveryError::UnfitPassword(error) => {
                Self::validation_failed(Vec::new()).field("newPassword", error.code(), &error.message())
            }
            RecoveryError::Hasher(error) => error.into(),
            RecoveryError::Accounts(error) => error.into(),
            RecoveryError::Sessions(error) => error.into(),
            RecoveryError::Database(error) => Self::database(error),
        }
    }
}
