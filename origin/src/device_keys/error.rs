//! Why a device key was not taken, or is not there.

use portcullis_shared::problem::ProblemCode;

use crate::accounts::AccountsError;
use crate::http::Problem;
use crate::sessions::SessionsError;

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum DeviceKeyError {
    /// The caller has no such key.
    #[error("there is no such device key")]
    NoSuchKey,
    /// The caller has as many as an account may have.
    #[error("there are too many device keys")]
    TooMany,
    /// The account could not be read.
    #[error("the accounts are at fault")]
    Accounts(#[from] AccountsError),
    /// The device of the session could not be found.
    #[error("the sessions are at fault")]
    Sessions(#[from] SessionsError),
    /// Postgres could not be reached, or did not commit.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<DeviceKeyError> for Problem {
    fn from(error: DeviceKeyError) -> Self {
        match error {
            DeviceKeyError::NoSuchKey => Self::new(ProblemCode::NotFound),
            DeviceKeyError::TooMany => Self::new(ProblemCode::TooManyCredentials)
                .detail("An account has at most twenty device keys. Remove one that is not used any more."),
            DeviceKeyError::Accounts(error) => error.into(),
            DeviceKeyError::Sessions(error) => error.into(),
            DeviceKeyError::Database(error) => Self::database(error),
        }
    }
}
