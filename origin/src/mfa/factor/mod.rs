//! Authenticator apps, and the backup codes that stand in for one.
//!
//! Invariants:
//! - A secret is sealed under the master key, for its row.
//! - A time step is taken once, by a condition of the statement that takes it: no code of it or before is good again, the code of
//!   the set-up included. A code of a step to come that is told as one is used up by that.
//! - A backup code is good once: it is removed by being taken.
//! - A set-up that is not confirmed within ten minutes never was.
//! - `users.mfa_enabled` says whether there is an enabled factor, and is changed with it, in one transaction.

mod backup;
mod rewrap;
mod secrets;
mod store;
mod totp;

use std::fmt;

use secrecy::SecretString;

use crate::accounts::{self, User};
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{FactorId, Id as _};
use crate::kernel::random::Entropy;
use crate::kernel::secrets::MasterKey;
use crate::kernel::time::{TimeDelta, Timestamp};

use super::code::PresentedCode;
use super::error::MfaError;

pub use rewrap::{count_sealed_elsewhere, rewrap};
pub use store::purge_pending;
pub use totp::Drift;

use secrets::FactorSecrets;
use store::Factor;
use totp::{Totp, Verdict};

/// How long a set-up waits for its first code.
const PENDING: TimeDelta = TimeDelta::minutes(10);

/// Makes and checks factors. Cloning shares the master key.
#[derive(Clone)]
pub struct Factors(MasterKey);

/// What an app is set up with, shown once.
pub(super) struct SetUp {
    pub(super) secret: SecretString,
    pub(super) url: SecretString,
    /// A PNG in base64.
    pub(super) qr_code: SecretString,
    pub(super) backup_codes: Vec<SecretString>,
}

/// What a code was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// It is right, and used up.
    Right,
    /// It is wrong.
    Wrong,
    /// It would be right at another time: the app's clock differs from ours.
    Drifted(Drift),
}

impl Factors {
    /// Keeps the master key.
    #[must_use]
    pub fn new(master: MasterKey) -> Self {
        Self(master)
    }

    /// Begins to set up an app for an account that the caller has locked and that has none. One that was begun before ends.
    pub(super) async fn set_up(
        &self,
        connection: &mut PgConnection,
        user: &User,
        issuer: &str,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<SetUp, MfaError> {
        let id = FactorId::generate(now, entropy);
        let secrets = FactorSecrets::generate(entropy);
        let totp = Totp::new(&secrets, issuer, &user.email)?;
        let codes = backup::generate(entropy);
        let sealed = secrets.seal(&self.0, id)?;
        store::replace(connection, user, id, &sealed, now, now + PENDING).await?;
        store::add_codes(connection, user, id, &digests(&secrets, &codes), now).await?;
        Ok(SetUp {
            secret: totp.secret(),
            url: totp.url()?,
            qr_code: totp.qr_code()?,
            backup_codes: codes,
        })
    }

    /// Confirms the set-up of an account that the caller has locked, by its first code.
    pub(super) async fn confirm(
        &self,
        connection: &mut PgConnection,
        user: &User,
        code: &PresentedCode,
        now: Timestamp,
    ) -> Result<Checked, MfaError> {
        let factor = store::find_pending(connection, user, now)
            .await?
            .ok_or(MfaError::NothingToConfirm)?;
        let checked = self.check(connection, user, &factor, code, now).await?;
        if checked == Checked::Right {
            store::enable(connection, factor.id, now).await?;
            accounts::set_mfa_enabled(connection, user, true, now).await?;
        }
        Ok(checked)
    }

    /// Takes a code of the app of an account that the caller has locked.
    pub async fn take_code(
        &self,
        connection: &mut PgConnection,
        user: &User,
        code: &PresentedCode,
        now: Timestamp,
    ) -> Result<Checked, MfaError> {
        match store::find_enabled(connection, user).await? {
            Some(factor) => self.check(connection, user, &factor, code, now).await,
            None => Ok(Checked::Wrong),
        }
    }

    /// Takes a backup code of an account that the caller has locked, and tells how many are left; `None` if it is none.
    pub async fn take_backup_code(
        &self,
        connection: &mut PgConnection,
        user: &User,
        code: &PresentedCode,
    ) -> Result<Option<u64>, MfaError> {
        let Some(factor) = store::find_enabled(connection, user).await? else {
            return Ok(None);
        };
        let secrets = FactorSecrets::open(&self.0, factor.id, &factor.sealed)?;
        let digest = secrets.digest(&backup::normalised(code));
        if !store::take_code(connection, factor.id, &digest).await? {
            return Ok(None);
        }
        Ok(Some(store::count_codes(connection, factor.id).await?))
    }

    /// Gives an account that the caller has locked other backup codes; those it had are good no longer.
    pub(super) async fn replace_backup_codes(
        &self,
        connection: &mut PgConnection,
        user: &User,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Vec<SecretString>, MfaError> {
        let factor = store::find_enabled(connection, user)
            .await?
            .ok_or(MfaError::NotEnabled)?;
        let secrets = FactorSecrets::open(&self.0, factor.id, &factor.sealed)?;
        let codes = backup::generate(entropy);
        store::remove_codes(connection, factor.id).await?;
        store::add_codes(connection, user, factor.id, &digests(&secrets, &codes), now).await?;
        Ok(codes)
    }

    async fn check(
        &self,
        connection: &mut PgConnection,
        user: &User,
        factor: &Factor,
        code: &PresentedCode,
        now: Timestamp,
    ) -> Result<Checked, MfaError> {
        let secrets = FactorSecrets::open(&self.0, factor.id, &factor.sealed)?;
        let totp = Totp::new(&secrets, "", &user.email)?;
        Ok(match totp.judge(code, now) {
            Verdict::Wrong => Checked::Wrong,
            Verdict::Right { step } => {
                let taken = store::take_step(connection, factor.id, step).await?;
                if taken { Checked::Right } else { Checked::Wrong }
            }
            Verdict::Drifted { step, drift } => {
                // What is told here must not be good a minute later.
                store::take_step(connection, factor.id, step).await?;
                Checked::Drifted(drift)
            }
        })
    }
}

/// Ends the second factor of an account that the caller has locked, and its backup codes. Whether there was one that was enabled.
pub(super) async fn remove(
    connection: &mut PgConnection,
    user: &User,
    now: Timestamp,
) -> Result<bool, MfaError> {
    let was_enabled = store::remove(connection, user).await?;
    if was_enabled {
        accounts::set_mfa_enabled(connection, user, false, now).await?;
    }
    Ok(was_enabled)
}

fn digests(secrets: &FactorSecrets, codes: &[SecretString]) -> Vec<Vec<u8>> {
    codes
        .iter()
        .map(|code| {
            secrets
                .digest(&backup::normalised(&PresentedCode::of(code)))
                .to_vec()
        })
        .collect()
}

impl fmt::Debug for Factors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factors").finish_non_exhaustive()
    }
}
