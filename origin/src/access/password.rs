//! A person chooses another password.

use crate::accounts;
use crate::accounts::password::PasswordRules;
use crate::audit::{self, Event, EventKind};
use crate::devices;
use crate::http::RequestContext;
use crate::kernel::passwords::PasswordHash;
use crate::mail::Letter;
use crate::mfa;
use crate::reauthentication::CurrentPassword;
use crate::recovery;
use crate::sessions::{self, RevocationReason};
use crate::tokens::CurrentUser;

use super::error::AccessError;
use super::model::PasswordChange;

/// Replaces the caller's password. Their other sessions end, and their other devices are forgotten; the session that asks goes on with
/// its next refresh.
pub(super) async fn change(
    current: &CurrentPassword,
    rules: &PasswordRules,
    context: &RequestContext,
    caller: &CurrentUser,
    change: PasswordChange,
) -> Result<(), AccessError> {
    let checked = current.check(context, caller, change.current.clone()).await?;
    if change.new.expose() == change.current.expose() {
        return Err(AccessError::PasswordUnchanged);
    }
    rules
        .check(change.new.clone(), caller.user.guessable_words())
        .await??;
    let new = current.app.hasher().hash(change.new, context.random()).await?;
    if replace(current, context, caller, &checked, &new).await? {
        return Ok(());
    }
    // A sign-in at the same moment may have renewed the hash of the same password.
    let checked = current.check(context, caller, change.current).await?;
    if replace(current, context, caller, &checked, &new).await? {
        return Ok(());
    }
    Err(current.refuse(context, caller).await?.into())
}

/// Replaces the password and ends what the old one opened. False: it is not `checked` that is stored, or the account may not sign in
/// any more.
async fn replace(
    current: &CurrentPassword,
    context: &RequestContext,
    caller: &CurrentUser,
    checked: &PasswordHash,
    new: &PasswordHash,
) -> Result<bool, AccessError> {
    let user = &caller.user;
    let mut transaction = current.app.pool().begin().await?;
    if !accounts::replace_password(&mut transaction, user, checked, new, context.now).await? {
        return Ok(false);
    }
    let event = |kind| Event::of_request(context, kind).actor(user.id);
    let changed = event(EventKind::PasswordChanged)
        .tenant(user.tenant_id)
        .subject(user.id)
        .session(caller.session.id);
    let letter = Letter::PasswordChanged { event: changed.id() };
    audit::record(&mut transaction, changed).await?;
    current.mailer.enqueue(&mut transaction, letter).await?;
    mfa::end_all(&mut transaction, user).await?;
    // Who changes a password because of a link that they did not ask for must not be left with that link.
    recovery::withdraw_reset(&mut transaction, user.tenant_id, user.id).await?;
    // Whoever knew the old password may have made a device of theirs known.
    let own_device = sessions::device_of(&mut transaction, &caller.session).await?;
    devices::forget_all_but(
        &mut transaction,
        user,
        own_device,
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
    Ok(true)
}
