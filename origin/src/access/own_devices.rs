//! A person looks at the devices that their account knows, and has it forget one.

use crate::accounts;
use crate::audit::{Event, EventKind};
use crate::devices;
use crate::http::{AppState, RequestContext};
use crate::kernel::ids::DeviceId;
use crate::sessions::{self, RevocationReason};
use crate::tokens::CurrentUser;

use super::error::AccessError;
use super::model::DeviceView;

/// The caller's devices, the one that was seen last first.
pub(super) async fn list(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
) -> Result<Vec<DeviceView>, AccessError> {
    let mut connection = app.pool().acquire().await?;
    let current = sessions::device_of(&mut connection, &caller.session).await?;
    let known = devices::list(&mut connection, &caller.user, context.now).await?;
    Ok(known
        .into_iter()
        .map(|device| DeviceView::new(device, current, context.now))
        .collect())
}

/// Forgets one of the caller's devices, and ends the sessions on it. The session that asks goes on, also if it is on that
/// device: to leave it there is a sign-out.
pub(super) async fn forget(
    app: &AppState,
    context: &RequestContext,
    caller: &CurrentUser,
    id: DeviceId,
) -> Result<(), AccessError> {
    let event = |kind| Event::of_request(context, kind).actor(caller.user.id);
    let mut transaction = app.pool().begin().await?;
    let user = accounts::lock_by_id(&mut transaction, caller.user.tenant_id, caller.user.id)
        .await?
        .ok_or(AccessError::NoSuchDevice)?;
    let mut sessions = sessions::on_device(&mut transaction, &user, id).await?;
    sessions.retain(|session| *session != caller.session.id);
    if !devices::forget(&mut transaction, &user, id, event(EventKind::DeviceForgotten)).await? {
        return Err(AccessError::NoSuchDevice);
    }
    sessions::revoke_among(
        &mut transaction,
        &user,
        &sessions,
        RevocationReason::UserRevoked,
        event(EventKind::SessionsRevoked),
        context.now,
    )
    .await?;
    transaction.commit().await?;
    Ok(())
}
