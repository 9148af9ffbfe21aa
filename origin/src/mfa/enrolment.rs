//! Second factors as their holders set them up, renew and give them up.
//!
//! Each change ends the other sessions of the account and the sign-ins that wait, and its holder is told by mail.

use secrecy::SecretString;

use crate::accounts::{self, EmailAddress, User};
use crate::audit::{self, Event, EventKind};
use crate::http::RequestContext;
use crate::kernel::db::{PgConnection, Pool, Transaction};
use crate::kernel::ids::{SessionId, TenantId};
use crate::kernel::passwords::Password;
use crate::kernel::time::Timestamp;
use crate::lockout::Lockout;
use crate::mail::{Letter, Mailer};
use crate::reauthentication::CurrentPassword;
use crate::sessions::{self, RevocationReason};
use crate::tokens::CurrentUser;

use super::code::PresentedCode;
use super::error::MfaError;
use super::factor::{self, Checked, Factors, SetUp};

/// Begins to set an app up for the caller, who knows the password.
pub(super) async fn set_up(
    current: &CurrentPassword,
    factors: &Factors,
    context: &RequestContext,
    caller: &CurrentUser,
    password: Password,
) -> Result<SetUp, MfaError> {
    if caller.user.mfa_enabled {
        return Err(MfaError::AlreadyEnabled);
    }
    current.check(context, caller, password).await?;
    let mut transaction = current.app.pool().begin().await?;
    let user = lock(&mut transaction, caller).await?;
    if user.mfa_enabled {
        return Err(MfaError::AlreadyEnabled);
    }
    let issuer = accounts::find_recipient(&mut transaction, user.tenant_id, user.id)
        .await?
        .map(|recipient| recipient.tenant_name)
        .unwrap_or_default();
    let set_up = factors
        .set_up(&mut transaction, &user, &issuer, context.now, context.entropy())
        .await?;
    audit::record(&mut transaction, about(context, caller, EventKind::MfaSetUp)).await?;
    transaction.commit().await?;
    Ok(set_up)
}

/// Confirms the set-up by its first code: from then on signing in takes one.
pub(super) async fn confirm(
    current: &CurrentPassword,
    lockout: &Lockout,
    factors: &Factors,
    context: &RequestContext,
    caller: &CurrentUser,
    code: &PresentedCode,
) -> Result<(), MfaError> {
    let mut transaction = current.app.pool().begin().await?;
    let user = lock(&mut transaction, caller).await?;
    if user.mfa_enabled {
        return Err(MfaError::AlreadyEnabled);
    }
    let attempt = lockout.by_holder_with_code(&user);
    let locked = lockout.check(&mut transaction, &attempt, context.now).await?;
    let checked = match locked {
        Some(_) => Checked::Wrong,
        None => {
            factors
                .confirm(&mut transaction, &user, code, context.now)
                .await?
        }
    };
    let drift = match checked {
        Checked::Right => {
            lockout.pass(&mut transaction, &attempt, context.now).await?;
            sessions::strengthen(&mut transaction, &caller.session, context.now).await?;
            return change(
                current,
                transaction,
                context,
                caller,
                &user,
                EventKind::MfaEnabled,
            )
            .await;
        }
        Checked::Wrong => None,
        Checked::Drifted(drift) => Some(drift),
    };
    let event = about(context, caller, EventKind::CodeRefused);
    let locked = lockout
        .fail(&mut transaction, &current.mailer, context, &attempt, event)
        .await?;
    transaction.commit().await?;
    Err(locked.map_or(MfaError::InvalidCode(drift), MfaError::Locked))
}

/// Gives the caller other backup codes, in the place of those they have.
pub(super) async fn replace_backup_codes(
    current: &CurrentPassword,
    factors: &Factors,
    context: &RequestContext,
    caller: &CurrentUser,
) -> Result<Vec<SecretString>, MfaError> {
    let mut transaction = current.app.pool().begin().await?;
    let user = lock(&mut transaction, caller).await?;
    let codes = factors
        .replace_backup_codes(&mut transaction, &user, context.now, context.entropy())
        .await?;
    change(
        current,
        transaction,
        context,
        caller,
        &user,
        EventKind::BackupCodesReplaced,
    )
    .await?;
    Ok(codes)
}

