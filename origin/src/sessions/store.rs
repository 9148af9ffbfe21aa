//! All SQL on `sessions`. Joins read `users` and `tenants`, so that a request costs one query; nothing here
//! writes them.

use std::net::IpAddr;

use crate::accounts::{KycStatus, Role, User, UserStatus};
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{DeviceId, FamilyId, Id as _, SecretKeyId, SessionId, TenantId, UserId};
use crate::kernel::time::Timestamp;

use super::judge::ChainState;
use super::model::{
    Acr, Authentication, ChainOwner, ChainView, ListedSession, LiveSession, LockedChain, NewSession,
    RevocationReason, Session, Standing,
};

/// What the row of a new session holds beside what the sign-in said.
pub(super) struct NewChain {
    pub(super) session_id: SessionId,
    pub(super) family_id: FamilyId,
    pub(super) mac_key_id: SecretKeyId,
    pub(super) idle_expires_at: Timestamp,
    pub(super) absolute_expires_at: Timestamp,
}

pub(super) async fn insert(
    connection: &mut PgConnection,
    new: &NewSession,
    chain: &NewChain,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO sessions (id, tenant_id, user_id, family_id, mac_key_id, created_at, rotated_at,
                               last_active_at, idle_expires_at, absolute_expires_at, auth_time, amr, acr,
                               ip_address, user_agent, device_id, device_name)
         VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        chain.session_id.uuid(),
        new.tenant_id.uuid(),
        new.user_id.uuid(),
        chain.family_id.uuid(),
        chain.mac_key_id.uuid(),
        now,
        chain.idle_expires_at,
        chain.absolute_expires_at,
        new.authentication.time,
        &new.authentication.amr,
        new.authentication.acr.as_str(),
        new.ip_address as IpAddr,
        new.user_agent,
        new.device_id.map(DeviceId::uuid),
        new.device_name,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A session with its account and its tenant, as both queries below read them.
struct Row {
    id: SessionId,
    tenant_id: TenantId,
    user_id: UserId,
    mac_key_id: SecretKeyId,
    generation: i64,
    rotated_at: Timestamp,
    last_active_at: Timestamp,
    idle_expires_at: Timestamp,
    absolute_expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
    auth_time: Timestamp,
    amr: Vec<String>,
    acr: Acr,
    slug: String,
    email: String,
    email_verified: bool,
    first_name: String,
    last_name: String,
    phone: Option<String>,
    phone_verified: bool,
    role: Role,
    status: UserStatus,
    kyc_status: KycStatus,
    kyc_level: i32,
    created_at: Timestamp,
    last_login_at: Option<Timestamp>,
    mfa_enabled: bool,
    tokens_not_before: Option<Timestamp>,
}

impl Row {
    fn state(&self) -> ChainState {
        ChainState {
            // The constraint sessions_generation_check keeps it from being negative.
            generation: self.generation.unsigned_abs(),
            rotated_at: self.rotated_at,
            idle_expires_at: self.idle_expires_at,
            absolute_expires_at: self.absolute_expires_at,
            revoked: self.revoked_at.is_some(),
        }
    }

    fn into_live(self) -> LiveSession {
        LiveSession {
            session: Session {
                id: self.id,
                tenant_id: self.tenant_id,
                authentication: Authentication {
                    time: self.auth_time,
                    amr: self.amr,
                    acr: self.acr,
                },
                expires_at: self.idle_expires_at,
            },
            last_active_at: self.last_active_at,
            user: User {
                id: self.user_id,
                tenant_id: self.tenant_id,
                email: self.email,
                email_verified: self.email_verified,
                first_name: self.first_name,
                last_name: self.last_name,
                phone: self.phone,
                phone_verified: self.phone_verified,
                role: self.role,
                status: self.status,
                kyc_status: self.kyc_status,
                kyc_level: self.kyc_level,
                created_at: self.created_at,
                last_login_at: self.last_login_at,
                mfa_enabled: self.mfa_enabled,
                tokens_not_before: self.tokens_not_before,
            },
            tenant_slug: self.slug,
        }
    }
}

/// The session, its account and its tenant, if the one is live and the other active at `now`.
pub(super) async fn find_live(
    connection: &mut PgConnection,
    id: SessionId,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<LiveSession>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT s.id AS "id: SessionId", s.tenant_id AS "tenant_id: TenantId", s.user_id AS "user_id: UserId",
                  s.mac_key_id AS "mac_key_id: SecretKeyId", s.generation, s.rotated_at, s.last_active_at,
                  s.idle_expires_at, s.absolute_expires_at, s.revoked_at, s.auth_time, s.amr, s.acr AS "acr: Acr", t.slug,
                  u.email, u.email_verified, u.first_name, u.last_name, u.phone, u.phone_verified,
                  u.role AS "role: Role", u.status AS "status: UserStatus",
                  u.kyc_status AS "kyc_status: KycStatus", u.kyc_level, u.created_at, u.last_login_at,
                  u.mfa_enabled, u.tokens_not_before
           FROM sessions s
           JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
           JOIN tenants t ON t.id = s.tenant_id
           WHERE s.id = $1 AND s.tenant_id = $2 AND s.user_id = $3
             AND s.revoked_at IS NULL AND s.idle_expires_at > $4 AND s.absolute_expires_at > $4
             AND u.status = 'active' AND u.deleted_at IS NULL"#,
        id.uuid(),
        tenant.uuid(),
        user.uuid(),
        now,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Row::into_live))
}

