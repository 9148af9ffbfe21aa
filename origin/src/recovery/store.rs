//! All SQL on `tickets` and `reset_requests`.

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{Id as _, ResetRequestId, TenantId, TicketId, UserId};
use crate::kernel::secret_digest::SecretDigest;
use crate::kernel::time::{TimeDelta, Timestamp};

use super::ticket::{Purpose, Ticket};

/// How long a wish for a new password is kept that no job has looked at.
const UNANSWERED: TimeDelta = TimeDelta::days(1);

/// Adds a ticket, or puts it in the place of an older one.
pub(super) async fn put(
    connection: &mut PgConnection,
    ticket: &Ticket,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO tickets (id, tenant_id, user_id, purpose, email, digest, issued_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT ON CONSTRAINT tickets_tenant_id_user_id_purpose_key
         DO UPDATE SET id = excluded.id, email = excluded.email, digest = excluded.digest,
                       issued_at = excluded.issued_at, expires_at = excluded.expires_at",
        ticket.id.uuid(),
        ticket.tenant.uuid(),
        ticket.user.uuid(),
        ticket.purpose as Purpose,
        ticket.email,
        ticket.digest,
        now,
        ticket.expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The ticket with this identifier, unless it has expired.
pub(super) async fn find(
    connection: &mut PgConnection,
    id: TicketId,
    now: Timestamp,
) -> Result<Option<Ticket>, sqlx::Error> {
    sqlx::query_as!(
        Ticket,
        r#"SELECT id AS "id: TicketId", tenant_id AS "tenant: TenantId", user_id AS "user: UserId",
                  purpose AS "purpose: Purpose", email, digest, expires_at
           FROM tickets WHERE id = $1 AND expires_at > $2"#,
        id.uuid(),
        now,
    )
    .fetch_optional(connection)
    .await
}

/// Makes another secret that of a ticket.
pub(super) async fn set_digest(
    connection: &mut PgConnection,
    id: TicketId,
    digest: &[u8],
) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE tickets SET digest = $2 WHERE id = $1", id.uuid(), digest)
        .execute(connection)
        .await?;
    Ok(())
}

/// The ticket that this is the secret of, unless it has expired. It stays good.
pub(super) async fn find_by_secret(
    connection: &mut PgConnection,
    digest: &SecretDigest,
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<Ticket>, sqlx::Error> {
    let digest = digest.to_bytes();
    sqlx::query_as!(
        Ticket,
        r#"SELECT id AS "id: TicketId", tenant_id AS "tenant: TenantId", user_id AS "user: UserId",
                  purpose AS "purpose: Purpose", email, digest, expires_at
           FROM tickets WHERE digest = $1 AND purpose = $2 AND expires_at > $3"#,
        digest.as_slice(),
        purpose as Purpose,
        now,
    )
    .fetch_optional(connection)
    .await
}

/// Uses a ticket up. Of all who try, one is told true.
pub(super) async fn consume(
    connection: &mut PgConnection,
    ticket: &Ticket,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM tickets WHERE id = $1 AND digest = $2 AND expires_at > $3",
        ticket.id.uuid(),
        ticket.digest,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the link by which an account that the caller has locked could have another password, if there is one.
pub async fn withdraw_reset(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM tickets WHERE tenant_id = $1 AND user_id = $2 AND purpose = $3",
        tenant.uuid(),
        user.uuid(),
        Purpose::ResetPassword as Purpose,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Notes a wish for a new password.
pub(super) async fn add_request(
    connection: &mut PgConnection,
    id: ResetRequestId,
    tenant: TenantId,
    email: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO reset_requests (id, tenant_id, email, requested_at) VALUES ($1, $2, $3, $4)",
        id.uuid(),
        tenant.uuid(),
        email,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A wish for a new password, taken out. `None`: another attempt of the job has taken it.
pub(super) async fn take_request(
    connection: &mut PgConnection,
    id: ResetRequestId,
) -> Result<Option<(TenantId, String)>, sqlx::Error> {
    let taken = sqlx::query!(
        r#"DELETE FROM reset_requests WHERE id = $1 RETURNING tenant_id AS "tenant: TenantId", email"#,
        id.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(taken.map(|row| (row.tenant, row.email)))
}

/// Removes tickets that have expired, and wishes that nobody has looked at for a day. How many.
pub async fn purge_expired(connection: &mut PgConnection, now: Timestamp) -> Result<u64, sqlx::Error> {
    let tickets = sqlx::query!("DELETE FROM tickets WHERE expires_at <= $1", now)
        .execute(&mut *connection)
        .await?;
    let requests = sqlx::query!(
        "DELETE FROM reset_requests WHERE requested_at <= $1",
        now - UNANSWERED
    )
    .execute(connection)
    .await?;
    Ok(tickets.rows_affected().saturating_add(requests.rows_affected()))
}
