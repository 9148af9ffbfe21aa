//! Why a profile was not read or changed.

use portcullis_shared::problem::ProblemCode;

use crate::accounts::AccountsError;
use crate::http::Problem;

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProfileError {
    /// The account was deleted a moment ago.
    #[error("the account is gone")]
    Gone,
    /// The request does not say which version it changes.
    #[error("no version was named")]
    VersionMissing,
    /// The profile was changed meanwhile.
    #[error("the profile is in another version")]
    OtherVersion,
    /// The profile could not be read or changed.
    #[error("the accounts are at fault")]
    Accounts(#[from] AccountsError),
    /// Postgres could not be reached, or did not commit.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<ProfileError> for Problem {
    fn from(error: ProfileError) -> Self {
        match error {
            ProfileError::Gone => Self::new(ProblemCode::NotFound),
            ProfileError::VersionMissing => Self::new(ProblemCode::PreconditionRequired)
                .detail("The header If-Match has to name the ETag of the profile that is changed."),
            ProfileError::OtherVersion => Self::new(ProblemCode::PreconditionFailed)
                .detail("The profile was changed meanwhile. Read it again."),
            ProfileError::Accounts(error) => error.into(),
            ProfileError::Database(error) => Self::database(error),
        }
    }
}