/// Ends the caller's second factor, and what was left of its backup codes.
pub(super) async fn disable(
    current: &CurrentPassword,
    context: &RequestContext,
    caller: &CurrentUser,
    password: Password,
) -> Result<(), MfaError> {
    if !caller.user.mfa_enabled {
        return Err(MfaError::NotEnabled);
    }
    current.check(context, caller, password).await?;
    let mut transaction = current.app.pool().begin().await?;
    let user = lock(&mut transaction, caller).await?;
    if !factor::remove(&mut transaction, &user, context.now).await? {
        return Err(MfaError::NotEnabled);
    }
    change(
        current,
        transaction,
        context,
        caller,
        &user,
        EventKind::MfaDisabled,
    )
    .await
}

/// Ends the second factor of an account whose holder has lost it, and all of its sessions. False: there is none. `event` begins an audit event of
/// the given kind: it says who does it.
pub async fn remove_by_operator(
    pool: &Pool,
    mailer: &Mailer,
    tenant: TenantId,
    email: &EmailAddress,
    event: impl Fn(EventKind) -> Event,
    now: Timestamp,
) -> Result<bool, MfaError> {
    let mut transaction = pool.begin().await?;
    let user = accounts::lock(&mut transaction, tenant, email)
        .await?
        .ok_or(MfaError::NoSuchAccount)?;
    if !factor::remove(&mut transaction, &user, now).await? {
        return Ok(false);
    }
    let follow = Following {
        mailer,
        kept: None,
        kind: EventKind::MfaDisabled,
        changed: event(EventKind::MfaDisabled).tenant(tenant).subject(user.id),
        revoked: event(EventKind::SessionsRevoked),
        now,
    };
    follow.commit(transaction, &user).await?;
    Ok(true)
}

/// Commits a change that the caller has made of what signing in takes, and all that follows from it.
async fn change(
    current: &CurrentPassword,
    transaction: Transaction<'_>,
    context: &RequestContext,
    caller: &CurrentUser,
    user: &User,
    kind: EventKind,
) -> Result<(), MfaError> {
    let follow = Following {
        mailer: &current.mailer,
        kept: Some(caller.session.id),
        kind,
        changed: about(context, caller, kind),
        revoked: Event::of_request(context, EventKind::SessionsRevoked).actor(user.id),
        now: context.now,
    };
    follow.commit(transaction, user).await
}

/// What follows from a change of what signing in takes.
struct Following<'m> {
    mailer: &'m Mailer,
    /// The session that goes on.
    kept: Option<SessionId>,
    kind: EventKind,
    changed: Event,
    /// Begins the event about the sessions that end.
    revoked: Event,
    now: Timestamp,
}

impl Following<'_> {
    async fn commit(self, mut transaction: Transaction<'_>, user: &User) -> Result<(), MfaError> {
        super::end_all(&mut transaction, user).await?;
        let changed = self.changed.detail("change", self.kind.as_str());
        let letter = Letter::MfaChanged { event: changed.id() };
        audit::record(&mut transaction, changed).await?;
        self.mailer.enqueue(&mut transaction, letter).await?;
        sessions::revoke_all_but(
            &mut transaction,
            user,
            self.kept,
            RevocationReason::FactorsChanged,
            self.revoked,
            self.now,
        )
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// The caller's account, locked: changes of one account take turns.
async fn lock(connection: &mut PgConnection, caller: &CurrentUser) -> Result<User, MfaError> {
    let user = accounts::lock_by_id(connection, caller.user.tenant_id, caller.user.id).await?;
    user.ok_or(MfaError::NotEnabled)
}

fn about(context: &RequestContext, caller: &CurrentUser, kind: EventKind) -> Event {
    Event::of_request(context, kind)
        .tenant(caller.user.tenant_id)
        .actor(caller.user.id)
        .subject(caller.user.id)
        .session(caller.session.id)
}
