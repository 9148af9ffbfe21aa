//! Devices that an account has signed in with, and how well it knows them.
//!
//! Invariants:
//! - A device is known to one account by a random token of which the row has the digest. What is presented is believed only by the
//!   account, and in the tenant, that it is stored for, and only from the kind of program that it was given to.
//! - An account never learns to know a token that came from outside. One that it does not know yet gets a new one; other
//!   accounts that knew the same browser by the old token know it by the new one from then on.
//! - Only a good sign-in makes a device known or seen. Trust is computed from when that was, and stored nowhere.
//! - No address is kept: a network is not a device.
//! - An account keeps its 50 devices that were seen last, each for 180 days.
//! - Whoever adds, sees or forgets devices of an account holds the lock on its row. Devices are locked before sessions, those of
//!   one statement in one order.
//! - This room writes `devices`; nobody else does.

mod model;
mod presented;
mod store;
mod stored;
mod token;

pub use model::{KnownDevice, Met, Trust};
pub use presented::PresentedDevice;
pub use stored::{StoredDevice, stored};
pub use token::DeviceToken;

use crate::accounts::User;
use crate::audit::{self, Event};
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{DeviceId, Id as _, TenantId, UserId};
use crate::kernel::random::Entropy;
use crate::kernel::time::{TimeDelta, Timestamp};

use store::Sought;

/// How long a device is known that is not seen.
pub const REMEMBERED: TimeDelta = TimeDelta::days(180);

/// How many devices an account keeps.
const KEPT: i64 = 50;

/// What an account knows of the device that a request presents, before anybody has proved anything; `None`: nothing. An
/// address that is nobody's (`user` is `None`) knows nothing, for the same work.
pub async fn recognise(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: Option<UserId>,
    presented: &PresentedDevice,
    now: Timestamp,
) -> Result<Option<KnownDevice>, sqlx::Error> {
    let Some(token) = &presented.token else {
        return Ok(None);
    };
    let user = user.unwrap_or_else(|| UserId::from_uuid(uuid::Uuid::nil()));
    let sought = Sought::new(tenant, user, token, presented, now);
    store::find(connection, &sought).await
}

/// Notes a good sign-in to an account that the caller has locked, and makes the device known to it where it is not.
pub async fn meet(
    connection: &mut PgConnection,
    user: &User,
    presented: &PresentedDevice,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Met, sqlx::Error> {
    if let Some(token) = &presented.token {
        let sought = Sought::new(user.tenant_id, user.id, token, presented, now);
        if let Some(before) = store::see(connection, &sought).await? {
            return Ok(Met {
                id: before.id,
                trust: before.trust(now),
                token: token.clone(),
            });
        }
    }
    let (id, token) = (DeviceId::generate(now, entropy), DeviceToken::generate(entropy));
    if let Some(old) = &presented.token {
        let sought = Sought::new(user.tenant_id, user.id, old, presented, now);
        store::replace_token(connection, &sought, &token).await?;
    }
    let new = Sought::new(user.tenant_id, user.id, &token, presented, now);
    store::insert(connection, id, &new).await?;
    store::make_room(connection, user, id, KEPT - 1).await?;
    Ok(Met {
        id,
        trust: Trust::NONE,
        token,
    })
}

/// The devices that an account knows at `now`, the one that was seen last first.
pub async fn list(
    connection: &mut PgConnection,
    user: &User,
    now: Timestamp,
) -> Result<Vec<KnownDevice>, sqlx::Error> {
    store::list(connection, user, now).await
}

/// Forgets a device of an account that the caller has locked, and writes `event` about it. Its sessions lose sight of it, and are
/// the caller's to end. False, and nothing done, if there is no such device.
pub async fn forget(
    connection: &mut PgConnection,
    user: &User,
    id: DeviceId,
    event: Event,
) -> Result<bool, sqlx::Error> {
    let forgotten = store::forget(connection, user, id).await?;
    if forgotten {
        let event = event.tenant(user.tenant_id).subject(user.id);
        audit::record(connection, event.detail("device", id.to_string())).await?;
    }
    Ok(forgotten)
}

/// Forgets all devices of an account that the caller has locked, but for `kept`, and writes one `event` about it, unless there were
/// none.
pub async fn forget_all_but(
    connection: &mut PgConnection,
    user: &User,
    kept: Option<DeviceId>,
    event: Event,
) -> Result<(), sqlx::Error> {
    let forgotten = store::forget_all_but(connection, user, kept).await?;
    if forgotten > 0 {
        let event = event.tenant(user.tenant_id).subject(user.id);
        audit::record(connection, event.detail("devices", forgotten)).await?;
    }
    Ok(())
}

/// How many devices one statement removes, so that no lock is held for long.
const PURGE_BATCH: u16 = 1_000;

/// Removes the devices that have not been seen for [`REMEMBERED`], unless a session is kept that is on them. Returns how many.
pub async fn purge_unseen(connection: &mut PgConnection, now: Timestamp) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    loop {
        let batch = store::purge(connection, now - REMEMBERED, i64::from(PURGE_BATCH)).await?;
        removed += batch;
        if batch < u64::from(PURGE_BATCH) {
            return Ok(removed);
        }
    }
}
