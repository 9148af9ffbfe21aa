//! Why a second factor was not taken, or could not be changed.

use portcullis_shared::problem::ProblemCode;

use crate::accounts::AccountsError;
use crate::http::Problem;
use crate::kernel::secrets::SecretsError;
use crate::lockout::Locked;
use crate::reauthentication::ReauthenticationError;
use crate::sessions::SessionsError;

use super::factor::Drift;

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum MfaError {
    /// The account has a second factor.
    #[error("a second factor is enabled")]
    AlreadyEnabled,
    /// The account has none.
    #[error("no second factor is enabled")]
    NotEnabled,
    /// There is no account with this address.
    #[error("there is no such account")]
    NoSuchAccount,
    /// No set-up waits for a code.
    #[error("there is nothing to confirm")]
    NothingToConfirm,
    /// The code is wrong.
    #[error("the code is wrong")]
    InvalidCode(Option<Drift>),
    /// There were too many wrong ones.
    #[error(transparent)]
    Locked(#[from] Locked),
    /// The caller did not name the current password.
    #[error("the current password was not enough")]
    Reauthentication(#[from] ReauthenticationError),
    /// The account could not be found or changed.
    #[error("the accounts are at fault")]
    Accounts(#[from] AccountsError),
    /// The sessions could not be ended or changed.
    #[error("the sessions are at fault")]
    Sessions(#[from] SessionsError),
    /// The factor's secret could not be sealed or opened.
    #[error("the secret of a factor is at fault")]
    Secrets(#[from] SecretsError),
    /// The library refused to make a code, a URL or a picture of a secret.
    #[error("codes cannot be made")]
    Totp,
    /// Postgres could not be reached, or did not commit.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<MfaError> for Problem {
    fn from(error: MfaError) -> Self {
        match error {
            MfaError::AlreadyEnabled => Self::new(ProblemCode::MfaAlreadyEnabled),
            MfaError::NotEnabled => {
                Self::new(ProblemCode::MfaNotEnabled).detail("The account has no second factor.")
            }
            MfaError::NothingToConfirm => Self::new(ProblemCode::MfaNotEnabled)
                .detail("No set-up waits for a code. It lasts for ten minutes: please begin anew."),
            MfaError::NoSuchAccount => Self::new(ProblemCode::NotFound),
            MfaError::InvalidCode(drift) => invalid_code(drift),
            MfaError::Locked(locked) => locked.into(),
            MfaError::Reauthentication(error) => error.into(),
            MfaError::Accounts(error) => error.into(),
            MfaError::Sessions(error) => error.into(),
            error @ (MfaError::Secrets(_) | MfaError::Totp) => Self::internal(error),
            MfaError::Database(error) => Self::database(error),
        }
    }
}

/// 401 `invalid_code`, with what helps an app whose clock is wrong.
#[must_use]
pub fn invalid_code(drift: Option<Drift>) -> Problem {
    let problem = Problem::new(ProblemCode::InvalidCode);
    match drift {
        None => problem,
        Some(Drift::Behind) => problem
            .detail("This code was good a moment ago. Take the one that is shown now; if that is refused too, the clock of your device is slow."),
        Some(Drift::Ahead) => problem
            .detail("This code is not good yet: the clock of your device is fast. Set it, and take a code that is shown after that."),
    }
}
