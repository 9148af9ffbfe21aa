//! The query on `devices` that reads all rows of one account.

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{DeviceId, Id as _, TenantId, UserId};

use super::StoredDevice;

/// All devices of an account that are not purged: as many as it may keep.
pub async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Vec<StoredDevice>, sqlx::Error> {
    sqlx::query_as!(
        StoredDevice,
        r#"SELECT id AS "id: DeviceId", kind, first_seen_at, last_seen_at
           FROM devices WHERE tenant_id = $1 AND user_id = $2 ORDER BY first_seen_at DESC, id DESC"#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_all(connection)
    .await
}
