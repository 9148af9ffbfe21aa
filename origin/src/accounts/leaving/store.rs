//! The SQL of accounts that end.

use super::Purged;
use crate::accounts::User;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{Id as _, TenantId, UserId};
use crate::kernel::passwords::PasswordHash;
use crate::kernel::time::Timestamp;
use crate::mail::Recipient;

pub(super) async fn delete(
    connection: &mut PgConnection,
    user: &User,
    checked: &PasswordHash,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE users SET deleted_at = $4, deleted_by = id, updated_at = $4
         WHERE tenant_id = $1 AND id = $2 AND password_hash = $3 AND status = 'active' AND deleted_at IS NULL",
        user.tenant_id.uuid(),
        user.id.uuid(),
        checked.expose(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn find_last_recipient(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<Recipient>, sqlx::Error> {
    sqlx::query_as!(
        Recipient,
        "SELECT users.email AS address, users.first_name, tenants.name AS tenant_name
         FROM users JOIN tenants ON tenants.id = users.tenant_id
         WHERE users.tenant_id = $1 AND users.id = $2",
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn purge_one(
    connection: &mut PgConnection,
    before: Timestamp,
) -> Result<Option<Purged>, sqlx::Error> {
    // Sessions, devices, roles and tickets go by their foreign keys.
    sqlx::query_as!(
        Purged,
        r#"DELETE FROM users WHERE id = (
               SELECT id FROM users WHERE deleted_at <= $1 ORDER BY deleted_at LIMIT 1 FOR UPDATE SKIP LOCKED)
           RETURNING tenant_id AS "tenant: TenantId", id AS "user: UserId""#,
        before,
    )
    .fetch_optional(connection)
    .await
}
