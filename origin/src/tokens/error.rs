//! Why a token could not be made or believed, and why a key could not be kept.

use portcullis_shared::cookies::AmbiguousCookie;
use portcullis_shared::csrf::CsrfRefusal;
use portcullis_shared::error::TokenError;
use portcullis_shared::jwk::JwkError;
use portcullis_shared::problem::ProblemCode;

use crate::accounts::AccountsError;
use crate::http::{Challenge, Problem};
use crate::kernel::secrets::SecretsError;
use crate::sessions::SessionsError;

use super::signing_key::SigningKeyError;

/// What may go wrong with signing keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// There is a key of this name already.
    #[error("there is a key with the kid {0} already")]
    KidTaken(String),
    /// Verifiers read no more keys than this from one set.
    #[error("{0} keys are published already, and verifiers read no more than that: remove one first")]
    TooMany(i64),
    /// Somebody else changed the keys at the same moment.
    #[error("somebody else changed the keys at the same moment: look at them and try again")]
    ChangedElsewhere,
    /// There is no key of this name.
    #[error("there is no key with the kid {0}")]
    KidUnknown(String),
    /// The key signs, so that it cannot simply go.
    #[error("the key {0} signs: rotate first, or say --compromised to replace it at once")]
    StillActive(String),
    /// The key is gone already.
    #[error("the key {0} was removed already")]
    AlreadyRemoved(String),
    /// The key itself is at fault.
    #[error("the key is refused")]
    Key(#[from] SigningKeyError),
    /// A key in the database is not one that verifiers accept.
    #[error("a stored key is not fit for RS256")]
    Stored(#[from] JwkError),
    /// The private part cannot be sealed, or does not open under the configured master key.
    #[error("a signing key cannot be sealed or unsealed")]
    Sealed(#[from] SecretsError),
    /// The key that signs does not open under the master keys of this server.
    #[error("the signing key {0} does not open, so that this server signs nothing")]
    Locked(String),
    /// The database was asked for the keys a moment ago, in vain.
    #[error("the signing keys could not be read a moment ago")]
    NotRead,
    /// Making a key was interrupted.
    #[error("no signing key could be made")]
    NotMade,
    /// Postgres did not do what it was asked.
    #[error("the key store failed")]
    Database(#[from] sqlx::Error),
}

/// What may go wrong with access tokens.
#[derive(Debug, thiserror::Error)]
pub enum TokensError {
    /// No access token came with the request, or `Authorization` holds something else.
    #[error("the request has no access token")]
    Missing,
    /// More than one `Authorization` came with the request.
    #[error("the request has more than one Authorization header")]
    TwoAuthorizations,
    /// A bearer token and a session cookie came with the request.
    #[error("the request has a bearer token and a session cookie")]
    BearerAndCookie,
    /// Two session cookies of one name came with the request.
    #[error("the request has a session cookie twice")]
    AmbiguousCookie(#[from] AmbiguousCookie),
    /// The request came with session cookies, and may have been made by another site.
    #[error("the request is not known to come from the own pages")]
    CrossSite(#[from] CsrfRefusal),
    /// The token is not a good one.
    #[error("the access token is refused")]
    Refused(#[from] TokenError),
    /// The token is good, but its session has ended or its account may not sign in.
    #[error("the session of the access token is over")]
    SessionOver,
    /// The token is good and so is its session, but what it says of the account has changed since.
    #[error("the access token is outdated")]
    Outdated,
    /// The token is of another tenant than the one that the request names.
    #[error("the access token is of another tenant")]
    OtherTenant,
    /// The tenant that the request names could not be found out about.
    #[error("the tenant could not be resolved")]
    Tenant(#[from] AccountsError),
    /// The session could not be looked up.
    #[error("the session could not be read")]
    Sessions(#[from] SessionsError),
    /// The signing keys are at fault.
    #[error("the signing keys are not available")]
    Keys(#[from] KeysError),
    /// Postgres could not be reached.
    #[error("no connection to the database")]
    Database(#[from] sqlx::Error),
}

impl From<KeysError> for Problem {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Database(error) => Self::database(error),
            // Another replica may be able to; and the caller loses nothing by trying again.
            error @ (KeysError::NotRead | KeysError::Locked(_)) => Self::unavailable(error),
            error @ (KeysError::KidTaken(_)
            | KeysError::TooMany(_)
            | KeysError::ChangedElsewhere
            | KeysError::KidUnknown(_)
            | KeysError::StillActive(_)
            | KeysError::AlreadyRemoved(_)
            | KeysError::Key(_)
            | KeysError::Stored(_)
            | KeysError::Sealed(_)
            | KeysError::NotMade) => Self::internal(error),
        }
    }
}

impl From<TokensError> for Problem {
    fn from(error: TokensError) -> Self {
        match error {
            TokensError::Missing => Self::invalid_token(Challenge::Bearer),
            TokensError::TwoAuthorizations => Self::new(ProblemCode::AmbiguousCredentials)
                .detail("The request carries more than one Authorization header."),
            TokensError::BearerAndCookie => Self::new(ProblemCode::AmbiguousCredentials)
                .detail("The request carries a bearer token and a session cookie."),
            TokensError::AmbiguousCookie(error) => Self::new(ProblemCode::AmbiguousCredentials)
                .detail(format!("More than one cookie is named {}.", error.0.name())),
            TokensError::CrossSite(error) => Self::new(ProblemCode::CsrfRejected).caused_by(error),
            TokensError::Refused(error) if error.is_expired() => Self::invalid_token(Challenge::ExpiredToken),
            // To the client it is the same: a refresh gives a better one.
            TokensError::Outdated => Self::invalid_token(Challenge::ExpiredToken),
            TokensError::Refused(error) => Self::invalid_token(Challenge::InvalidToken).caused_by(error),
            error @ (TokensError::SessionOver | TokensError::OtherTenant) => {
                Self::invalid_token(Challenge::InvalidToken).caused_by(error)
            }
            TokensError::Tenant(error) => error.into(),
            TokensError::Sessions(error) => error.into(),
            TokensError::Keys(error) => error.into(),
            TokensError::Database(error) => Self::database(error),
        }
    }
}
