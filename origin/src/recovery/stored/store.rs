//! The query on `tickets` that reads those of one account.

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{Id as _, TenantId, TicketId, UserId};

use super::StoredTicket;

/// All tickets of an account that are not purged: one at most for each purpose.
pub async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Vec<StoredTicket>, sqlx::Error> {
    sqlx::query_as!(
        StoredTicket,
        r#"SELECT id AS "id: TicketId", purpose, email, issued_at, expires_at
           FROM tickets WHERE tenant_id = $1 AND user_id = $2 ORDER BY issued_at DESC, id DESC"#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_all(connection)
    .await
}
