//! Somebody asks what they may do.

use crate::http::{AppState, RequestContext};
use crate::kernel::ids::VenueId;
use crate::rbac::{self, Effective, RbacError};
use crate::tokens::CurrentUser;

use super::model::{Authorization, OwnPermissions, WantedPermission};

/// The caller's permissions, and the roles they come from: global ones, or with a venue those that are held there. Permissions
/// at a venue include the global ones.
pub(super) async fn permissions(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    venue: Option<VenueId>,
) -> Result<OwnPermissions, RbacError> {
    let held = effective(app, context, caller, venue).await?;
    Ok(OwnPermissions {
        permissions: held.permissions(),
        roles: match venue {
            None => vec![held.global.as_str().to_owned()],
            Some(_) => held.role_names(),
        },
    })
}

/// Whether the caller may do something, and by what.
pub(super) async fn authorize(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    wanted: &WantedPermission,
) -> Result<Authorization, RbacError> {
    let held = effective(app, context, caller, wanted.venue).await?;
    Ok(held.source_of(&wanted.permission).into())
}

async fn effective(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    venue: Option<VenueId>,
) -> Result<Effective, RbacError> {
    let user = &caller.user;
    let mut connection = app.pool().acquire().await?;
    rbac::effective(&mut connection, user.tenant_id, user.id, venue, context.now)
        .await?
        // It could sign in a moment ago, when its token was looked at.
        .ok_or(RbacError::NotPermitted)
}
