//! A person gives their account up.

use crate::accounts;
use crate::audit::{self, Event, EventKind};
use crate::http::RequestContext;
use crate::kernel::passwords::{Password, PasswordHash};
use crate::mail::Letter;
use crate::rbac;
use crate::reauthentication::CurrentPassword;
use crate::sessions::{self, RevocationReason};
use crate::tokens::{CurrentUser, FreshUser};

use super::error::AccessError;

/// Hides the caller's account and ends everything that was opened with it. It is gone, and its address free, some time later.
pub(super) async fn delete(
    current: &CurrentPassword,
    context: &RequestContext,
    FreshUser(caller): FreshUser,
    password: Password,
) -> Result<(), AccessError> {
    let checked = current.check(context, &caller, password.clone()).await?;
    if hide(current, context, &caller, &checked).await? {
        return Ok(());
    }
    // A sign-in at the same moment may have renewed the hash of the same password.
    let checked = current.check(context, &caller, password).await?;
    if hide(current, context, &caller, &checked).await? {
        return Ok(());
    }
    Err(current.refuse(context, &caller).await?.into())
}

/// False: it is not `checked` that is stored, or the account may not sign in any more.
async fn hide(
    current: &CurrentPassword,
    context: &RequestContext,
    caller: &CurrentUser,
    checked: &PasswordHash,
) -> Result<bool, AccessError> {
    let user = &caller.user;
    let mut transaction = current.app.pool().begin().await?;
    if !accounts::delete(&mut transaction, user, checked, context.now).await? {
        return Ok(false);
    }
    let event = |kind| Event::of_request(context, kind).actor(user.id);
    let mut deleted = event(EventKind::AccountDeleted)
        .tenant(user.tenant_id)
        .subject(user.id)
        .session(caller.session.id);
    // Nobody is kept from leaving; whoever runs the installation is told what has to be given to somebody else.
    let venues = rbac::left_without_owner(&mut transaction, user).await?;
    if !venues.is_empty() {
        let venues: Vec<_> = venues.iter().map(ToString::to_string).collect();
        deleted = deleted.detail("venuesWithoutOwner", venues);
    }
    let letter = Letter::AccountDeleted { event: deleted.id() };
    audit::record(&mut transaction, deleted).await?;
    current.mailer.enqueue(&mut transaction, letter).await?;
    sessions::revoke_all_but(
        &mut transaction,
        user,
        None,
        RevocationReason::AccountDeleted,
        event(EventKind::SessionsRevoked),
        context.now,
    )
    .await?;
    accounts::outdate_tokens(&mut transaction, user, context.now).await?;
    transaction.commit().await?;
    Ok(true)
}
