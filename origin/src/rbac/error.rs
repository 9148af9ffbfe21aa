//! Why a role at a venue could not be granted, read or taken away.

use portcullis_shared::problem::ProblemCode;

use crate::accounts::AccountsError;
use crate::http::Problem;
use crate::kernel::time::{Timestamp, rfc3339};

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum RbacError {
    /// Whoever asks does not hold enough at the venue.
    #[error("it is not permitted at this venue")]
    NotPermitted,
    /// What is to be granted would last longer than what it is granted by, which ends at this moment.
    #[error("the granter's own role ends at {0}, before what they grant")]
    BeyondOwn(Timestamp),
    /// The account owns the venue for longer than whoever asks has a say there.
    #[error("the grant outlasts the role of whoever asks")]
    OutlastsOwn,
    /// The tenant has no such account, or not one that may sign in.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The account does not hold that at the venue.
    #[error("the account holds no such role at the venue")]
    NoSuchGrant,
    /// The venue would be left without an owner for good who may sign in.
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
            RbacError::BeyondOwn(end) => Self::new(ProblemCode::Forbidden).detail(format!(
                "Your own role at this venue ends at {}, and nothing that you grant may last longer.",
                rfc3339(end)
            )),
            RbacError::OutlastsOwn => Self::new(ProblemCode::Forbidden)
                .detail("The account owns this venue for longer than you do."),
            RbacError::NoSuchAccount => {
                Self::new(ProblemCode::NotFound).detail("There is no account that could hold a role.")
            }
            RbacError::NoSuchGrant => {
                Self::new(ProblemCode::NotFound).detail("The account holds no such role at this venue.")
            }
            RbacError::LastOwner => Self::new(ProblemCode::LastOwner)
                .detail("Grant another account the role of owner, without an end, first."),
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
