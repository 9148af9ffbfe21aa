//! How signing keys move on: `next` → `active` → `retired` → `removed`.
//!
//! Whoever moves a key locks the key set first, so that operators and replicas take turns, and looks again at what it
//! had decided upon. Making a key takes up to seconds and is done before that; a key that is not wanted any more
//! is dropped.

use crate::audit::{self, EventKind};
use crate::kernel::config::TokensConfig;
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::random::Entropy;
use crate::kernel::secrets::MasterKey;
use crate::kernel::time::{TimeDelta, Timestamp};

use super::error::KeysError;
use super::keys::{self, SealedKey, event};
use super::model::KeyState;
use super::schedule::{self, NextKey, Standing, Step};
use super::store;

/// Moves signing keys on.
#[derive(Clone, Debug)]
pub struct KeyKeeper {
    pool: Pool,
    master: MasterKey,
    rsa_bits: u32,
    access_ttl: TimeDelta,
    rotation: Option<TimeDelta>,
}

/// What a rotation has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// A key was made and published. It does not sign yet.
    Published {
        /// Its name.
        kid: String,
        /// From when on it may sign.
        activates_at: Timestamp,
    },
    /// A key signs from now on.
    Activated {
        /// Its name.
        kid: String,
        /// The key that signed before, and until when it stays published.
        replaced: Option<(String, Timestamp)>,
    },
    /// Nothing: the next key has not been published for long enough.
    Waiting {
        /// Its name.
        kid: String,
        /// From when on it may sign.
        activates_at: Timestamp,
    },
}

/// What the removal of a key has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// The state in which the key was.
    pub was: KeyState,
    /// The key that was made in its place and signs from now on, if it was the active one.
    pub replacement: Option<String>,
}

/// What the schedule has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upkeep {
    /// The step of the rotation that was due.
    pub rotation: Option<Rotation>,
    /// The retired keys that were removed since their last token has expired.
    pub removed: Vec<String>,
}

impl KeyKeeper {
    /// Touches nothing yet.
    #[must_use]
    pub fn new(config: &TokensConfig, pool: Pool, master: MasterKey) -> Self {
        Self {
            pool,
            master,
            rsa_bits: config.rsa_bits,
            access_ttl: config.access_ttl,
            rotation: config.rotation,
        }
    }

