//! All SQL on `tenants` and `users`.

use std::net::IpAddr;

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{Id as _, TenantId, UserId};
use crate::kernel::passwords::PasswordHash;
use crate::kernel::time::Timestamp;
use crate::mail::Recipient;

use super::email::EmailAddress;
use super::import::ImportedAccount;
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
                  created_at, last_login_at, mfa_enabled, tokens_not_before
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
            mfa_enabled: row.mfa_enabled,
            tokens_not_before: row.tokens_not_before,
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
    ip: Option<IpAddr>,
) -> Result<Option<User>, sqlx::Error> {
    sqlx::query_as!(
        User,
        r#"INSERT INTO users (id, tenant_id, email, password_hash, first_name, last_name, phone,
                              created_at, updated_at, last_login_at, last_login_ip)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, CASE WHEN $9::inet IS NOT NULL THEN $8::timestamptz END, $9)
           ON CONFLICT ON CONSTRAINT users_tenant_id_email_key DO NOTHING
           RETURNING id AS "id: UserId", tenant_id AS "tenant_id: TenantId", email, email_verified,
                     first_name, last_name, phone, phone_verified, role AS "role: Role",
                     status AS "status: UserStatus", kyc_status AS "kyc_status: KycStatus", kyc_level,
                     created_at, last_login_at, mfa_enabled, tokens_not_before"#,
        id.uuid(),
        tenant.uuid(),
        new.email.as_str(),
        hash.expose(),
        new.first_name.as_str(),
        new.last_name.as_str(),
        new.phone.as_ref().map(super::names::PhoneNumber::as_str),
        now,
        ip as Option<IpAddr>,
    )
    .fetch_optional(connection)
    .await
}

