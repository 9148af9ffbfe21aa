//! The queries that read the challenges and factors of one account.

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{ChallengeId, FactorId, Id as _, TenantId, UserId};

use super::{StoredBackupCode, StoredChallenge, StoredFactor};

/// All challenges of an account that are not purged.
pub async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Vec<StoredChallenge>, sqlx::Error> {
    sqlx::query_as!(
        StoredChallenge,
        r#"SELECT id AS "id: ChallengeId", methods, amr, failures, issued_at, expires_at
           FROM sign_in_challenges WHERE tenant_id = $1 AND user_id = $2 ORDER BY issued_at DESC, id DESC"#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_all(connection)
    .await
}

/// The authenticator app of an account, if there is one, confirmed or not.
pub async fn find_factors(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Vec<StoredFactor>, sqlx::Error> {
    sqlx::query_as!(
        StoredFactor,
        r#"SELECT id AS "id: FactorId", created_at, pending_until, enabled_at, last_step
           FROM totp_factors WHERE tenant_id = $1 AND user_id = $2"#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_all(connection)
    .await
}

/// The backup codes of an account that are left: ten at most.
pub async fn find_backup_codes(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Vec<StoredBackupCode>, sqlx::Error> {
    sqlx::query_as!(
        StoredBackupCode,
        r#"SELECT factor_id AS "factor_id: FactorId", created_at
           FROM backup_codes WHERE tenant_id = $1 AND user_id = $2"#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_all(connection)
    .await
}
