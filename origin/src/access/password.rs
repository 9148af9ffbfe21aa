//! A person chooses another password.

use crate::accounts;
use crate::accounts::password::PasswordRules;
use crate::audit::{self, Event, EventKind};
use crate::devices;
use crate::http::{AppState, Problem, RequestContext};
use crate::kernel::passwords::{Password, PasswordHash};
use crate::mail::{Letter, Mailer};
use crate::rate_limit::{Limiter, Quota};
use crate::recovery;
use crate::sessions::{self, RevocationReason};
use crate::tokens::CurrentUser;

use super::error::AccessError;
use super::model::PasswordChange;

const FIFTEEN_MINUTES: u32 = 900;

/// Counts a try to name the current password against the limit of its account, whoever it turns out to be right for:
/// who holds a stolen token must not find the password out with it.
pub(super) async fn admit(
    limiter: &Limiter,
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
) -> Result<(), Problem> {
    let limit = app.config().limits.password_checks_per_15_minutes;
    let quota = Quota::within(limit, FIFTEEN_MINUTES);
    limiter
        .enforce(context, "password-check", &caller.user.id.to_string(), quota)
        .await
}

/// Replaces the caller's password. Their other sessions end, and their other devices are forgotten; the session that asks goes on with
/// its next refresh.
pub(super) async fn change(
    app: &AppState,
    rules: &PasswordRules,
    mailer: &Mailer,
    context: &RequestContext,
    caller: &CurrentUser,
    change: PasswordChange,
) -> Result<(), AccessError> {
    let checked = check_current(app, context, caller, change.current.clone()).await?;
    if change.new.expose() == change.current.expose() {
        return Err(AccessError::PasswordUnchanged);
    }
    rules
        .check(change.new.clone(), caller.user.guessable_words())
        .await??;
    let new = app.hasher().hash(change.new, context.random()).await?;

    let user = &caller.user;
    let mut transaction = app.pool().begin().await?;
    if !accounts::replace_password(&mut transaction, user, &checked, &new, context.now).await? {
        // It was replaced by somebody else meanwhile, or the account may not sign in any more.
        drop(transaction);
        return Err(refuse(app, context, caller).await?);
    }
    let event = |kind| Event::of_request(context, kind).actor(user.id);
    let changed = event(EventKind::PasswordChanged)
        .tenant(user.tenant_id)
        .subject(user.id)
        .session(caller.session.id);
    let letter = Letter::PasswordChanged { event: changed.id() };
    audit::record(&mut transaction, changed).await?;
    mailer.enqueue(&mut transaction, letter).await?;
    // Who changes a password because of a link that they did not ask for must not be left with that link.
    recovery::withdraw_reset(&mut transaction, user.tenant_id, user.id).await?;
    // Whoever knew the old password may have made a device of theirs known.
    let current = sessions::device_of(&mut transaction, &caller.session).await?;
    devices::forget_all_but(
        &mut transaction,
        user,
        current,
        event(EventKind::DevicesForgotten),
    )
    .await?;
    sessions::revoke_all_but(
        &mut transaction,
        user,
        Some(caller.session.id),
        RevocationReason::PasswordChanged,
        event(EventKind::SessionsRevoked),
        context.now,
    )
    .await?;
    accounts::outdate_tokens(&mut transaction, user, context.now).await?;
    transaction.commit().await?;
    Ok(())
}

/// What the current password hashes to, if the caller knows it.
pub(super) async fn check_current(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    password: Password,
) -> Result<PasswordHash, AccessError> {
    let stored = {
        let mut connection = app.pool().acquire().await?;
        accounts::find_password(&mut connection, &caller.user).await?
    };
    let matches = app.hasher().verify(password, stored.as_ref()).await?;
    match stored {
        Some(hash) if matches => Ok(hash),
        Some(_) | None => Err(refuse(app, context, caller).await?),
    }
}

/// Commits the trace of a refusal, and gives the refusal.
pub(super) async fn refuse(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
) -> Result<AccessError, AccessError> {
    let event = Event::of_request(context, EventKind::PasswordRefused)
        .tenant(caller.user.tenant_id)
        .actor(caller.user.id)
        .subject(caller.user.id)
        .session(caller.session.id);
    let mut transaction = app.pool().begin().await?;
    audit::record(&mut transaction, event).await?;
    transaction.commit().await?;
    Ok(AccessError::WrongPassword)
}
