//! Why the edge could not be told.

use crate::http::Problem;
use crate::tokens::KeysError;

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The key sets could not be asked about.
    #[error("the signing keys are at fault")]
    Keys(#[from] KeysError),
    /// Postgres did not do what it was asked.
    #[error("the revocations could not be read")]
    Database(#[from] sqlx::Error),
}

impl From<FeedError> for Problem {
    fn from(error: FeedError) -> Self {
        match error {
            FeedError::Keys(error) => error.into(),
            FeedError::Database(error) => Self::database(error),
        }
    }
}
