//! An operator changes what an account may do.

use crate::accounts::{self, EmailAddress, Role, StatusChange, User};
use crate::audit::{self, Event, EventKind};
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::ids::TenantId;
use crate::kernel::time::Timestamp;
use crate::lockout::{Kind, Lockout};
use crate::sessions::{self, RevocationReason};

use super::error::AccessError;

/// What became of an account whose status was to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedStatus {
    /// It was changed, and so many sessions have ended.
    Changed {
        /// How many.
        ended_sessions: usize,
    },
    /// It was active before, and wrong passwords had locked it: that has ended.
    LockLifted,
    /// It was so before.
    AlreadySo,
}

/// What became of an account whose role was to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedRole {
    /// It had this role until now; tokens that say so are stale.
    Was(Role),
    /// It had the wanted role before.
    AlreadySo,
}

/// Suspends, closes or opens the account with this address. Where it may not sign in any more, its sessions end; the end of a suspension is also
/// that of the locks that wrong passwords have brought about.
/// `event` begins an audit event of the given kind: it says who does it.
pub async fn change_status(
    pool: &Pool,
    lockout: &Lockout,
    tenant: TenantId,
    email: &EmailAddress,
    change: StatusChange,
    event: impl Fn(EventKind) -> Event,
    now: Timestamp,
) -> Result<ChangedStatus, AccessError> {
    let (kind, reason) = match change {
        StatusChange::Lock => (EventKind::AccountLocked, Some(RevocationReason::AccountLocked)),
        StatusChange::Disable => (
            EventKind::AccountDisabled,
            Some(RevocationReason::AccountDisabled),
        ),
        StatusChange::Unlock => (EventKind::AccountUnlocked, None),
        StatusChange::Enable => (EventKind::AccountEnabled, None),
    };
    let mut transaction = pool.begin().await?;
    let user = lock(&mut transaction, tenant, email).await?;
    let target = change.target();
    let is_so = user.status == target;
    if !is_so && !change.applies_to(user.status) {
        return Err(AccessError::NotApplicable(user.status));
    }
    let lifted = change == StatusChange::Unlock
        && lockout
            .lift(
                &mut transaction,
                &user,
                Kind::OF_ACCOUNT,
                event(EventKind::SignInUnlocked),
                now,
            )
            .await?;
    if is_so {
        transaction.commit().await?;
        return Ok(if lifted {
            ChangedStatus::LockLifted
        } else {
            ChangedStatus::AlreadySo
        });
    }
    accounts::set_status(&mut transaction, &user, target, now).await?;
    audit::record(&mut transaction, about(event(kind), &user)).await?;
    let ended_sessions = match reason {
        Some(reason) => {
            let event = event(EventKind::SessionsRevoked);
            sessions::revoke_all_but(&mut transaction, &user, None, reason, event, now).await?
        }
        None => 0,
    };
    transaction.commit().await?;
    Ok(ChangedStatus::Changed { ended_sessions })
}

/// Gives the account with this address another global role. Its sessions go on, with tokens that name the new role.
/// `event` begins an audit event of the given kind: it says who does it.
pub async fn change_role(
    pool: &Pool,
    tenant: TenantId,
    email: &EmailAddress,
    role: Role,
    event: impl Fn(EventKind) -> Event,
    now: Timestamp,
) -> Result<ChangedRole, AccessError> {
    let mut transaction = pool.begin().await?;
    let user = lock(&mut transaction, tenant, email).await?;
    if user.role == role {
        return Ok(ChangedRole::AlreadySo);
    }
    accounts::set_role(&mut transaction, &user, role, now).await?;
    let changed = about(event(EventKind::RoleChanged), &user)
        .detail("from", user.role.as_str())
        .detail("to", role.as_str());
    audit::record(&mut transaction, changed).await?;
    accounts::outdate_tokens(&mut transaction, &user, now).await?;
    transaction.commit().await?;
    Ok(ChangedRole::Was(user.role))
}

async fn lock(
    connection: &mut PgConnection,
    tenant: TenantId,
    email: &EmailAddress,
) -> Result<User, AccessError> {
    accounts::lock(connection, tenant, email)
        .await?
        .ok_or(AccessError::NoSuchAccount)
}

fn about(event: Event, user: &User) -> Event {
    event.tenant(user.tenant_id).subject(user.id)
}
