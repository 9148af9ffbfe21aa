//! Challenges: how they come to be, and how the client that was given one is recognised.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use strum::{EnumString, IntoStaticStr};

use crate::accounts::User;
use crate::devices::PresentedDevice;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{ChallengeId, Id as _, TenantId, UserId};
use crate::kernel::random::Entropy;
use crate::kernel::secret_digest::{SecretDigest, generate_secret};
use crate::kernel::time::{TimeDelta, Timestamp};

use super::store;

/// How long a challenge can be answered.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(5);

/// How many of one account wait at once where a mail is sent for each: whoever has its password could have any number of them sent otherwise.
const MOST_WAITING: usize = 5;

/// What a challenge may be answered by. The names are those of the HTTP contract.
#[derive(Clone, Copy, Debug, EnumString, IntoStaticStr, PartialEq, Eq, Serialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Method {
    /// The code of a mail, for an account without a second factor that somebody signs in to on an unknown device.
    EmailCode,
    /// What an authenticator app shows.
    Totp,
    /// One of the codes that stand in for the app.
    BackupCode,
}

/// The secret by which a client goes on with its sign-in: 256 random bits, or whatever was presented.
#[derive(Clone)]
pub struct MfaToken(SecretString);

impl MfaToken {
    /// Takes what was presented.
    #[must_use]
    pub fn presented(text: SecretString) -> Self {
        Self(text)
    }

    /// The text, for the client alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn digest(&self) -> SecretDigest {
        SecretDigest::of(&self.0)
    }
}

impl fmt::Debug for MfaToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MfaToken(redacted)")
    }
}

/// A challenge that waits for an answer.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// Its identifier.
    pub id: ChallengeId,
    /// The tenant it was made in.
    pub tenant: TenantId,
    /// Whose password was right.
    pub user: UserId,
    /// What it may be answered by; never empty.
    pub methods: Vec<Method>,
    /// Which factors were proved before it (RFC 8176).
    pub amr: Vec<String>,
    /// How many wrong codes it was answered with: fewer than five.
    pub failures: i16,
    /// Until when it can be answered.
    pub expires_at: Timestamp,
}

/// A challenge that was just made.
pub struct Asked {
    /// Its identifier.
    pub id: ChallengeId,
    /// What the client presents with its answer.
    pub token: MfaToken,
}

/// As many challenges of the account wait as may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many challenges wait")]
pub struct TooManyChallenges {
    /// Seconds until the first of them has expired, rounded up.
    pub retry_after: u64,
}

/// What is to be asked, and of whom.
pub struct NewChallenge<'c> {
    /// From where; known or not.
    pub device: &'c PresentedDevice,
    /// What it may be answered by; not empty.
    pub methods: &'c [Method],
    /// Which factors were proved before (RFC 8176); not empty.
    pub amr: &'c [String],
}

/// Makes a challenge for an account that the caller has locked.
pub async fn open(
    connection: &mut PgConnection,
    user: &User,
    new: &NewChallenge<'_>,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Result<Asked, TooManyChallenges>, sqlx::Error> {
    let waiting = store::expiries(connection, user, now).await?;
    let is_mailed = new.methods.contains(&Method::EmailCode);
    if let (true, Some(first)) = (is_mailed && waiting.len() >= MOST_WAITING, waiting.iter().min()) {
        let left = u64::try_from((*first - now).num_seconds()).unwrap_or_default();
        let retry_after = left.saturating_add(1);
        return Ok(Err(TooManyChallenges { retry_after }));
    }
    let asked = Asked {
        id: ChallengeId::generate(now, entropy),
        token: MfaToken(generate_secret(entropy)),
    };
    store::insert(connection, user, &asked, new, now, now + LIFETIME).await?;
    Ok(Ok(asked))
}

/// The challenge that this is the token of, unless it has expired, or it was for another device. Whoever acts on it looks again, once the account is locked.
pub async fn find(
    connection: &mut PgConnection,
    token: &MfaToken,
    device: &PresentedDevice,
    now: Timestamp,
) -> Result<Option<Challenge>, sqlx::Error> {
    store::find_by_token(connection, &token.digest(), &device.digest(), now).await
}

/// Ends all challenges of an account that the caller has locked: what its password was is of no use any more.
pub async fn end_all(connection: &mut PgConnection, user: &User) -> Result<(), sqlx::Error> {
    store::remove_all(connection, user).await
}