    /// Publishes a next key; or lets it sign, if it has been published for long enough. With `skip_wait` another key
    /// signs in any case, and those who hold a key set without it may refuse its tokens until they fetch another.
    pub async fn rotate(
        &self,
        skip_wait: bool,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Rotation, KeysError> {
        let standing = store::find_standing(&mut *self.pool.acquire().await?).await?;
        let step = schedule::asked_for(&standing, skip_wait, now);
        self.take(step, &standing, now, entropy).await
    }

    /// Does what the schedule asks for at `now`, and removes the retired keys whose last token has expired.
    /// Replicas may call it at the same moment: each thing is done once.
    pub async fn rotate_if_due(&self, now: Timestamp, entropy: &dyn Entropy) -> Result<Upkeep, KeysError> {
        let removed = self.remove_expired(now, entropy).await?;
        let standing = store::find_standing(&mut *self.pool.acquire().await?).await?;
        let step = self
            .rotation
            .and_then(|every| schedule::due(&standing, every, now));
        let rotation = match step {
            None => None,
            Some(step) => match self.take(step, &standing, now, entropy).await {
                Ok(rotation) => Some(rotation),
                // Another replica, or an operator, has done it.
                Err(KeysError::ChangedElsewhere) => None,
                Err(error) => return Err(error),
            },
        };
        Ok(Upkeep { rotation, removed })
    }

    /// Takes a next or a retired key out of the key set at once. The active key goes only if it is `compromised`: a
    /// new one is made and signs in its place, in the same transaction. Whoever verifies must not use a key set
    /// any more that still has the removed one.
    pub async fn retire(
        &self,
        kid: &str,
        compromised: bool,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Removal, KeysError> {
        let was = store::find_state(&mut *self.pool.acquire().await?, kid)
            .await?
            .ok_or_else(|| KeysError::KidUnknown(kid.to_owned()))?;
        let replacement = match was {
            KeyState::Next | KeyState::Retired => None,
            KeyState::Active if !compromised => return Err(KeysError::StillActive(kid.to_owned())),
            KeyState::Active => Some(SealedKey::generate(self.rsa_bits, &self.master).await?),
            KeyState::Removed => return Err(KeysError::AlreadyRemoved(kid.to_owned())),
        };
        let mut transaction = self.pool.begin().await?;
        store::lock_set(&mut transaction).await?;
        if !store::remove(&mut transaction, kid, was, now).await? {
            return Err(KeysError::ChangedElsewhere);
        }
        let removed = event(EventKind::KeyRemoved, kid, now, entropy)
            .detail("was", was.as_str())
            .detail("compromised", compromised);
        audit::record(&mut transaction, removed).await?;
        if let Some(key) = &replacement {
            self.publish(&mut transaction, key, KeyState::Active, now, entropy)
                .await?;
        }
        store::forbid_older_versions(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Removal {
            was,
            replacement: replacement.map(|key| key.kid().to_owned()),
        })
    }

    /// Takes one step, if the keys are still as they were when it was decided upon.
    async fn take(
        &self,
        step: Step,
        expected: &Standing,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Rotation, KeysError> {
        let made = match &step {
            Step::Publish | Step::Replace => Some(SealedKey::generate(self.rsa_bits, &self.master).await?),
            Step::Activate(_) | Step::Wait(_) => None,
        };
        let mut transaction = self.pool.begin().await?;
        store::lock_set(&mut transaction).await?;
        if store::find_standing(&mut transaction).await? != *expected {
            return Err(KeysError::ChangedElsewhere);
        }
        let rotation = match (step, made) {
            (Step::Wait(next), _) => Rotation::Waiting {
                activates_at: schedule::activates_at(next.published_at),
                kid: next.kid,
            },
            (Step::Activate(next), _) => self.activate(&mut transaction, next, now, entropy).await?,
            (Step::Publish, Some(key)) => {
                self.publish(&mut transaction, &key, KeyState::Next, now, entropy)
                    .await?;
                Rotation::Published {
                    kid: key.kid().to_owned(),
                    activates_at: schedule::activates_at(now),
                }
            }
            (Step::Replace, Some(key)) => {
                let replaced = keys::retire_active(&mut transaction, self.access_ttl, now, entropy).await?;
                self.publish(&mut transaction, &key, KeyState::Active, now, entropy)
                    .await?;
                Rotation::Activated {
                    kid: key.kid().to_owned(),
                    replaced,
                }
            }
            (Step::Publish | Step::Replace, None) => return Err(KeysError::NotMade),
        };
        transaction.commit().await?;
        Ok(rotation)
    }

    async fn publish(
        &self,
        connection: &mut PgConnection,
        key: &SealedKey,
        state: KeyState,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(), KeysError> {
        keys::publish(connection, key, state, now).await?;
        audit::record(
            connection,
            event(EventKind::KeyGenerated, key.kid(), now, entropy),
        )
        .await?;
        if state == KeyState::Active {
            audit::record(
                connection,
                event(EventKind::KeyActivated, key.kid(), now, entropy),
            )
            .await?;
        }
        Ok(())
    }

    async fn activate(
        &self,
        connection: &mut PgConnection,
        next: NextKey,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Rotation, KeysError> {
        let replaced = keys::retire_active(connection, self.access_ttl, now, entropy).await?;
        if !store::activate_next(connection, &next.kid, now).await? {
            return Err(KeysError::ChangedElsewhere);
        }
        audit::record(
            connection,
            event(EventKind::KeyActivated, &next.kid, now, entropy),
        )
        .await?;
        Ok(Rotation::Activated {
            kid: next.kid,
            replaced,
        })
    }

    async fn remove_expired(&self, now: Timestamp, entropy: &dyn Entropy) -> Result<Vec<String>, KeysError> {
        let mut transaction = self.pool.begin().await?;
        let removed = store::remove_expired(&mut transaction, now).await?;
        for kid in &removed {
            let removed = event(EventKind::KeyRemoved, kid, now, entropy)
                .detail("was", KeyState::Retired.as_str())
                .detail("compromised", false);
            audit::record(&mut transaction, removed).await?;
        }
        transaction.commit().await?;
        Ok(removed)
    }
}

/// The oldest version of the key set that verifiers may still use: it grows when a key is taken out before its time.
pub async fn key_set_version(connection: &mut PgConnection) -> Result<u64, KeysError> {
    Ok(store::find_minimum_version(connection).await?)
}
