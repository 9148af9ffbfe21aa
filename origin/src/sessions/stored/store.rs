//! The one query on `sessions` that reads sessions of any state.

use std::net::IpAddr;

use crate::kernel::db::PgConnection;
use crate::kernel::excerpt::Excerpt;
use crate::kernel::ids::{DeviceId, Id as _, SessionId, TenantId, UserId};

use super::StoredSession;

/// More than this are not read at once.
const MOST: u16 = 1000;

/// All sessions of an account that are not purged, the newest first: 1,000 at most.
pub async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Excerpt<StoredSession>, sqlx::Error> {
    let rows = sqlx::query_as!(
        StoredSession,
        r#"SELECT id AS "id: SessionId", created_at, rotated_at, last_active_at, idle_expires_at,
                  absolute_expires_at, revoked_at, revoked_reason, auth_time, amr, acr,
                  ip_address AS "ip_address: IpAddr", user_agent, device_id AS "device_id: DeviceId", device_name
           FROM sessions WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at DESC, id DESC LIMIT $3"#,
        tenant.uuid(),
        user.uuid(),
        Excerpt::<StoredSession>::rows_to_ask_for(MOST),
    )
    .fetch_all(connection)
    .await?;
    Ok(Excerpt::first(rows, MOST))
}
