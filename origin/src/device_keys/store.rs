//! All SQL on `device_keys` and `spent_challenges`.

use crate::accounts::User;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{DeviceId, DeviceKeyId, Id as _, TenantId, UserId};
use crate::kernel::time::Timestamp;

use super::challenge::Genuine;
use super::key::{Algorithm, PublicKey};
use super::model::{DeviceKeyView, Kind, NewDeviceKey};

/// A key as its row has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceKey {
    /// Its identifier.
    pub id: DeviceKeyId,
    /// The tenant of its account.
    pub tenant: TenantId,
    /// Whose it is.
    pub user: UserId,
    /// What the application calls the device.
    pub client_device: String,
    /// What its signatures are checked by.
    pub key: PublicKey,
}

pub(super) async fn insert(
    connection: &mut PgConnection,
    user: &User,
    id: DeviceKeyId,
    device: Option<DeviceId>,
    new: &NewDeviceKey,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO device_keys (id, tenant_id, user_id, device_id, client_device, algorithm, public_key, kind,
                                  created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id.uuid(),
        user.tenant_id.uuid(),
        user.id.uuid(),
        device.map(DeviceId::uuid),
        new.client_device,
        new.key.algorithm as Algorithm,
        new.key.bytes,
        new.kind as Kind,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The key with this identifier.
pub async fn find(connection: &mut PgConnection, id: DeviceKeyId) -> Result<Option<DeviceKey>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT id AS "id: DeviceKeyId", tenant_id AS "tenant: TenantId", user_id AS "user: UserId", client_device,
                  algorithm AS "algorithm: Algorithm", public_key
           FROM device_keys WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| DeviceKey {
        id: row.id,
        tenant: row.tenant,
        user: row.user,
        client_device: row.client_device,
        key: PublicKey {
            algorithm: row.algorithm,
            bytes: row.public_key,
        },
    }))
}

/// Notes that a key of an account that the caller has locked was used. False: it is not there any more.
pub async fn use_key(
    connection: &mut PgConnection,
    key: &DeviceKey,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE device_keys SET last_used_at = $2 WHERE id = $1",
        key.id.uuid(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn list(
    connection: &mut PgConnection,
    user: &User,
) -> Result<Vec<DeviceKeyView>, sqlx::Error> {
    sqlx::query_as!(
        DeviceKeyView,
        r#"SELECT id AS "credential_id: DeviceKeyId", client_device AS device_id, kind AS "kind: Kind", created_at,
                  last_used_at
           FROM device_keys WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at DESC, id DESC"#,
        user.tenant_id.uuid(),
        user.id.uuid(),
    )
    .fetch_all(connection)
    .await
}

/// Removes a key of an account that the caller has locked. False: the account has no such key.
pub(super) async fn remove(
    connection: &mut PgConnection,
    user: &User,
    id: DeviceKeyId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM device_keys WHERE id = $1 AND tenant_id = $2 AND user_id = $3",
        id.uuid(),
        user.tenant_id.uuid(),
        user.id.uuid(),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Uses a challenge up. Of all who try, one is told true.
pub async fn spend(connection: &mut PgConnection, challenge: Genuine) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO spent_challenges (digest, expires_at) VALUES ($1, $2)
         ON CONFLICT ON CONSTRAINT spent_challenges_pkey DO NOTHING",
        challenge.digest.as_slice(),
        challenge.expires_at,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes the challenges that would have expired anyway. How many.
pub async fn purge_spent(connection: &mut PgConnection, now: Timestamp) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("DELETE FROM spent_challenges WHERE expires_at <= $1", now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
