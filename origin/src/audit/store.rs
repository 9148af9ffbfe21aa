//! All SQL on the audit log: it is appended to, and read. Sealing and linking are done by triggers of the tables.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::kernel::ids::{AuditEventId, Id, TenantId, UserId};
use crate::kernel::time::Timestamp;

use super::chain::Chain;
use super::entry::Entry;
use super::model::{Event, RecordedEvent};

/// Appends the event in the caller's transaction. It is linked into the chain of its tenant when that commits.
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
                  ip_address AS "ip_address: std::net::IpAddr", user_agent, detail, occurred_at
           FROM audit_events WHERE id = $1"#,
        id.uuid(),
    )
    .fetch_optional(connection)
    .await
}

/// Forgets from where the account's events were caused: addresses, user agents, salts. What is left of the account is its
/// identifier, which leads nowhere once the account is purged. Their chain goes on to hold. Returns how many events had
/// something to forget.
pub async fn pseudonymise(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<u64, sqlx::Error> {
    let changed = sqlx::query_scalar!(
        r#"SELECT audit_pseudonymise($1, $2) AS "changed!""#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_one(connection)
    .await?;
    Ok(changed.try_into().unwrap_or_default())
}

/// The chain of this tenant, or all chains.
pub(super) async fn find_chains(
    connection: &mut PgConnection,
    tenant: Option<TenantId>,
) -> Result<Vec<Chain>, sqlx::Error> {
    sqlx::query_as!(
        Chain,
        r#"SELECT id, tenant_id AS tenant, position, encode(hash, 'hex') AS "hash!", removed_position,
                  encode(removed_hash, 'hex') AS "removed_hash!"
           FROM audit_chains WHERE $1::uuid IS NULL OR tenant_id = $1 ORDER BY id"#,
        tenant.map(Id::uuid),
    )
    .fetch_all(connection)
    .await
}

/// A page of the chain: at most `limit` entries behind the position `after`, up to `last`, in order.
pub(super) async fn find_page(
    connection: &mut PgConnection,
    chain: Uuid,
    after: i64,
    last: i64,
    limit: i64,
) -> Result<Vec<Entry>, sqlx::Error> {
    sqlx::query_as!(
        Entry,
        r#"SELECT l.event_id AS "id!",
                  to_char(l.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS "at!",
                  e.type AS "kind?", e.actor_id AS "actor?", e.subject_id AS "subject?",
                  CASE WHEN e.id IS NULL THEN nullif(l.chain_id, '00000000-0000-0000-0000-000000000000')
                       ELSE e.tenant_id END AS "tenant_id?",
                  e.session_id AS "session?", host(e.ip_address) AS "ip?", e.user_agent AS "user_agent?",
                  e.request_id AS "request_id?", e.detail AS "detail?", e.salt AS "salt?",
                  encode(e.origin, 'hex') AS "origin?", l.position AS "position!",
                  encode(l.digest, 'hex') AS "digest!", encode(l.prev_hash, 'hex') AS "prev_hash!",
                  encode(l.hash, 'hex') AS "hash!"
           FROM audit_events e RIGHT JOIN audit_links l ON e.id = l.event_id AND e.occurred_at = l.occurred_at
           WHERE l.chain_id = $1 AND l.position > $2 AND l.position <= $3
           ORDER BY l.position, l.linked_at LIMIT $4"#,
        chain,
        after,
        last,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// The first and the last position that were linked from `since` until before `until`.
pub(super) async fn find_range(
    connection: &mut PgConnection,
    chain: Uuid,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Option<(i64, i64)>, sqlx::Error> {
    let range = sqlx::query!(
        "SELECT min(position) AS first, max(position) AS last FROM audit_links
         WHERE chain_id = $1 AND linked_at >= coalesce($2, '-infinity'::timestamptz)
           AND linked_at < coalesce($3, 'infinity'::timestamptz)",
        chain,
        since,
        until,
    )
    .fetch_one(connection)
    .await?;
    Ok(range.first.zip(range.last))
}

/// Before when retention has removed events of the chain, as of now; `None` if never.
pub(super) async fn find_removed_before(
    connection: &mut PgConnection,
    chain: Uuid,
) -> Result<Option<Timestamp>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT nullif(removed_before, '-infinity') FROM audit_chains WHERE id = $1",
        chain,
    )
    .fetch_one(connection)
    .await
}

/// A position of the chain that lies behind its head, as the head is now.
pub(super) async fn find_beyond_head(
    connection: &mut PgConnection,
    chain: Uuid,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT min(l.position) FROM audit_chains c JOIN audit_links l ON l.chain_id = c.id AND l.position > c.position
         WHERE c.id = $1",
        chain,
    )
    .fetch_one(connection)
    .await
}

/// An event, of this tenant or of any, that is in no chain. Reads the whole log.
pub(super) async fn find_unchained(
    connection: &mut PgConnection,
    tenant: Option<TenantId>,
) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT e.id FROM audit_events e
         WHERE ($1::uuid IS NULL OR e.tenant_id = $1)
           AND NOT EXISTS (SELECT FROM audit_links l WHERE l.event_id = e.id AND l.occurred_at = e.occurred_at)
         LIMIT 1",
        tenant.map(Id::uuid),
    )
    .fetch_optional(connection)
    .await
}

/// Makes the partitions of the month of `now` and of the twelve that follow. Returns how many were missing.
pub(super) async fn create_partitions(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<u64, sqlx::Error> {
    let made = sqlx::query_scalar!(r#"SELECT audit_create_partitions($1) AS "made!""#, now)
        .fetch_one(connection)
        .await?;
    Ok(made.try_into().unwrap_or_default())
}

/// Drops the events of months that ended no later than `before`. Returns how many there were.
pub(super) async fn remove_events(
    connection: &mut PgConnection,
    before: Timestamp,
) -> Result<u64, sqlx::Error> {
    let removed = sqlx::query_scalar!(r#"SELECT audit_remove_events($1) AS "removed!""#, before)
        .fetch_one(connection)
        .await?;
    Ok(removed.try_into().unwrap_or_default())
}

/// Drops the links of months that ended no later than `before`.
pub(super) async fn remove_links(
    connection: &mut PgConnection,
    before: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT audit_remove_links($1)::text AS done", before)
        .fetch_one(connection)
        .await?;
    Ok(())
}
