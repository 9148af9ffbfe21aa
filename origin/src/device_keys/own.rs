//! A person adds a key of their device, looks at what they have, and removes one.

use crate::accounts;
use crate::audit::{self, Event, EventKind};
use crate::http::{AppState, RequestContext};
use crate::kernel::ids::DeviceKeyId;
use crate::mail::{Letter, Mailer};
use crate::sessions;
use crate::tokens::CurrentUser;

use super::error::DeviceKeyError;
use super::model::{DeviceKeyView, NewDeviceKey};
use super::store;

/// Most keys of one account.
const MOST_KEYS: usize = 20;

/// Registers a key, which belongs to the device that the caller's session is on. Its holder is told by mail.
pub(super) async fn register(
    app: &AppState,
    mailer: &Mailer,
    context: &RequestContext,
    caller: &CurrentUser,
    new: &NewDeviceKey,
) -> Result<DeviceKeyId, DeviceKeyError> {
    let mut transaction = app.pool().begin().await?;
    let user = accounts::lock_by_id(&mut transaction, caller.user.tenant_id, caller.user.id)
        .await?
        .ok_or(DeviceKeyError::NoSuchKey)?;
    if store::list(&mut transaction, &user).await?.len() >= MOST_KEYS {
        return Err(DeviceKeyError::TooMany);
    }
    let id: DeviceKeyId = context.new_id();
    let device = sessions::device_of(&mut transaction, &caller.session).await?;
    store::insert(&mut transaction, &user, id, device, new, context.now).await?;
    let event = about(context, caller, EventKind::DeviceKeyAdded, id);
    let letter = Letter::MfaChanged { event: event.id() };
    audit::record(&mut transaction, event).await?;
    mailer.enqueue(&mut transaction, letter).await?;
    transaction.commit().await?;
    Ok(id)
}

/// The caller's keys, the newest first.
pub(super) async fn list(app: &AppState, caller: &CurrentUser) -> Result<Vec<DeviceKeyView>, DeviceKeyError> {
    let mut connection = app.pool().acquire().await?;
    Ok(store::list(&mut connection, &caller.user).await?)
}

/// Removes one of the caller's keys. Its holder is told by mail.
pub(super) async fn remove(
    app: &AppState,
    mailer: &Mailer,
    context: &RequestContext,
    caller: &CurrentUser,
    id: DeviceKeyId,
) -> Result<(), DeviceKeyError> {
    let mut transaction = app.pool().begin().await?;
    let user = accounts::lock_by_id(&mut transaction, caller.user.tenant_id, caller.user.id)
        .await?
        .ok_or(DeviceKeyError::NoSuchKey)?;
    if !store::remove(&mut transaction, &user, id).await? {
        return Err(DeviceKeyError::NoSuchKey);
    }
    let event = about(context, caller, EventKind::DeviceKeyRemoved, id);
    let letter = Letter::MfaChanged { event: event.id() };
    audit::record(&mut transaction, event).await?;
    mailer.enqueue(&mut transaction, letter).await?;
    transaction.commit().await?;
    Ok(())
}

fn about(context: &RequestContext, caller: &CurrentUser, kind: EventKind, id: DeviceKeyId) -> Event {
    Event::of_request(context, kind)
        .tenant(caller.user.tenant_id)
        .actor(caller.user.id)
        .subject(caller.user.id)
        .session(caller.session.id)
        .detail("change", kind.as_str())
        .detail("credential", id.to_string())
}
