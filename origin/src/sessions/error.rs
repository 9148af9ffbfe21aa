//! Why a session could not be opened, read or changed.

use crate::http::Problem;
use crate::kernel::secrets::SecretsError;

/// What may go wrong here. A refresh token that is good for nothing is not among it: that is an answer.
#[derive(Debug, thiserror::Error)]
pub enum SessionsError {
    /// Postgres did not do what it was asked.
    #[error("the session store failed")]
    Database(#[from] sqlx::Error),
    /// A key of refresh tokens does not open under the configured master key.
    #[error("a refresh-token key cannot be unsealed")]
    Sealed(#[from] SecretsError),
    /// A session names a key that is not there.
    #[error("a refresh-token key is missing")]
    KeyMissing,
}

impl From<SessionsError> for Problem {
    fn from(error: SessionsError) -> Self {
        match error {
            SessionsError::Database(error) => Self::database(error),
            error @ (SessionsError::Sealed(_) | SessionsError::KeyMissing) => Self::internal(error),
        }
    }
}
