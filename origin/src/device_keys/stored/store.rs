//! The query on `device_keys` that reads those of one account.

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{DeviceId, DeviceKeyId, Id as _, TenantId, UserId};

use super::StoredDeviceKey;

/// All device keys of an account: twenty at most.
pub async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Vec<StoredDeviceKey>, sqlx::Error> {
    sqlx::query_as!(
        StoredDeviceKey,
        r#"SELECT id AS "id: DeviceKeyId", device_id AS "device_id: DeviceId", client_device, algorithm,
                  encode(public_key, 'hex') AS "public_key!", kind, created_at, last_used_at
           FROM device_keys WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at DESC, id DESC"#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_all(connection)
    .await
}
