//! bcrypt, for the hashes of the service that was here before: they are verified, and none is made.

use std::str::FromStr as _;

use ::bcrypt::HashParts;
use secrecy::{ExposeSecret as _, SecretString};

use super::{HasherError, PasswordHash};

/// The variants that agree on every password (`2x` is the hash of a faulty implementation).
const PREFIXES: [&str; 3] = ["$2a$", "$2b$", "$2y$"];
/// What bcrypt itself accepts as the least.
const MIN_COST: u32 = 4;
/// Takes about a second. A row that asks for more was not written by the old service.
const MAX_COST: u32 = 14;
/// bcrypt does not look at what comes after this.
const HASHED_BYTES: usize = 72;

/// A bcrypt hash that can be verified.
pub(super) struct Bcrypt(SecretString);

impl Bcrypt {
    /// Whether a stored hash claims to be one of bcrypt.
    pub(super) fn claims(stored: &PasswordHash) -> bool {
        PREFIXES.iter().any(|prefix| stored.expose().starts_with(prefix))
    }

    /// Takes a stored hash. Refuses other forms and absurd costs.
    pub(super) fn parse(stored: &PasswordHash) -> Result<Self, HasherError> {
        let parts = HashParts::from_str(stored.expose()).map_err(|_| HasherError::UnreadableHash)?;
        if !(MIN_COST..=MAX_COST).contains(&parts.get_cost()) {
            return Err(HasherError::UnreadableHash);
        }
        Ok(Self(stored.expose().into()))
    }

    /// Whether the password is that of the hash, as far as bcrypt looks at it.
    pub(super) fn matches(&self, password: &str) -> Result<bool, HasherError> {
        ::bcrypt::verify(password, self.0.expose_secret()).map_err(|_| HasherError::Failed)
    }

    /// Whether all of the password counts.
    pub(super) const fn sees_all_of(password: &str) -> bool {
        password.len() <= HASHED_BYTES
    }
}
