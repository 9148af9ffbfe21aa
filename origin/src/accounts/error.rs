//! Why an account could not be found or made.

use portcullis_shared::problem::ProblemCode;

use crate::http::Problem;

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The tenant has an account with this address, or had one that is not purged yet.
    #[error("the address belongs to another account")]
    EmailTaken,
    /// No tenant goes by the slug that the client sent.
    #[error("there is no such tenant")]
    UnknownTenant,
    /// Postgres did not do what it was asked.
    #[error("the account store failed")]
    Database(#[from] sqlx::Error),
}

impl From<AccountsError> for Problem {
    fn from(error: AccountsError) -> Self {
        match error {
            AccountsError::EmailTaken => {
                Self::new(ProblemCode::EmailTaken).detail("There is an account with this email address.")
            }
            AccountsError::UnknownTenant => {
                Self::new(ProblemCode::UnknownTenant).detail("The header X-Tenant names no tenant.")
            }
            AccountsError::Database(error) => Self::database(error),
        }
    }
}
