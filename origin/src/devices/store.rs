//! All SQL on `devices`. The purge reads `sessions`, and nothing here writes them.

use crate::accounts::User;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{DeviceId, Id as _, TenantId, UserId};
use crate::kernel::time::Timestamp;

use super::model::KnownDevice;
use super::presented::PresentedDevice;
use super::token::DeviceToken;
use super::{KEPT, REMEMBERED};

/// What an account would know a device by.
pub(super) struct Sought<'p> {
    tenant: TenantId,
    user: UserId,
    digest: [u8; 32],
    kind: Option<&'p str>,
    now: Timestamp,
}

impl<'p> Sought<'p> {
    pub(super) fn new(
        tenant: TenantId,
        user: UserId,
        token: &DeviceToken,
        presented: &'p PresentedDevice,
        now: Timestamp,
    ) -> Self {
        Self {
            tenant,
            user,
            digest: token.digest().to_bytes(),
            kind: presented.kind(),
            now,
        }
    }
}

pub(super) async fn find(
    connection: &mut PgConnection,
    sought: &Sought<'_>,
) -> Result<Option<KnownDevice>, sqlx::Error> {
    sqlx::query_as!(
        KnownDevice,
        r#"SELECT id AS "id: DeviceId", kind, first_seen_at, last_seen_at FROM devices
           WHERE tenant_id = $1 AND user_id = $2 AND token_digest = $3 AND kind IS NOT DISTINCT FROM $4
             AND last_seen_at > $5"#,
        sought.tenant.uuid(),
        sought.user.uuid(),
        sought.digest.as_slice(),
        sought.kind,
        sought.now - REMEMBERED,
    )
    .fetch_optional(connection)
    .await
}

/// Notes that a device was seen, and gives it as it was before. `None`: it is not known.
pub(super) async fn see(
    connection: &mut PgConnection,
    sought: &Sought<'_>,
) -> Result<Option<KnownDevice>, sqlx::Error> {
    sqlx::query_as!(
        KnownDevice,
        r#"WITH before AS (
               SELECT id, last_seen_at FROM devices
               WHERE tenant_id = $1 AND user_id = $2 AND token_digest = $3 AND kind IS NOT DISTINCT FROM $4
                 AND last_seen_at > $5
               FOR NO KEY UPDATE
           )
           UPDATE devices SET last_seen_at = greatest(devices.last_seen_at, $6)
           FROM before WHERE devices.id = before.id
           RETURNING devices.id AS "id: DeviceId", kind, first_seen_at, before.last_seen_at AS "last_seen_at!""#,
        sought.tenant.uuid(),
        sought.user.uuid(),
        sought.digest.as_slice(),
        sought.kind,
        sought.now - REMEMBERED,
        sought.now,
    )
    .fetch_optional(connection)
    .await
}

/// Lets all other accounts of the tenant that know the device know it by another token.
pub(super) async fn replace_token(
    connection: &mut PgConnection,
    sought: &Sought<'_>,
    new: &DeviceToken,
) -> Result<(), sqlx::Error> {
    let new = new.digest().to_bytes();
    sqlx::query!(
        "WITH others AS (
             SELECT id FROM devices
             WHERE tenant_id = $1 AND user_id <> $2 AND token_digest = $3 AND kind IS NOT DISTINCT FROM $4
             ORDER BY id FOR NO KEY UPDATE
         )
         UPDATE devices SET token_digest = $5 FROM others WHERE devices.id = others.id",
        sought.tenant.uuid(),
        sought.user.uuid(),
        sought.digest.as_slice(),
        sought.kind,
        new.as_slice(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn insert(
    connection: &mut PgConnection,
    id: DeviceId,
    new: &Sought<'_>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO devices (id, tenant_id, user_id, token_digest, kind, first_seen_at, last_seen_at)
         VALUES ($1, $2, $3, $4, $5, $6, $6)",
        id.uuid(),
        new.tenant.uuid(),
        new.user.uuid(),
        new.digest.as_slice(),
        new.kind,
        new.now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the devices of an account beside a new one, but for the `others` that were seen last. One that another sign-in is about to give
/// another token goes the next time.
pub(super) async fn make_room(
    connection: &mut PgConnection,
    user: &User,
    new: DeviceId,
    others: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM devices WHERE id IN (
             SELECT id FROM devices WHERE tenant_id = $1 AND user_id = $2 AND id <> $3
             ORDER BY last_seen_at DESC, id DESC OFFSET $4 FOR UPDATE SKIP LOCKED)",
        user.tenant_id.uuid(),
        user.id.uuid(),
        new.uuid(),
        others,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn list(
    connection: &mut PgConnection,
    user: &User,
    now: Timestamp,
) -> Result<Vec<KnownDevice>, sqlx::Error> {
    sqlx::query_as!(
        KnownDevice,
        r#"SELECT id AS "id: DeviceId", kind, first_seen_at, last_seen_at FROM devices
           WHERE tenant_id = $1 AND user_id = $2 AND last_seen_at > $3
           ORDER BY last_seen_at DESC, id DESC LIMIT $4"#,
        user.tenant_id.uuid(),
        user.id.uuid(),
        now - REMEMBERED,
        KEPT,
    )
    .fetch_all(connection)
    .await
}

pub(super) async fn forget(
    connection: &mut PgConnection,
    user: &User,
    id: DeviceId,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM devices WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
        user.tenant_id.uuid(),
        user.id.uuid(),
        id.uuid(),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn forget_all_but(
    connection: &mut PgConnection,
    user: &User,
    kept: Option<DeviceId>,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "WITH own AS (
             SELECT id FROM devices WHERE tenant_id = $1 AND user_id = $2 AND id IS DISTINCT FROM $3
             ORDER BY id FOR UPDATE
         )
         DELETE FROM devices USING own WHERE devices.id = own.id",
        user.tenant_id.uuid(),
        user.id.uuid(),
        kept.map(DeviceId::uuid),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Removes up to `limit` devices that were last seen at `before` or earlier. Those that a session is on wait for its end, so that
/// nothing here changes a session.
pub(super) async fn purge(
    connection: &mut PgConnection,
    before: Timestamp,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM devices WHERE id IN (
             SELECT id FROM devices WHERE last_seen_at <= $1
               AND NOT EXISTS (SELECT FROM sessions
                               WHERE sessions.tenant_id = devices.tenant_id AND sessions.user_id = devices.user_id
                                 AND sessions.device_id = devices.id)
             ORDER BY last_seen_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        before,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
