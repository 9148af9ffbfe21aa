//! The keys that refresh tokens are derived under: made once, sealed in Postgres, kept unsealed in memory. What seals
//! them may change; they themselves never do.

mod store;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;

use crate::audit::{self, Event, EventKind};
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::ids::{Id as _, SecretKeyId, SessionId, TenantId};
use crate::kernel::random::{self, Entropy};
use crate::kernel::secrets::{MasterKey, RewrappedBatch, Sealed, SecretBytes};
use crate::kernel::time::Timestamp;

use super::error::SessionsError;
use super::refresh_token::{Link, PresentedToken, RefreshKey};
use store::SealedKey;

/// Keeps the keys of refresh tokens. What it holds never changes in the database, so that replicas need not
/// tell each other anything.
pub(super) struct RefreshKeys {
    master: MasterKey,
    /// Takes the place of a key where there is no chain, so that refusing costs the same.
    decoy: RefreshKey,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    active: Option<SecretKeyId>,
    keys: HashMap<SecretKeyId, Arc<RefreshKey>>,
}

impl RefreshKeys {
    /// Knows no key yet; they are read when they are first needed.
    pub(super) fn new(master: MasterKey) -> Self {
        let decoy = RefreshKey::new(&SecretBytes::new(vec![0; 32]));
        Self {
            master,
            decoy,
            known: RwLock::default(),
        }
    }

    /// The key for new chains. The first call of an installation makes it.
    pub(super) async fn active(
        &self,
        connection: &mut PgConnection,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<(SecretKeyId, Arc<RefreshKey>), SessionsError> {
        if let Some(found) = self.known_active() {
            return Ok(found);
        }
        let Some(row) = store::find_active_key(connection).await? else {
            // Others may use it only once the caller has committed it: they find it then, or make the next one.
            let row = self.make_active(connection, now, entropy).await?;
            return Ok((row.id, self.unseal(&row)?));
        };
        let key = self.unseal(&row)?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).active = Some(row.id);
        Ok((row.id, key))
    }

    /// The key of an existing chain.
    pub(super) async fn by_id(
        &self,
        connection: &mut PgConnection,
        id: SecretKeyId,
    ) -> Result<Arc<RefreshKey>, SessionsError> {
        if let Some(key) = self
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .keys
            .get(&id)
        {
            return Ok(Arc::clone(key));
        }
        let row = store::find_key(connection, id)
            .await?
            .ok_or(SessionsError::KeyMissing)?;
        self.unseal(&row)
    }

    /// Does for a token without a chain the work that a forged one costs.
    pub(super) fn refuse_unknown(&self, presented: &PresentedToken) {
        let nobody = Link {
            tenant: TenantId::from_uuid(Uuid::nil()),
            session: SessionId::from_uuid(Uuid::nil()),
            family: presented.family(),
            generation: presented.generation(),
        };
        std::hint::black_box(self.decoy.recognises(presented, &nobody));
    }

    fn known_active(&self) -> Option<(SecretKeyId, Arc<RefreshKey>)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let id = known.active?;
        known.keys.get(&id).map(|key| (id, Arc::clone(key)))
    }

    /// Several replicas may come here at once; the unique index lets one key through, and all read that one.
    async fn make_active(
        &self,
        connection: &mut PgConnection,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<SealedKey, SessionsError> {
        let id = SecretKeyId::generate(now, entropy);
        let secret = SecretBytes::new(random::bytes::<32>(entropy).to_vec());
        let sealed = self.master.seal(secret.expose(), &associated_data(id))?;
        let row = SealedKey {
            id,
            sealed: sealed.bytes,
            master_key_id: sealed.key_id,
        };
        store::insert_active_key(connection, &row, now).await?;
        store::find_active_key(connection)
            .await?
            .ok_or(SessionsError::KeyMissing)
    }

    fn unseal(&self, row: &SealedKey) -> Result<Arc<RefreshKey>, SessionsError> {
        let sealed = Sealed {
            key_id: row.master_key_id.clone(),
            bytes: row.sealed.clone(),
        };
        let secret = self.master.open(&sealed, &associated_data(row.id))?;
        let key = Arc::new(RefreshKey::new(&secret));
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(known.keys.entry(row.id).or_insert(key)))
    }
}

/// Moves up to `limit` keys whose ids come after `after` (all, if it is empty) to the current master key, in one short
/// transaction. Rows that do not open are named and left as they are. It may be stopped anywhere and begun again,
/// also at the same moment elsewhere.
pub async fn rewrap(
    pool: &Pool,
    master: &MasterKey,
    after: &str,
    limit: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<RewrappedBatch, SessionsError> {
    let after = after.parse().unwrap_or(SecretKeyId::from_uuid(Uuid::nil()));
    let mut batch = RewrappedBatch::default();
    let mut transaction = pool.begin().await?;
    for row in store::find_keys_sealed_elsewhere(&mut transaction, master.id(), after, limit.into()).await? {
        let old = Sealed {
            key_id: row.master_key_id,
            bytes: row.sealed,
        };
        if let Some(new) = batch.reseal(master, &associated_data(row.id), &old)? {
            let moved = store::reseal_key(&mut transaction, row.id, &old, &new).await?;
            batch.rewrapped += u64::from(moved);
        }
        batch.last = Some(row.id.to_string());
    }
    if batch.rewrapped > 0 {
        let event = Event::of_operator(now, entropy, EventKind::SecretsRewrapped)
            .detail("table", "secret_keys")
            .detail("rows", batch.rewrapped)
            .detail("masterKeyId", master.id());
        audit::record(&mut transaction, event).await?;
    }
    transaction.commit().await?;
    Ok(batch)
}

/// How many keys are sealed under another master key than the current one.
pub async fn count_sealed_elsewhere(
    connection: &mut PgConnection,
    master: &MasterKey,
) -> Result<u64, SessionsError> {
    let count = store::count_keys_sealed_elsewhere(connection, master.id()).await?;
    Ok(count.unsigned_abs())
}

/// Binds a sealed key to its row, so that it does not open in another.
fn associated_data(id: SecretKeyId) -> String {
    format!("secret_keys/{id}")
}
