//! Roles at venues: who holds which, granted by whom, and until when.
//!
//! Invariants:
//! - What a role permits stands in the table of the shared crate and nowhere else; here is who holds it.
//! - A grant that has run out gives nothing, whether or not its row is still there. Neither does one of an account that
//!   may not sign in.
//! - A change is made by somebody whose permissions at the venue cover the role, or by the operator. Whoever may change nothing there
//!   is refused before they wait for anything ([`admit`]). Changes at one venue take turns, and whoever makes one is judged again when
//!   their turn has come: two who take the last two owners away do not both succeed.
//! - Nobody grants for longer than what they hold themselves lasts, nor ends the ownership of somebody whose outlasts theirs.
//! - No change of a role takes the last owner away who owns a venue for good and may sign in. What ends by itself is no such ownership.
//! - A change is committed with the audit of it, and with what the edge is told: tokens of the account that were made before
//!   are stale. That a grant runs out is told to nobody, because no token outlives a grant that it names.
//! - Locks are taken in one order: the venue, the account, its grants, and last the numbers of the revocation feed.

mod changes;
mod effective;
mod error;
mod model;
mod store;
mod stored;

pub use changes::{Admitted, admit, grant, revoke};
pub use effective::{Effective, RoleThere, Source};
pub use error::RbacError;
pub use model::{Expiry, Grant, Granted, Granter, HeldRoles, Lasting, NewGrant, Place, VenueRole};
pub use stored::{StoredGrant, stored_given, stored_held};

use portcullis_shared::claims::MAX_VENUES;

use crate::accounts::User;
use crate::audit::{self, Event, EventKind};
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::ids::{TenantId, UserId, VenueId};
use crate::kernel::random::Entropy;
use crate::kernel::time::{TimeDelta, Timestamp};

/// What an account holds at `now`, globally and at `venue`; `None` where there is no such account, or it may not sign in.
/// One query.
pub async fn effective(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
    venue: Option<VenueId>,
    now: Timestamp,
) -> Result<Option<Effective>, RbacError> {
    Ok(store::find_effective(connection, tenant, user, venue, now).await?)
}

/// What an access token says that is issued to `user` for this moment: 32 venues at most, in the order of their identifiers, so that
/// it is the same ones each time. A role that ends within a second is left out, so that the token lives for a second at
/// least.
pub async fn held(
    connection: &mut PgConnection,
    user: &User,
    moment: Timestamp,
) -> Result<HeldRoles, sqlx::Error> {
    let one_more = i64::try_from(MAX_VENUES + 1).unwrap_or(i64::MAX);
    let lasting = moment + TimeDelta::seconds(1);
    let mut rows = store::find_held(connection, user.tenant_id, user.id, lasting, one_more).await?;
    let truncated = rows.len() > MAX_VENUES;
    rows.truncate(MAX_VENUES);
    Ok(HeldRoles {
        moment,
        truncated,
        expires_at: rows.iter().filter_map(|row| row.expires_at).min(),
        venues: rows
            .into_iter()
            .map(|row| (row.venue_id.to_string(), row.roles))
            .collect(),
    })
}

/// How many grants a list holds: far more than a venue has staff, and few enough to be one answer.
const LIST_LIMIT: i64 = 5_000;

/// Who holds what at a venue at `now`, the oldest grant first; 5,000 at most. Whoever is not the operator must hold something
/// there themselves.
pub async fn list(
    connection: &mut PgConnection,
    place: Place,
    reader: Granter,
    now: Timestamp,
) -> Result<Vec<Grant>, RbacError> {
    match reader {
        Granter::Operator => {}
        Granter::Account(user) => {
            let held = effective(connection, place.tenant, user, Some(place.venue), now).await?;
            held.filter(Effective::may_look).ok_or(RbacError::NotPermitted)?;
        }
    }
    Ok(store::list(connection, place, now, LIST_LIMIT).await?)
}

/// How many venues one audit event names at most.
const NAMED_VENUES: i64 = 100;

/// The venues, 100 at most, that have nobody else who owns them for good and may sign in: what an account that goes leaves behind.
/// Takes no lock, since it prevents nothing.
pub async fn left_without_owner(
    connection: &mut PgConnection,
    leaving: &User,
) -> Result<Vec<VenueId>, RbacError> {
    let (tenant, user) = (leaving.tenant_id, leaving.id);
    Ok(store::find_left_without_owner(connection, tenant, user, NAMED_VENUES).await?)
}

fn about(event: Event, place: Place, user: UserId) -> Event {
    event
        .tenant(place.tenant)
        .subject(user)
        .detail("venue", place.venue.to_string())
}

/// How many grants one transaction removes, so that no lock is held for long.
const PURGE_BATCH: u8 = 100;

/// Removes the grants that have run out by `now`, in batches, each with its audit. Returns how many were removed.
pub async fn purge_expired(pool: &Pool, entropy: &dyn Entropy, now: Timestamp) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    loop {
        let mut transaction = pool.begin().await?;
        let batch = store::purge(&mut transaction, now, i64::from(PURGE_BATCH)).await?;
        for grant in &batch {
            let place = Place {
                tenant: grant.tenant_id,
                venue: grant.venue_id,
            };
            let event = Event::of_operator(now, entropy, EventKind::VenueRoleExpired);
            let event = about(event, place, grant.user_id).detail("role", grant.role.clone());
            audit::record(&mut transaction, event).await?;
        }
        transaction.commit().await?;
        removed += u64::try_from(batch.len()).unwrap_or_default();
        if batch.len() < usize::from(PURGE_BATCH) {
            return Ok(removed);
        }
    }
}