/// Notes a sign-in.
pub(super) async fn note_login(
    connection: &mut PgConnection,
    user: &User,
    now: Timestamp,
    ip: IpAddr,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE users SET last_login_at = $3, last_login_ip = $4 WHERE tenant_id = $1 AND id = $2",
        user.tenant_id.uuid(),
        user.id.uuid(),
        now,
        ip as IpAddr,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What the password of this account hashes to.
pub(super) async fn find_password(
    connection: &mut PgConnection,
    user: &User,
) -> Result<Option<PasswordHash>, sqlx::Error> {
    let hash = sqlx::query_scalar!(
        "SELECT password_hash FROM users WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL",
        user.tenant_id.uuid(),
        user.id.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(hash.flatten().map(PasswordHash::from_stored))
}

/// The account with this identifier.
pub(super) async fn find_user(
    connection: &mut PgConnection,
    tenant: TenantId,
    id: UserId,
) -> Result<Option<User>, sqlx::Error> {
    sqlx::query_as!(
        User,
        r#"SELECT id AS "id: UserId", tenant_id AS "tenant_id: TenantId", email, email_verified, first_name,
                  last_name, phone, phone_verified, role AS "role: Role", status AS "status: UserStatus",
                  kyc_status AS "kyc_status: KycStatus", kyc_level, created_at, last_login_at, mfa_enabled,
                  tokens_not_before
           FROM users WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL"#,
        tenant.uuid(),
        id.uuid(),
    )
    .fetch_optional(connection)
    .await
}

/// Notes that the address of an account is its holder's. Whether that is news.
pub(super) async fn confirm_email(
    connection: &mut PgConnection,
    user: &User,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE users SET email_verified = true, updated_at = $3 WHERE tenant_id = $1 AND id = $2 AND NOT email_verified",
        user.tenant_id.uuid(),
        user.id.uuid(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives an account another password, whatever it had.
pub(super) async fn set_password(
    connection: &mut PgConnection,
    user: &User,
    new: &PasswordHash,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE users SET password_hash = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
        user.tenant_id.uuid(),
        user.id.uuid(),
        new.expose(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The account with this address, its row locked until the transaction ends.
pub(super) async fn lock_user(
    connection: &mut PgConnection,
    tenant: TenantId,
    email: &EmailAddress,
) -> Result<Option<User>, sqlx::Error> {
    // Not FOR UPDATE: rows that point to this one may be inserted meanwhile.
    sqlx::query_as!(
        User,
        r#"SELECT id AS "id: UserId", tenant_id AS "tenant_id: TenantId", email, email_verified, first_name,
                  last_name, phone, phone_verified, role AS "role: Role", status AS "status: UserStatus",
                  kyc_status AS "kyc_status: KycStatus", kyc_level, created_at, last_login_at, mfa_enabled,
                  tokens_not_before
           FROM users WHERE tenant_id = $1 AND email = $2 AND deleted_at IS NULL
           FOR NO KEY UPDATE"#,
        tenant.uuid(),
        email.as_str(),
    )
    .fetch_optional(connection)
    .await
}

/// The same by its identifier.
pub(super) async fn lock_user_by_id(
    connection: &mut PgConnection,
    tenant: TenantId,
    id: UserId,
) -> Result<Option<User>, sqlx::Error> {
    sqlx::query_as!(
        User,
        r#"SELECT id AS "id: UserId", tenant_id AS "tenant_id: TenantId", email, email_verified, first_name,
                  last_name, phone, phone_verified, role AS "role: Role", status AS "status: UserStatus",
                  kyc_status AS "kyc_status: KycStatus", kyc_level, created_at, last_login_at, mfa_enabled,
                  tokens_not_before
           FROM users WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL
           FOR NO KEY UPDATE"#,
        tenant.uuid(),
        id.uuid(),
    )
    .fetch_optional(connection)
    .await
}

/// The same, provided that it is active and has this password.
pub(super) async fn lock_checked(
    connection: &mut PgConnection,
    user: &User,
    checked: &PasswordHash,
) -> Result<Option<User>, sqlx::Error> {
    sqlx::query_as!(
        User,
        r#"SELECT id AS "id: UserId", tenant_id AS "tenant_id: TenantId", email, email_verified, first_name,
                  last_name, phone, phone_verified, role AS "role: Role", status AS "status: UserStatus",
                  kyc_status AS "kyc_status: KycStatus", kyc_level, created_at, last_login_at, mfa_enabled,
                  tokens_not_before
           FROM users WHERE tenant_id = $1 AND id = $2 AND password_hash = $3 AND status = 'active'
                        AND deleted_at IS NULL
           FOR NO KEY UPDATE"#,
        user.tenant_id.uuid(),
        user.id.uuid(),
        checked.expose(),
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn set_mfa_enabled(
    connection: &mut PgConnection,
    user: &User,
    enabled: bool,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE users SET mfa_enabled = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
        user.tenant_id.uuid(),
        user.id.uuid(),
        enabled,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn set_status(
    connection: &mut PgConnection,
    user: &User,
    status: UserStatus,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE users SET status = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
        user.tenant_id.uuid(),
        user.id.uuid(),
        status.as_str(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn set_role(
    connection: &mut PgConnection,
    user: &User,
    role: Role,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE users SET role = $3, updated_at = $4 WHERE tenant_id = $1 AND id = $2",
        user.tenant_id.uuid(),
        user.id.uuid(),
        role.as_str(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes an imported account, unless there is one with its address. Whether it was made.
pub(super) async fn import_user(
    connection: &mut PgConnection,
    id: UserId,
    tenant: TenantId,
    account: &ImportedAccount,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO users (id, tenant_id, email, email_verified, password_hash, first_name, last_name, phone,
                            created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
         ON CONFLICT ON CONSTRAINT users_tenant_id_email_key DO NOTHING",
        id.uuid(),
        tenant.uuid(),
        account.email.as_str(),
        account.email_verified,
        account.password_hash.as_ref().map(PasswordHash::expose),
        account.first_name.as_str(),
        account.last_name.as_str(),
        account.phone.as_ref().map(super::names::PhoneNumber::as_str),
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Stores another hash of the same password, unless it is no longer `checked` that is stored.
pub(super) async fn renew_hash(
    connection: &mut PgConnection,
    user: &User,
    checked: &PasswordHash,
    renewed: &PasswordHash,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE users SET password_hash = $4 WHERE tenant_id = $1 AND id = $2 AND password_hash = $3",
        user.tenant_id.uuid(),
        user.id.uuid(),
        checked.expose(),
        renewed.expose(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Replaces the password, provided that the account is active and its password still `checked`. False if not.
pub(super) async fn replace_password(
    connection: &mut PgConnection,
    user: &User,
    checked: &PasswordHash,
    new: &PasswordHash,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE users SET password_hash = $4, updated_at = $5
         WHERE tenant_id = $1 AND id = $2 AND password_hash = $3 AND status = 'active' AND deleted_at IS NULL",
        user.tenant_id.uuid(),
        user.id.uuid(),
        checked.expose(),
        new.expose(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Moves the moment forward, never back: replicas whose clocks differ may come in either order. It becomes `not_before`, or,
/// where it is that or later already, a second more, up to `latest`. Returns it.
pub(super) async fn raise_tokens_not_before(
    connection: &mut PgConnection,
    user: &User,
    not_before: Timestamp,
    latest: Timestamp,
) -> Result<Timestamp, sqlx::Error> {
    sqlx::query_scalar!(
        r#"UPDATE users
           SET tokens_not_before = CASE
                   WHEN tokens_not_before >= $3
                   THEN GREATEST(tokens_not_before, LEAST(tokens_not_before + interval '1 second', $4))
                   ELSE $3 END
           WHERE tenant_id = $1 AND id = $2
           RETURNING tokens_not_before AS "tokens_not_before!""#,
        user.tenant_id.uuid(),
        user.id.uuid(),
        not_before,
        latest,
    )
    .fetch_one(connection)
    .await
}
