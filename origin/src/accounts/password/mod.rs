//! What a new password must be (NIST SP 800-63B-4 §3.1.1: length and strength, none that is known to others, and no rules
//! of composition unless the operator wants them).

mod breaches;
mod composition;
mod generate;
mod strength;

use secrecy::SecretString;

pub use generate::generate;

use crate::kernel::config::PasswordsConfig;
use crate::kernel::http_client::HttpClientError;
use crate::kernel::passwords::{HasherError, Password};

use breaches::BreachedPasswords;
use composition::Lack;

/// Code points in NFC.
pub const MIN_LENGTH: usize = 12;
/// Code points in NFC.
pub const MAX_LENGTH: usize = 128;

/// Why a text may not become a password. The `Display` text is written for the person who chose it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitPassword {
    /// Fewer than [`MIN_LENGTH`] code points.
    #[error("must have at least {MIN_LENGTH} characters")]
    TooShort,
    /// More than [`MAX_LENGTH`] code points.
    #[error("must have at most {MAX_LENGTH} characters")]
    TooLong,
    /// Less than score 3 of 4 by zxcvbn: below 10⁸ guesses. Holds what to do about it.
    #[error("is too easy to guess. {0}")]
    TooWeak(String),
    /// Composed in another way than the operator wants.
    #[error("{0}")]
    Composition(Lack),
    /// It was found among passwords that were stolen somewhere.
    #[error(
        "has been stolen from another site before, and whoever guesses passwords will try it. Choose another one"
    )]
    Breached,
}

impl UnfitPassword {
    /// What is wrong, for the person who chose the password.
    #[must_use]
    pub fn message(&self) -> String {
        format!("The password {self}")
    }

    /// The code in an answer's `errors`.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::TooWeak(_) => "too_weak",
            Self::Composition(_) => "composition",
            Self::Breached => "breached",
        }
    }
}

/// Tries a text against the rules about length, which cost nothing.
pub fn check_length(text: &SecretString) -> Result<Password, UnfitPassword> {
    let password = Password::new(text);
    match password.expose().chars().count() {
        ..MIN_LENGTH => Err(UnfitPassword::TooShort),
        MIN_LENGTH..=MAX_LENGTH => Ok(password),
        _ => Err(UnfitPassword::TooLong),
    }
}

/// The rules about new passwords beyond their length, as the operator has set them. Cloning shares what they need.
#[derive(Clone, Debug)]
pub struct PasswordRules {
    composition: bool,
    breaches: Option<BreachedPasswords>,
}

impl PasswordRules {
    /// Connects to nobody yet.
    pub fn new(config: &PasswordsConfig) -> Result<Self, HttpClientError> {
        Ok(Self {
            composition: config.composition,
            breaches: config.breaches.as_ref().map(BreachedPasswords::new).transpose()?,
        })
    }

    /// Tries a password against the rules, cheap ones first. `words` are those that a guesser who knows the account would try
    /// first. The outer error is that there was no turn to be had; the caller limits how often somebody may ask. Takes
    /// no longer than the estimate of its strength and the time limit for asking about stolen passwords.
    pub async fn check(
        &self,
        password: Password,
        words: Vec<String>,
    ) -> Result<Result<(), UnfitPassword>, HasherError> {
        if self.composition
            && let Err(lack) = composition::check(password.expose())
        {
            return Ok(Err(UnfitPassword::Composition(lack)));
        }
        if let Err(unfit) = strength::check(password.clone(), words).await? {
            return Ok(Err(unfit));
        }
        match &self.breaches {
            Some(breaches) if breaches.contain(&password).await => Ok(Err(UnfitPassword::Breached)),
            Some(_) | None => Ok(Ok(())),
        }
    }
}
