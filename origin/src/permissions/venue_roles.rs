//! Somebody looks at who holds which role at a venue, and changes it.

use crate::audit::Event;
use crate::http::{AppState, RequestContext};
use crate::kernel::ids::{UserId, VenueId};
use crate::rbac::{self, Grant, Granted, Granter, NewGrant, Place, RbacError, VenueRole};
use crate::tokens::CurrentUser;

use super::model::WantedGrant;

/// The venue of this name in the caller's tenant.
fn place(caller: &CurrentUser, venue: VenueId) -> Place {
    Place {
        tenant: caller.user.tenant_id,
        venue,
    }
}

/// Who holds what there.
pub(super) async fn list(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    venue: VenueId,
) -> Result<Vec<Grant>, RbacError> {
    let mut connection = app.pool().acquire().await?;
    let reader = Granter::Account(caller.user.id);
    rbac::list(&mut connection, place(caller, venue), reader, context.now).await
}

/// Grants a role there, or moves its end.
pub(super) async fn grant(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    venue: VenueId,
    wanted: WantedGrant,
) -> Result<Granted, RbacError> {
    let new = NewGrant {
        place: place(caller, venue),
        user: wanted.user,
        role: wanted.role,
        expiry: wanted.expiry,
    };
    let (granter, actor) = (Granter::Account(caller.user.id), caller.user.id);
    let event = |kind| Event::of_request(context, kind).actor(actor);
    let mut transaction = app.pool().begin().await?;
    let outcome = rbac::grant(
        &mut transaction,
        context.new_id(),
        new,
        granter,
        event,
        context.now,
    )
    .await?;
    transaction.commit().await?;
    Ok(outcome)
}

/// Takes one role there, or all of them, away from somebody.
pub(super) async fn revoke(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    venue: VenueId,
    user: UserId,
    role: Option<VenueRole>,
) -> Result<(), RbacError> {
    let place = place(caller, venue);
    let (revoker, actor) = (Granter::Account(caller.user.id), caller.user.id);
    let event = |kind| Event::of_request(context, kind).actor(actor);
    let mut transaction = app.pool().begin().await?;
    rbac::revoke(&mut transaction, place, user, role, revoker, event, context.now).await?;
    transaction.commit().await?;
    Ok(())
}
