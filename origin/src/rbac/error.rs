//! Why a role at a venue could not be granted, read or taken away.

use portcullis_shared::problem::ProblemCode;

use crate::accounts::AccountsError;
use crate::http::Problem;

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum RbacError {
    /// Whoever asks does not hold enough at the venue.
    #[error("it is not permitted at this venue")]
    NotPermitted,
    /// The tenant has no such account, or not one that may sign in.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The account does not hold that at the venue.
    #[error("the account holds no such role at the venue")]
    NoSuchGrant,
    /// The venue would be left without an owner.
    #[error("the venue would be left without an owner")]
    LastOwner,
    /// The role would have ended before it began.
    #[error("the role would have ended already")]
    ExpiryPast,
    /// The account could not be found or changed.
    #[error("the accounts are at fault")]
    Accounts(#[from] AccountsError),
    /// Postgres did not do what it was asked.
    #[error("the store of roles failed")]
    Database(#[source] sqlx::Error),
}

impl From<sqlx::Error> for RbacError {
    fn from(error: sqlx::Error) -> Self {
        match error.as_database_error().and_then(|error| error.constraint()) {
            Some("venue_roles_expires_at_check") => Self::ExpiryPast,
            _ => Self::Database(error),
        }
    }
}

impl From<RbacError> for Problem {
    fn from(error: RbacError) -> Self {
        match error {
            RbacError::NotPermitted => {
                Self::new(ProblemCode::Forbidden).detail("Your roles at this venue do not permit it.")
            }
            RbacError::NoSuchAccount => {
                Self::new(ProblemCode::NotFound).detail("There is no account that could hold a role.")
            }
            RbacError::NoSuchGrant => {
                Self::new(ProblemCode::NotFound).detail("The account holds no such role at this venue.")
            }
            RbacError::LastOwner => {
                Self::new(ProblemCode::LastOwner).detail("Grant another account the role of owner first.")
            }
            RbacError::ExpiryPast => Self::validation_failed(Vec::new()).field(
                "expiresAt",
                "in_the_past",
                "This must be a moment to come.",
            ),
            RbacError::Accounts(error) => error.into(),
            RbacError::Database(error) => Self::database(error),
        }
    }
}
