//! A person gives their account up.

use crate::accounts;
use crate::audit::{self, Event, EventKind};
use crate::http::{AppState, RequestContext};
use crate::kernel::passwords::Password;
use crate::mail::{Letter, Mailer};
use crate::rbac;
use crate::sessions::{self, RevocationReason};
use crate::tokens::FreshUser;

use super::error::AccessError;
use super::password::{check_current, refuse};

/// Hides the caller's account and ends everything that was opened with it. It is gone, and its address free, some time later.
pub(super) async fn delete(
    app: &AppState,
    mailer: &Mailer,
    context: &RequestContext,
    FreshUser(caller): FreshUser,
    password: Password,
) -> Result<(), AccessError> {
    let checked = check_current(app, context, &caller, password).await?;
    let user = &caller.user;
    let mut transaction = app.pool().begin().await?;
    if !accounts::delete(&mut transaction, user, &checked, context.now).await? {
        // The password was replaced meanwhile, or the account may not sign in any more.
        drop(transaction);
        return Err(refuse(app, context, &caller).await?);
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
    mailer.enqueue(&mut transaction, letter).await?;
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
    Ok(())
}
