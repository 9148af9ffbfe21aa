//! The queries on `venue_roles` that read grants of any state.

use crate::kernel::db::PgConnection;
use crate::kernel::excerpt::Excerpt;
use crate::kernel::ids::{GrantId, Id as _, TenantId, UserId, VenueId};

use super::StoredGrant;

/// More than this are not read at once.
const MOST: u16 = 1000;

/// The roles that an account holds at venues, the newest first: 1,000 at most.
pub async fn find_held(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Excerpt<StoredGrant>, sqlx::Error> {
    let rows = sqlx::query_as!(
        StoredGrant,
        r#"SELECT id AS "id: GrantId", user_id AS "user_id: UserId", venue_id AS "venue_id: VenueId", role,
                  granter, granted_by AS "granted_by: UserId", granted_at, expires_at
           FROM venue_roles WHERE tenant_id = $1 AND user_id = $2 ORDER BY granted_at DESC, id DESC LIMIT $3"#,
        tenant.uuid(),
        user.uuid(),
        Excerpt::<StoredGrant>::rows_to_ask_for(MOST),
    )
    .fetch_all(connection)
    .await?;
    Ok(Excerpt::first(rows, MOST))
}

/// The roles that an account has granted to others or itself, the newest first: 1,000 at most.
pub async fn find_given(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Excerpt<StoredGrant>, sqlx::Error> {
    let rows = sqlx::query_as!(
        StoredGrant,
        r#"SELECT id AS "id: GrantId", user_id AS "user_id: UserId", venue_id AS "venue_id: VenueId", role,
                  granter, granted_by AS "granted_by: UserId", granted_at, expires_at
           FROM venue_roles WHERE tenant_id = $1 AND granted_by = $2 ORDER BY granted_at DESC, id DESC LIMIT $3"#,
        tenant.uuid(),
        user.uuid(),
        Excerpt::<StoredGrant>::rows_to_ask_for(MOST),
    )
    .fetch_all(connection)
    .await?;
    Ok(Excerpt::first(rows, MOST))
}
