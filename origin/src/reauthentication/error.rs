//! Why the current password was not enough.

use portcullis_shared::problem::ProblemCode;

use crate::accounts::AccountsError;
use crate::http::Problem;
use crate::kernel::passwords::HasherError;
use crate::lockout::Locked;

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum ReauthenticationError {
    /// What was given as the current password is not.
    #[error("the current password is wrong")]
    WrongPassword,
    /// There were too many wrong ones.
    #[error(transparent)]
    Locked(#[from] Locked),
    /// The password could not be hashed.
    #[error("the password could not be checked")]
    Hasher(#[from] HasherError),
    /// The account could not be read.
    #[error("the accounts are at fault")]
    Accounts(#[from] AccountsError),
    /// Postgres could not be reached, or did not commit.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<ReauthenticationError> for Problem {
    fn from(error: ReauthenticationError) -> Self {
        match error {
            ReauthenticationError::WrongPassword => {
                Self::new(ProblemCode::InvalidCredentials).detail("The current password is wrong.")
            }
            ReauthenticationError::Locked(locked) => locked.into(),
            ReauthenticationError::Hasher(error) => error.into(),
            ReauthenticationError::Accounts(error) => error.into(),
            ReauthenticationError::Database(error) => Self::database(error),
        }
    }
}
