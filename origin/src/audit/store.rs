//! All SQL on `audit_events`: it is appended to, and read.

use sqlx::PgConnection;

use crate::kernel::ids::{AuditEventId, Id, TenantId, UserId};

use super::model::{Event, RecordedEvent};

/// Appends the event in the caller's transaction.
pub async fn record(connection: &mut PgConnection, event: Event) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO audit_events
             (id, tenant_id, type, actor_id, subject_id, session_id, ip_address, user_agent, request_id, detail,
              occurred_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        event.id.uuid(),
        event.tenant.map(Id::uuid),
        event.kind.as_str(),
        event.actor.map(Id::uuid),
        event.subject.map(Id::uuid),
        event.session.map(Id::uuid),
        event.ip_address as Option<std::net::IpAddr>,
        event.user_agent,
        event.request_id,
        serde_json::Value::Object(event.detail),
        event.occurred_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The event with this identifier.
pub async fn find(
    connection: &mut PgConnection,
    id: AuditEventId,
) -> Result<Option<RecordedEvent>, sqlx::Error> {
    sqlx::query_as!(
        RecordedEvent,
        r#"SELECT tenant_id AS "tenant: TenantId", subject_id AS "subject: UserId",
                  ip_address AS "ip_address: std::net::IpAddr", user_agent, occurred_at
           FROM audit_events WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(connection)
    .await
}
