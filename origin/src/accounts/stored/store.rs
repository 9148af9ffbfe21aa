//! The one query on `users` that reads all of a row.

use std::net::IpAddr;

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{Id as _, TenantId, UserId};

use super::{KycStatus, StoredAccount};

/// All that is stored of an account; `None` if it was deleted. The hash of the password stays where it is.
pub async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<StoredAccount>, sqlx::Error> {
    sqlx::query_as!(
        StoredAccount,
        r#"SELECT id AS "id: UserId", tenant_id AS "tenant_id: TenantId", email, email_verified,
                  password_hash IS NOT NULL AS "has_password!", first_name, last_name, phone, phone_verified, mfa_enabled,
                  role, status, kyc_status AS "kyc_status: KycStatus", kyc_level, preferences, version,
                  created_at, updated_at, last_login_at, last_login_ip AS "last_login_ip: IpAddr",
                  tokens_not_before
           FROM users WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL"#,
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_optional(connection)
    .await
}
