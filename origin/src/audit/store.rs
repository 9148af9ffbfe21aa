//! The one statement of the audit log.

use sqlx::PgConnection;

use crate::kernel::ids::Id;

use super::model::Event;

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