/// What [`find_live`] would hold against this session at `now`, if anything.
pub(super) async fn find_standing(
    connection: &mut PgConnection,
    id: SessionId,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
) -> Result<Option<Standing>, sqlx::Error> {
    sqlx::query_as!(
        Standing,
        r#"SELECT (s.revoked_at IS NULL AND s.idle_expires_at > $4 AND s.absolute_expires_at > $4)
                      AS "session_is_live!",
                  s.revoked_reason, (u.status = 'active' AND u.deleted_at IS NULL) AS "account_is_active!"
           FROM sessions s
           JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
           WHERE s.id = $1 AND s.tenant_id = $2 AND s.user_id = $3"#,
        id.uuid(),
        tenant.uuid(),
        user.uuid(),
        now,
    )
    .fetch_optional(connection)
    .await
}

/// The chain of this name, locked until the transaction ends: refreshing and revoking a session take turns.
pub(super) async fn lock_chain(
    connection: &mut PgConnection,
    family: FamilyId,
) -> Result<Option<LockedChain>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT s.id AS "id: SessionId", s.tenant_id AS "tenant_id: TenantId", s.user_id AS "user_id: UserId",
                  s.mac_key_id AS "mac_key_id: SecretKeyId", s.generation, s.rotated_at, s.last_active_at,
                  s.idle_expires_at, s.absolute_expires_at, s.revoked_at, s.auth_time, s.amr, s.acr AS "acr: Acr", t.slug,
                  u.email, u.email_verified, u.first_name, u.last_name, u.phone, u.phone_verified,
                  u.role AS "role: Role", u.status AS "status: UserStatus",
                  u.kyc_status AS "kyc_status: KycStatus", u.kyc_level, u.created_at, u.last_login_at,
                  u.mfa_enabled, u.tokens_not_before
           FROM sessions s
           JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
           JOIN tenants t ON t.id = s.tenant_id
           WHERE s.family_id = $1 AND u.deleted_at IS NULL
           FOR UPDATE OF s"#,
        family.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| LockedChain {
        state: row.state(),
        mac_key_id: row.mac_key_id,
        live: row.into_live(),
    }))
}

/// The chain of this name as it is at the moment, without a lock.
pub(super) async fn find_chain(
    connection: &mut PgConnection,
    family: FamilyId,
) -> Result<Option<ChainView>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT s.id AS "id: SessionId", s.tenant_id AS "tenant_id: TenantId", s.user_id AS "user_id: UserId",
                  s.mac_key_id AS "mac_key_id: SecretKeyId", s.generation, s.rotated_at, s.idle_expires_at,
                  s.absolute_expires_at, s.revoked_at, t.slug, u.status AS "status: UserStatus"
           FROM sessions s
           JOIN users u ON u.tenant_id = s.tenant_id AND u.id = s.user_id
           JOIN tenants t ON t.id = s.tenant_id
           WHERE s.family_id = $1 AND u.deleted_at IS NULL"#,
        family.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| ChainView {
        owner: ChainOwner {
            session_id: row.id,
            tenant_id: row.tenant_id,
            user_id: row.user_id,
        },
        tenant_slug: row.slug,
        state: ChainState {
            generation: row.generation.unsigned_abs(),
            rotated_at: row.rotated_at,
            idle_expires_at: row.idle_expires_at,
            absolute_expires_at: row.absolute_expires_at,
            revoked: row.revoked_at.is_some(),
        },
        mac_key_id: row.mac_key_id,
        account_is_active: row.status == UserStatus::Active,
    }))
}

