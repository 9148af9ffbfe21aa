//! All SQL on `tenants` and `users`.

use std::net::IpAddr;

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{Id as _, TenantId, UserId};
use crate::kernel::passwords::PasswordHash;
use crate::kernel::time::Timestamp;
use crate::mail::Recipient;

use super::email::EmailAddress;
use super::model::{Credentials, KycStatus, NewUser, Role, User, UserStatus};

/// The tenant that clients call `slug`.
pub(super) async fn find_tenant(
    connection: &mut PgConnection,
    slug: &str,
) -> Result<Option<TenantId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: TenantId" FROM tenants WHERE slug = $1"#,
        slug
    )
    .fetch_optional(connection)
    .await
}

/// The account with this address, and what its password hashes to.
pub(super) async fn find_credentials(
    connection: &mut PgConnection,
    tenant: TenantId,
    email: &EmailAddress,
) -> Result<Option<Credentials>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT id AS "id: UserId", tenant_id AS "tenant_id: TenantId", email, email_verified, password_hash,
                  first_name, last_name, phone, phone_verified, role AS "role: Role",
                  status AS "status: UserStatus", kyc_status AS "kyc_status: KycStatus", kyc_level,
                  created_at, last_login_at
           FROM users WHERE tenant_id = $1 AND email = $2 AND deleted_at IS NULL"#,
        tenant.uuid(),
        email.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Credentials {
        password_hash: row.password_hash.map(PasswordHash::from_stored),
        user: User {
            id: row.id,
            tenant_id: row.tenant_id,
            email: row.email,
            email_verified: row.email_verified,
            first_name: row.first_name,
            last_name: row.last_name,
            phone: row.phone,
            phone_verified: row.phone_verified,
            role: row.role,
            status: row.status,
            kyc_status: row.kyc_status,
            kyc_level: row.kyc_level,
            created_at: row.created_at,
            last_login_at: row.last_login_at,
        },
    }))
}

/// Whom a letter to this account goes to.
pub(super) async fn find_recipient(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<Recipient>, sqlx::Error> {
    sqlx::query_as!(
        Recipient,
        "SELECT users.email AS address, users.first_name, tenants.name AS tenant_name
         FROM users JOIN tenants ON tenants.id = users.tenant_id
         WHERE users.tenant_id = $1 AND users.id = $2 AND users.deleted_at IS NULL",
        tenant.uuid(),
        user.uuid(),
    )
    .fetch_optional(connection)
    .await
}

/// A new account, signed in to from `ip` at the moment of its registration.
pub(super) async fn insert_user(
    connection: &mut PgConnection,
    id: UserId,
    tenant: TenantId,
    new: &NewUser,
    hash: &PasswordHash,
    now: Timestamp,
    ip: IpAddr,
) -> Result<User, sqlx::Error> {
    sqlx::query_as!(
        User,
        r#"INSERT INTO users (id, tenant_id, email, password_hash, first_name, last_name, phone,
                              created_at, updated_at, last_login_at, last_login_ip)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $9)
           RETURNING id AS "id: UserId", tenant_id AS "tenant_id: TenantId", email, email_verified,
                     first_name, last_name, phone, phone_verified, role AS "role: Role",
                     status AS "status: UserStatus", kyc_status AS "kyc_status: KycStatus", kyc_level,
                     created_at, last_login_at"#,
        id.uuid(),
        tenant.uuid(),
        new.email.as_str(),
        hash.expose(),
        new.first_name.as_str(),
        new.last_name.as_str(),
        new.phone.as_ref().map(super::names::PhoneNumber::as_str),
        now,
        ip as IpAddr,
    )
    .fetch_one(connection)
    .await
}

/// Notes a sign-in, provided that the account is active and its password still the one that was checked:
/// either may have changed while the hash was computed. False if so.
pub(super) async fn record_login(
    connection: &mut PgConnection,
    user: &User,
    checked: &PasswordHash,
    now: Timestamp,
    ip: IpAddr,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE users SET last_login_at = $4, last_login_ip = $5
         WHERE tenant_id = $1 AND id = $2 AND password_hash = $3 AND status = 'active' AND deleted_at IS NULL",
        user.tenant_id.uuid(),
        user.id.uuid(),
        checked.expose(),
        now,
        ip as IpAddr,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
