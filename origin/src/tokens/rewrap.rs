//! Moves the private keys to the current master key.

use crate::audit::{self, Event, EventKind};
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::random::Entropy;
use crate::kernel::secrets::{MasterKey, RewrappedBatch};
use crate::kernel::time::Timestamp;

use super::error::KeysError;
use super::keyring::associated_data;
use super::store;

/// Moves up to `limit` private keys whose names come after `after` to the current master key, in one short
/// transaction. Rows that do not open are named and left as they are. It may be stopped anywhere and begun again,
/// also at the same moment elsewhere.
pub async fn rewrap(
    pool: &Pool,
    master: &MasterKey,
    after: &str,
    limit: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<RewrappedBatch, KeysError> {
    let mut batch = RewrappedBatch::default();
    let mut transaction = pool.begin().await?;
    let rows = store::find_sealed_elsewhere(&mut transaction, master.id(), after, limit.into()).await?;
    for row in rows {
        let name = associated_data(&row.kid);
        if let Some(resealed) = batch.reseal(master, &name, &row.sealed)? {
            let moved = store::reseal(&mut transaction, &row.kid, &row.sealed, &resealed).await?;
            batch.rewrapped += u64::from(moved);
        }
        batch.last = Some(row.kid);
    }
    if batch.rewrapped > 0 {
        let event = Event::of_operator(now, entropy, EventKind::SecretsRewrapped)
            .detail("table", "signing_keys")
            .detail("rows", batch.rewrapped)
            .detail("masterKeyId", master.id());
        audit::record(&mut transaction, event).await?;
    }
    transaction.commit().await?;
    Ok(batch)
}

/// How many private keys are sealed under another master key than the current one.
pub async fn count_sealed_elsewhere(
    connection: &mut PgConnection,
    master: &MasterKey,
) -> Result<u64, KeysError> {
    let count = store::count_sealed_elsewhere(connection, master.id()).await?;
    Ok(count.unsigned_abs())
}