/// Moves a chain that the caller has locked to its next generation.
pub(super) async fn advance_chain(
    connection: &mut PgConnection,
    id: SessionId,
    now: Timestamp,
    idle_expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE sessions
         SET generation = generation + 1, rotated_at = $2, last_active_at = $2, idle_expires_at = $3
         WHERE id = $1",
        id.uuid(),
        now,
        idle_expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Up to `limit` live sessions of an account, the one that was used last first.
pub(super) async fn list_live(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<ListedSession>, sqlx::Error> {
    sqlx::query_as!(
        ListedSession,
        r#"SELECT id AS "id: SessionId", ip_address AS "ip_address: IpAddr", user_agent, device_name, created_at,
                  last_active_at, idle_expires_at AS expires_at
           FROM sessions
           WHERE tenant_id = $1 AND user_id = $2
             AND revoked_at IS NULL AND idle_expires_at > $3 AND absolute_expires_at > $3
           ORDER BY last_active_at DESC, id DESC
           LIMIT $4"#,
        tenant.uuid(),
        user.uuid(),
        now,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Notes activity at `now`, provided that the last was noted at `limit` or before and that nobody holds the row.
pub(super) async fn touch(
    connection: &mut PgConnection,
    id: SessionId,
    now: Timestamp,
    limit: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE sessions SET last_active_at = $2
         WHERE id = (SELECT id FROM sessions WHERE id = $1 AND last_active_at <= $3 AND revoked_at IS NULL
                     FOR NO KEY UPDATE SKIP LOCKED)",
        id.uuid(),
        now,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends a session, unless it has ended. False if there was nothing to end.
pub(super) async fn revoke(
    connection: &mut PgConnection,
    session: ChainOwner,
    reason: RevocationReason,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE sessions SET revoked_at = $5, revoked_reason = $4
         WHERE id = $1 AND tenant_id = $2 AND user_id = $3 AND revoked_at IS NULL
           AND idle_expires_at > $5 AND absolute_expires_at > $5",
        session.session_id.uuid(),
        session.tenant_id.uuid(),
        session.user_id.uuid(),
        reason.as_str(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// The device that a session was opened on, as long as that is known.
pub(super) async fn find_device(
    connection: &mut PgConnection,
    session: SessionId,
) -> Result<Option<DeviceId>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT device_id AS "id: DeviceId" FROM sessions WHERE id = $1"#,
        session.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(found.flatten())
}

/// All sessions of an account on one of its devices that are kept, live or not.
pub(super) async fn find_on_device(
    connection: &mut PgConnection,
    user: &User,
    device: DeviceId,
) -> Result<Vec<SessionId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: SessionId" FROM sessions WHERE tenant_id = $1 AND user_id = $2 AND device_id = $3"#,
        user.tenant_id.uuid(),
        user.id.uuid(),
        device.uuid(),
    )
    .fetch_all(connection)
    .await
}

/// Ends all live sessions of an account, or those among some, but for `kept`. Returns those that it has ended.
pub(super) async fn revoke_all_but(
    connection: &mut PgConnection,
    user: &User,
    kept: Option<SessionId>,
    among: Option<&[SessionId]>,
    reason: RevocationReason,
    now: Timestamp,
) -> Result<Vec<SessionId>, sqlx::Error> {
    let among = among.map(|ids| ids.iter().copied().map(SessionId::uuid).collect::<Vec<_>>());
    // Locked in one order, so that two who do this at once do not wait for each other.
    sqlx::query_scalar!(
        r#"WITH live AS (
               SELECT id FROM sessions
               WHERE tenant_id = $1 AND user_id = $2 AND id IS DISTINCT FROM $3
                 AND ($6::uuid[] IS NULL OR id = ANY ($6))
                 AND revoked_at IS NULL AND idle_expires_at > $5 AND absolute_expires_at > $5
               ORDER BY id FOR NO KEY UPDATE
           )
           UPDATE sessions SET revoked_at = $5, revoked_reason = $4
           FROM live WHERE sessions.id = live.id
           RETURNING sessions.id AS "id: SessionId""#,
        user.tenant_id.uuid(),
        user.id.uuid(),
        kept.map(SessionId::uuid),
        reason.as_str(),
        now,
        among.as_deref(),
    )
    .fetch_all(connection)
    .await
}

/// Removes up to `limit` sessions that have run out for good, skipping any that is being used just now.
/// Returns how many there were.
pub(super) async fn purge(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM sessions WHERE id IN (
             SELECT id FROM sessions WHERE absolute_expires_at <= $1
             ORDER BY absolute_expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
