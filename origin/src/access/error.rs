//! Why access could not be seen, or ended.

use portcullis_shared::problem::ProblemCode;

use crate::accounts::password::UnfitPassword;
use crate::accounts::{AccountsError, UserStatus};
use crate::http::Problem;
use crate::kernel::passwords::HasherError;
use crate::rbac::RbacError;
use crate::reauthentication::ReauthenticationError;
use crate::sessions::SessionsError;

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The caller has no such session.
    #[error("there is no such session")]
    NoSuchSession,
    /// The caller's account knows no such device.
    #[error("there is no such device")]
    NoSuchDevice,
    /// The caller did not name the current password.
    #[error("the current password was not enough")]
    Reauthentication(#[from] ReauthenticationError),
    /// The new password is the current one.
    #[error("the new password is the current one")]
    PasswordUnchanged,
    /// The new password would not protect the account.
    #[error("the password is unfit")]
    UnfitPassword(#[from] UnfitPassword),
    /// There is no account with this address.
    #[error("there is no such account")]
    NoSuchAccount,
    /// It cannot be done to an account of this status.
    #[error("the account is {}", .0.as_str())]
    NotApplicable(UserStatus),
    /// A password could not be hashed.
    #[error("the password could not be checked")]
    Hasher(#[from] HasherError),
    /// The account could not be found or changed.
    #[error("the accounts are at fault")]
    Accounts(#[from] AccountsError),
    /// The sessions could not be read or ended.
    #[error("the sessions are at fault")]
    Sessions(#[from] SessionsError),
    /// The roles could not be read.
    #[error("the roles are at fault")]
    Rbac(#[from] RbacError),
    /// Postgres could not be reached, or did not commit.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        match error {
            AccessError::NoSuchSession | AccessError::NoSuchDevice | AccessError::NoSuchAccount => {
                Self::new(ProblemCode::NotFound)
            }
            AccessError::Reauthentication(error) => error.into(),
            AccessError::PasswordUnchanged => Self::new(ProblemCode::PasswordUnchanged),
            AccessError::UnfitPassword(error) => {
                Self::validation_failed(Vec::new()).field("newPassword", error.code(), &error.message())
            }
            error @ AccessError::NotApplicable(_) => Self::internal(error),
            AccessError::Hasher(error) => error.into(),
            AccessError::Accounts(error) => error.into(),
            AccessError::Sessions(error) => error.into(),
            AccessError::Rbac(error) => error.into(),
            AccessError::Database(error) => Self::database(error),
        }
    }
}
