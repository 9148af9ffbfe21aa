//! Moves the secrets of factors to the current master key.

use uuid::Uuid;

use crate::audit::{self, Event, EventKind};
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::ids::{FactorId, Id as _};
use crate::kernel::random::Entropy;
use crate::kernel::secrets::{MasterKey, RewrappedBatch};
use crate::kernel::time::Timestamp;
use crate::mfa::MfaError;

use super::secrets::associated_data;
use super::store;

/// Moves up to `limit` factors whose identifiers come after `after` to the current master key, in one short transaction. Rows that do not open
/// are named and left as they are. It may be stopped anywhere and begun again, also at the same moment elsewhere.
pub async fn rewrap(
    pool: &Pool,
    master: &MasterKey,
    after: &str,
    limit: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<RewrappedBatch, MfaError> {
    let after = after.parse().unwrap_or(FactorId::from_uuid(Uuid::nil()));
    let mut batch = RewrappedBatch::default();
    let mut transaction = pool.begin().await?;
    for factor in store::find_sealed_elsewhere(&mut transaction, master.id(), after, limit.into()).await? {
        if let Some(new) = batch.reseal(master, &associated_data(factor.id), &factor.sealed)? {
            let moved = store::reseal(&mut transaction, factor.id, &factor.sealed, &new).await?;
            batch.rewrapped += u64::from(moved);
        }
        batch.last = Some(factor.id.to_string());
    }
    if batch.rewrapped > 0 {
        let event = Event::of_operator(now, entropy, EventKind::SecretsRewrapped)
            .detail("table", "totp_factors")
            .detail("rows", batch.rewrapped)
            .detail("masterKeyId", master.id());
        audit::record(&mut transaction, event).await?;
    }
    transaction.commit().await?;
    Ok(batch)
}

/// How many factors are sealed under another master key than the current one.
pub async fn count_sealed_elsewhere(
    connection: &mut PgConnection,
    master: &MasterKey,
) -> Result<u64, MfaError> {
    let count = store::count_sealed_elsewhere(connection, master.id()).await?;
    Ok(count.unsigned_abs())
}
