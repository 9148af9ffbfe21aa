//! Somebody looks at who holds which role at a venue, and changes it.

use crate::audit::Event;
use crate::http::{AppState, Problem, RequestContext};
use crate::kernel::ids::{UserId, VenueId};
use crate::rate_limit::{Limiter, Quota};
use crate::rbac::{self, Admitted, Grant, Granted, Granter, NewGrant, Place, RbacError, VenueRole};
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

/// Asks whether the caller may grant this role there, and counts the grant against the limits of the caller and of the venue, for its
/// holder. Each change makes the holder refresh, so that whoever could make any number of them would keep the holder out; taking
/// away is not limited, because only what was granted can be taken away, and must be at once. Admins are not limited either: they may
/// lock accounts.
pub(super) async fn admit_grant(
    app: &AppState,
    limiter: &Limiter,
    context: &RequestContext,
    caller: &CurrentUser,
    venue: VenueId,
    wanted: &WantedGrant,
) -> Result<Admitted, Problem> {
    let (place, granter) = (place(caller, venue), Granter::Account(caller.user.id));
    let admitted = {
        let mut connection = app.pool().acquire().await.map_err(RbacError::from)?;
        rbac::admit(&mut connection, place, granter, Some(wanted.role), context.now).await?
    };
    if admitted.everywhere() {
        return Ok(admitted);
    }
    let quota = Quota::per_minute(app.config().limits.role_grants_per_minute);
    let by_caller = format!("{} {}", caller.user.id, wanted.user);
    limiter.enforce(context, "role-grant", &by_caller, quota).await?;
    // An owner makes as many others as they like, who each could grant as often.
    let at_venue = format!("{} {} {}", place.tenant, place.venue, wanted.user);
    limiter
        .enforce(context, "role-grant-venue", &at_venue, quota)
        .await?;
    Ok(admitted)
}

/// Grants a role there, or moves its end.
pub(super) async fn grant(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    admitted: Admitted,
    wanted: WantedGrant,
) -> Result<Granted, RbacError> {
    let new = NewGrant {
        user: wanted.user,
        role: wanted.role,
        expiry: wanted.expiry,
    };
    let event = |kind| Event::of_request(context, kind).actor(caller.user.id);
    let mut transaction = app.pool().begin().await?;
    let id = context.new_id();
    let outcome = rbac::grant(&mut transaction, admitted, id, new, event, context.now).await?;
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
    let (place, revoker) = (place(caller, venue), Granter::Account(caller.user.id));
    let event = |kind| Event::of_request(context, kind).actor(caller.user.id);
    let mut connection = app.pool().acquire().await?;
    let admitted = rbac::admit(&mut connection, place, revoker, role, context.now).await?;
    let mut transaction = app.pool().begin_on(&mut connection).await?;
    rbac::revoke(&mut transaction, admitted, user, role, event, context.now).await?;
    transaction.commit().await?;
    Ok(())
}
