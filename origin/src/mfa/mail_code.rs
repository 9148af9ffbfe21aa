//! Codes that are mailed to who signs in on a device that the account does not know.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use secrecy::SecretString;

use crate::kernel::config::Config;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{ChallengeId, Id as _};
use crate::kernel::secrets::SecretsError;
use crate::kernel::time::Timestamp;
use crate::mail::{Errand, Letter};

use super::challenge::{Challenge, LIFETIME};
use super::code::PresentedCode;
use super::store;

/// What a preview shows.
const EXAMPLE: &str = "12345678";

/// Codes have eight digits: of those who know a password and guess ten times in a quarter of an hour, one in ten million gets in.
const CODES: u64 = 100_000_000;

/// Knows the code of each challenge. Cloning shares the key.
#[derive(Clone)]
pub struct MailCodes(Arc<hmac::Key>);

impl MailCodes {
    /// The key is derived from the master key, and kept nowhere: under another one, codes that wait are wrong.
    pub fn new(config: &Config) -> Result<Self, SecretsError> {
        let key = config.master_key.derive("sign-in-codes")?;
        Ok(Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))))
    }

    /// Whether this is the code that was mailed for the challenge.
    #[must_use]
    pub fn recognise(&self, challenge: &Challenge, code: &PresentedCode) -> bool {
        code.is(&self.code(challenge.id))
    }

    /// What the letter about a challenge says. `None`: it was answered or ended, or has expired.
    pub async fn errand(
        &self,
        connection: &mut PgConnection,
        id: ChallengeId,
        now: Timestamp,
    ) -> Result<Option<Errand>, sqlx::Error> {
        let found = store::find(connection, id, now).await?;
        Ok(found.map(|challenge| Errand {
            tenant: challenge.tenant,
            user: challenge.user,
            secret: self.code(id),
            expires_at: challenge.expires_at,
        }))
    }

    /// An errand as it would be had this letter been caused at `now`, with a code that opens nothing. `None`: the letter has no code.
    #[must_use]
    pub fn example(letter: Letter, now: Timestamp) -> Option<Errand> {
        let Letter::SignInCode { challenge } = letter else {
            return None;
        };
        Some(Errand {
            tenant: challenge.uuid().into(),
            user: challenge.uuid().into(),
            secret: EXAMPLE.into(),
            expires_at: now + LIFETIME,
        })
    }

    /// Nobody can guess it who does not hold the key. The remainder favours no code by more than one in 10¹¹.
    fn code(&self, id: ChallengeId) -> SecretString {
        let tag = hmac::sign(&self.0, id.uuid().as_bytes());
        let number = tag
            .as_ref()
            .iter()
            .take(8)
            .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        format!("{:08}", number % CODES).into()
    }
}

impl fmt::Debug for MailCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailCodes").finish_non_exhaustive()
    }
}
