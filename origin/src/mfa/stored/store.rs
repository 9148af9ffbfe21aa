//! The query on `sign_in_challenges` that reads those of one account.

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{ChallengeId, Id as _, TenantId, UserId};

use super::StoredChallenge;

/// All challenges of an account that are not purged.
pub async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Vec<StoredChallenge>, sqlx::Error> {
    sqlx::query_as!(
        StoredChallenge,
        r#"SELECT id AS "id: ChallengeId", methods, failures, issued_at, expires_at
           FROM sign_in_challenges WHERE tenant_id = $1 AND user_id = $2 ORDER BY issued_at DESC, id DESC"#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_all(connection)
    .await
}
