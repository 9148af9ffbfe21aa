//! The query on `audit_events` that reads what concerns one account.

use std::net::IpAddr;

use sqlx::PgConnection;

use crate::kernel::excerpt::Excerpt;
use crate::kernel::ids::{AuditEventId, Id as _, SessionId, TenantId, UserId};

use super::StoredEvent;

/// More than this are not read at once: strangers can add to the log of an account by failing to sign in to it.
const MOST: u16 = 5000;

/// The events that concern an account, the newest first: 5,000 at most.
pub async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Excerpt<StoredEvent>, sqlx::Error> {
    let rows = sqlx::query_as!(
        StoredEvent,
        r#"SELECT id AS "id: AuditEventId", occurred_at AS at, type AS kind, actor_id AS "actor: UserId",
                  subject_id AS "subject: UserId", tenant_id AS "tenant_id: TenantId",
                  session_id AS "session_id: SessionId",
                  CASE WHEN actor_id IS NULL OR actor_id = subject_id THEN ip_address END AS "ip: IpAddr",
                  CASE WHEN actor_id IS NULL OR actor_id = subject_id THEN user_agent END AS user_agent,
                  request_id, detail
           FROM audit_events WHERE tenant_id = $1 AND subject_id = $2 ORDER BY seq DESC LIMIT $3"#,
        tenant.uuid(),
        user.uuid(),
        Excerpt::<StoredEvent>::rows_to_ask_for(MOST),
    )
    .fetch_all(connection)
    .await?;
    Ok(Excerpt::first(rows, MOST))
}
