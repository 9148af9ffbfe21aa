//! Why nothing was handed out.

use crate::http::{Challenge, Problem};

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The account was deleted while the request was on its way.
    #[error("the account is gone")]
    AccountGone,
    /// Postgres did not do what it was asked.
    #[error("what is stored could not be read")]
    Database(#[from] sqlx::Error),
}

impl From<ExportError> for Problem {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::AccountGone => Self::invalid_token(Challenge::InvalidToken),
            ExportError::Database(error) => Self::database(error),
        }
    }
}
