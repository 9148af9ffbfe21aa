//! Why somebody was not let in, or could not stay.

use portcullis_shared::problem::ProblemCode;

use crate::accounts::AccountsError;
use crate::accounts::password::UnfitPassword;
use crate::http::Problem;
use crate::kernel::passwords::HasherError;
use crate::lockout::Locked;
use crate::mfa::{Checked, Drift, MfaError, TooManyChallenges, invalid_code};
use crate::reauthentication::ReauthenticationError;
use crate::recovery::RecoveryError;
use crate::sessions::SessionsError;
use crate::tokens::KeysError;

/// How long a client is asked to wait when an operator has suspended the account: nobody knows how long that
/// will be, so this is only a pause between questions.
const LOCKED_RETRY_AFTER_SECONDS: u64 = 900;

/// What may go wrong here.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// There is no such account, or this is not its password.
    #[error("address or password is wrong")]
    InvalidCredentials,
    /// The password is right, and the address of somebody who registered unseen is still to be confirmed. Answered as a wrong
    /// password is.
    #[error("the address is not confirmed")]
    AddressUnconfirmed,
    /// The password is right, and the account was closed by an operator.
    #[error("the account is disabled")]
    AccountDisabled,
    /// The password is right, and the account was suspended by an operator.
    #[error("the account is locked")]
    AccountLocked,
    /// A code is wrong.
    #[error("the code is wrong")]
    InvalidCode(Option<Drift>),
    /// The signature is none of a key of the account over a challenge of ours.
    #[error("the signature is wrong")]
    InvalidSignature,
    /// The account has a stronger way of proving who somebody is, or has not this one.
    #[error("the method is not one of the account's")]
    UnavailableMethod,
    /// The session of the caller has ended while they were asked.
    #[error("the session is over")]
    SessionOver,
    /// A second factor could not be checked.
    #[error("the second factors are at fault")]
    Mfa(#[from] MfaError),
    /// The caller did not name the current password.
    #[error("the current password was not enough")]
    Reauthentication(#[from] ReauthenticationError),
    /// No sign-in waits for an answer by this token.
    #[error("the challenge is not good")]
    InvalidMfaToken,
    /// As many sign-ins to the account wait for an answer as may.
    #[error(transparent)]
    TooManyChallenges(#[from] TooManyChallenges),
    /// There were too many wrong passwords, or codes.
    #[error(transparent)]
    Locked(#[from] Locked),
    /// The password that was chosen would not protect the account.
    #[error("the password is unfit")]
    UnfitPassword(#[from] UnfitPassword),
    /// The refresh token is good for nothing.
    #[error("the refresh token is refused")]
    InvalidRefreshToken,
    /// The refresh token was used before; its session is over.
    #[error("the refresh token was used before")]
    RefreshTokenReused,
    /// The account was changed so often within this second that no token can be made before the next one.
    #[error("the account is being changed too often")]
    ChangedTooOften,
    /// The password could not be hashed.
    #[error("the password could not be checked")]
    Hasher(#[from] HasherError),
    /// The account could not be found or made.
    #[error("the accounts are at fault")]
    Accounts(#[from] AccountsError),
    /// The session could not be opened or changed.
    #[error("the sessions are at fault")]
    Sessions(#[from] SessionsError),
    /// The mail that asks to confirm the address could not be enqueued.
    #[error("the tickets are at fault")]
    Recovery(#[from] RecoveryError),
    /// No access token could be made.
    #[error("the signing keys are at fault")]
    Keys(#[from] KeysError),
    /// Postgres could not be reached, or did not commit.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl LoginError {
    /// The refusal of a code that is not right.
    pub(super) const fn of_code(checked: Checked) -> Self {
        match checked {
            Checked::Drifted(drift) => Self::InvalidCode(Some(drift)),
            Checked::Right | Checked::Wrong => Self::InvalidCode(None),
        }
    }

    /// Whether it is the password that was refused, and who tried it has used one attempt up.
    pub(super) const fn is_of_the_password(&self) -> bool {
        matches!(self, Self::InvalidCredentials | Self::AddressUnconfirmed)
    }
}

impl From<LoginError> for Problem {
    fn from(error: LoginError) -> Self {
        match error {
            LoginError::InvalidCredentials | LoginError::AddressUnconfirmed => {
                Self::new(ProblemCode::InvalidCredentials)
            }
            LoginError::AccountDisabled => Self::new(ProblemCode::AccountDisabled),
            LoginError::AccountLocked => {
                Self::new(ProblemCode::AccountLocked).retry_after(LOCKED_RETRY_AFTER_SECONDS)
            }
            LoginError::InvalidCode(drift) => invalid_code(drift),
            LoginError::InvalidSignature => Self::new(ProblemCode::InvalidSignature),
            LoginError::UnavailableMethod => Self::validation_failed(Vec::new()).field(
                "method",
                "unavailable",
                "The account proves itself in another way: by a code where it has a second factor, and by its password where it has none.",
            ),
            LoginError::SessionOver => Self::new(ProblemCode::InvalidToken),
            LoginError::Mfa(error) => error.into(),
            LoginError::Reauthentication(error) => error.into(),
            LoginError::InvalidMfaToken => Self::new(ProblemCode::InvalidMfaToken)
                .detail("It was used, has expired, or had too many wrong codes. Please sign in again."),
            LoginError::TooManyChallenges(TooManyChallenges { retry_after }) => {
                Self::new(ProblemCode::RateLimited)
                    .detail("Several codes for this account wait to be used. Please use one, or wait.")
                    .retry_after(retry_after)
            }
            LoginError::Locked(locked) => locked.into(),
            LoginError::UnfitPassword(error) => {
                Self::validation_failed(Vec::new()).field("password", error.code(), &error.message())
            }
            LoginError::InvalidRefreshToken => Self::new(ProblemCode::InvalidRefreshToken),
            LoginError::RefreshTokenReused => Self::new(ProblemCode::RefreshTokenReused)
                .detail("The session was ended, because its refresh token may be in two hands."),
            LoginError::ChangedTooOften => Self::new(ProblemCode::Unavailable)
                .detail("The account is being changed. Please try again in a second.")
                .retry_after(1),
            LoginError::Hasher(error) => error.into(),
            LoginError::Accounts(error) => error.into(),
            LoginError::Sessions(error) => error.into(),
            LoginError::Recovery(error) => error.into(),
            LoginError::Keys(error) => error.into(),
            LoginError::Database(error) => Self::database(error),
        }
    }
}
