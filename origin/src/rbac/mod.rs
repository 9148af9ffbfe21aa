//! Roles at venues: who holds which, granted by whom, and until when.
//!
//! Invariants:
//! - What a role permits stands in the table of the shared crate and nowhere else; here is who holds it.
//! - A grant that has run out gives nothing, whether or not its row is still there. Neither does one of an account that
//!   may not sign in.
//! - A change is made by somebody whose permissions at the venue cover the role, or by the operator. Changes at one venue take
//!   turns, and whoever makes one is judged when their turn has come: two who take the last two owners away do not
//!   both succeed.
//! - A venue that has an owner keeps one who may sign in, unless the grant was for a time, and that has run out.
//! - A change is committed with the audit of it, and with what the edge is told: tokens of the account that were made before
//!   are stale. That a grant runs out is told to nobody, because no token outlives a grant that it names.
//! - Locks are taken in one order: the venue, the account, its grants, and last the numbers of the revocation feed.

mod error;
mod model;
mod store;
mod stored;

pub use error::RbacError;
pub use model::{Effective, Expiry, Grant, Granted, Granter, HeldRoles, NewGrant, Place, Source, VenueRole};
pub use stored::{StoredGrant, stored_given, stored_held};

use portcullis_shared::claims::MAX_VENUES;
use portcullis_shared::roles::{MANAGE_ROLES, VENUE_OWNER};
use sqlx::Connection as _;

use crate::accounts::{self, User, UserStatus};
use crate::audit::{self, Event, EventKind};
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{GrantId, TenantId, UserId, VenueId};
use crate::kernel::random::Entropy;
use crate::kernel::time::{TimeDelta, Timestamp, rfc3339};

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

/// What an access token says that is made for `user` at `now`: 32 venues at most, in the order of their identifiers, so that
/// it is the same ones each time. A role that ends within a second of the moment that the token is issued for is left out,
/// so that the token lives for a second at least.
pub async fn held(
    connection: &mut PgConnection,
    user: &User,
    now: Timestamp,
) -> Result<HeldRoles, sqlx::Error> {
    let one_more = i64::try_from(MAX_VENUES + 1).unwrap_or(i64::MAX);
    let moment = user.issuing_moment(now) + TimeDelta::seconds(1);
    let mut rows = store::find_held(connection, user.tenant_id, user.id, moment, one_more).await?;
    let truncated = rows.len() > MAX_VENUES;
    rows.truncate(MAX_VENUES);
    Ok(HeldRoles {
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

/// Grants a role, or moves the end of a grant. `event` begins an audit event of the given kind: it says who does it. Belongs in a
/// transaction, and publishes, so that it comes last in it (see [`revocations`](crate::revocations)).
pub async fn grant(
    connection: &mut PgConnection,
    id: GrantId,
    new: NewGrant,
    granter: Granter,
    event: impl Fn(EventKind) -> Event,
    now: Timestamp,
) -> Result<Granted, RbacError> {
    let place = new.place;
    take_turn(connection, place, granter, now, |held| held.may_manage(new.role)).await?;
    let holder = accounts::lock_by_id(connection, place.tenant, new.user)
        .await?
        .filter(|user| user.status == UserStatus::Active)
        .ok_or(RbacError::NoSuchAccount)?;
    if new.expiry.moment().is_some_and(|moment| moment <= now) {
        return Err(RbacError::ExpiryPast);
    }
    let outcome = put(connection, id, &new, granter, now).await?;
    let (kind, grant) = match &outcome {
        Granted::New(grant) => (EventKind::VenueRoleGranted, grant),
        Granted::Changed(grant) => (EventKind::VenueRoleChanged, grant),
        Granted::AlreadySo(_) => return Ok(outcome),
    };
    let event = about(event(kind), place, new.user)
        .detail("role", new.role.as_str())
        .detail("expiresAt", grant.expires_at.map(rfc3339));
    audit::record(connection, event).await?;
    accounts::outdate_tokens(connection, &holder, now).await?;
    Ok(outcome)
}

async fn put(
    connection: &mut PgConnection,
    id: GrantId,
    new: &NewGrant,
    granter: Granter,
    now: Timestamp,
) -> Result<Granted, RbacError> {
    if let Some(grant) = store::insert(connection, id, new, granter, now).await? {
        return Ok(Granted::New(grant));
    }
    // It is held, and nobody takes it away meanwhile: whoever does waits for the turn.
    let grant = store::find(connection, new)
        .await?
        .ok_or(RbacError::NoSuchGrant)?;
    let expires_at = match new.expiry {
        Expiry::Unsaid => grant.expires_at,
        Expiry::Never | Expiry::At(_) => new.expiry.moment(),
    };
    if expires_at == grant.expires_at {
        return Ok(Granted::AlreadySo(grant));
    }
    store::set_expiry(connection, new, expires_at).await?;
    Ok(Granted::Changed(Grant { expires_at, ..grant }))
}

/// Takes one role, or all of them, away from an account. Returns which. The account may be one that cannot sign in. `event` begins
/// an audit event of the given kind: it says who does it. Belongs in a transaction, and publishes, so that it comes
/// last in it (see [`revocations`](crate::revocations)).
pub async fn revoke(
    connection: &mut PgConnection,
    place: Place,
    user: UserId,
    role: Option<VenueRole>,
    revoker: Granter,
    event: impl Fn(EventKind) -> Event,
    now: Timestamp,
) -> Result<Vec<String>, RbacError> {
    let held = take_turn(connection, place, revoker, now, |held| {
        held.source_of(MANAGE_ROLES).is_some()
    })
    .await?;
    let holder = accounts::lock_by_id(connection, place.tenant, user)
        .await?
        .ok_or(RbacError::NoSuchGrant)?;
    let roles = store::find_roles(connection, place, user, role, now).await?;
    if roles.is_empty() {
        return Err(RbacError::NoSuchGrant);
    }
    let reaches = |held: &Effective| {
        roles
            .iter()
            .filter_map(|role| VenueRole::parse(role))
            .all(|role| held.may_manage(role))
    };
    if held.is_some_and(|held| !reaches(&held)) {
        return Err(RbacError::NotPermitted);
    }
    if roles.iter().any(|role| role == VENUE_OWNER)
        && !store::has_other_owner(connection, place, user, now).await?
    {
        return Err(RbacError::LastOwner);
    }
    store::delete(connection, place, user, &roles).await?;
    let event = about(event(EventKind::VenueRoleRevoked), place, user).detail("roles", roles.clone());
    audit::record(connection, event).await?;
    accounts::outdate_tokens(connection, &holder, now).await?;
    Ok(roles)
}

/// Waits for the turn at a venue, and then holds what `granter` may do there against what is wanted. Returns what they hold,
/// or `None` for the operator.
async fn take_turn(
    connection: &mut PgConnection,
    place: Place,
    granter: Granter,
    now: Timestamp,
    suffices: impl FnOnce(&Effective) -> bool,
) -> Result<Option<Effective>, RbacError> {
    store::lock_venue(connection, place).await?;
    match granter {
        Granter::Operator => Ok(None),
        Granter::Account(user) => {
            let held = effective(connection, place.tenant, user, Some(place.venue), now).await?;
            held.filter(suffices).map(Some).ok_or(RbacError::NotPermitted)
        }
    }
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
pub async fn purge_expired(
    connection: &mut PgConnection,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    loop {
        let mut transaction = connection.begin().await?;
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
