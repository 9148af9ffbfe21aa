//! A role at a venue is granted, given another end, or taken away.

use portcullis_shared::roles::{MANAGE_ROLES, VENUE_OWNER};

use crate::accounts::{self, UserStatus};
use crate::audit::{self, Event, EventKind};
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{GrantId, UserId};
use crate::kernel::time::{Timestamp, rfc3339};

use super::effective::{Effective, Source};
use super::error::RbacError;
use super::model::{Expiry, Grant, Granted, Granter, Lasting, NewGrant, Place, VenueRole};
use super::{about, effective, store};

/// Somebody who may change something at a venue, or could when they asked: they may wait for their turn there.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    place: Place,
    granter: Granter,
    everywhere: bool,
}

impl Admitted {
    /// Whether their say comes from what they hold everywhere, and not at this venue.
    #[must_use]
    pub const fn everywhere(&self) -> bool {
        self.everywhere
    }
}

/// Asks whether `granter` may change at all what `role`, or any role, is held by at a venue. Takes no lock: a stranger neither
/// waits for the turn at a venue nor keeps others waiting.
pub async fn admit(
    connection: &mut PgConnection,
    place: Place,
    granter: Granter,
    role: Option<VenueRole>,
    now: Timestamp,
) -> Result<Admitted, RbacError> {
    let authority = Authority::of(connection, place, granter, now).await?;
    if let Some(role) = role {
        authority.reach(role)?;
    }
    Ok(Admitted {
        place,
        granter,
        everywhere: authority.is_everywhere(),
    })
}

/// Grants a role, or moves the end of a grant. `event` begins an audit event of the given kind: it says who does it. Belongs in a
/// transaction, and publishes, so that it comes last in it (see [`revocations`](crate::revocations)).
pub async fn grant(
    connection: &mut PgConnection,
    admitted: Admitted,
    id: GrantId,
    new: NewGrant,
    event: impl Fn(EventKind) -> Event,
    now: Timestamp,
) -> Result<Granted, RbacError> {
    let Admitted { place, granter, .. } = admitted;
    let reach = take_turn(connection, admitted, now).await?.reach(new.role)?;
    let holder = accounts::lock_by_id(connection, place.tenant, new.user)
        .await?
        .filter(|user| user.status == UserStatus::Active)
        .ok_or(RbacError::NoSuchAccount)?;
    if new.expiry.moment().is_some_and(|moment| moment <= now) {
        return Err(RbacError::ExpiryPast);
    }
    let outcome = if let Some(grant) = store::find(connection, place, &new, now).await? {
        move_end(connection, place, &new, grant, reach).await?
    } else {
        refuse_beyond(reach, new.expiry.moment())?;
        Granted::New(store::insert(connection, place, id, &new, granter, now).await?)
    };
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

async fn move_end(
    connection: &mut PgConnection,
    place: Place,
    new: &NewGrant,
    grant: Grant,
    reach: Lasting,
) -> Result<Granted, RbacError> {
    let expires_at = match new.expiry {
        Expiry::Unsaid => grant.expires_at,
        Expiry::Never | Expiry::At(_) => new.expiry.moment(),
    };
    if expires_at == grant.expires_at {
        return Ok(Granted::AlreadySo(grant));
    }
    refuse_beyond(reach, expires_at)?;
    refuse_to_curtail(reach, new.role, &grant)?;
    keep_an_owner(connection, place, &grant).await?;
    store::set_expiry(connection, place, new, expires_at).await?;
    Ok(Granted::Changed(Grant { expires_at, ..grant }))
}

/// Takes one role, or all of them, away from an account. Returns which. The account may be one that cannot sign in. `event` begins
/// an audit event of the given kind: it says who does it. Belongs in a transaction, and publishes, so that it comes
/// last in it (see [`revocations`](crate::revocations)).
pub async fn revoke(
    connection: &mut PgConnection,
    admitted: Admitted,
    user: UserId,
    role: Option<VenueRole>,
    event: impl Fn(EventKind) -> Event,
    now: Timestamp,
) -> Result<Vec<String>, RbacError> {
    let place = admitted.place;
    let authority = take_turn(connection, admitted, now).await?;
    let holder = accounts::lock_by_id(connection, place.tenant, user)
        .await?
        .ok_or(RbacError::NoSuchGrant)?;
    let grants = store::find_of_account(connection, place, user, role, now).await?;
    if grants.is_empty() {
        return Err(RbacError::NoSuchGrant);
    }
    for grant in &grants {
        if let Some(role) = VenueRole::parse(&grant.role) {
            refuse_to_curtail(authority.reach(role)?, role, grant)?;
        }
        keep_an_owner(connection, place, grant).await?;
    }
    let roles: Vec<String> = grants.into_iter().map(|grant| grant.role).collect();
    store::delete(connection, place, user, &roles).await?;
    let event = about(event(EventKind::VenueRoleRevoked), place, user).detail("roles", roles.clone());
    audit::record(connection, event).await?;
    accounts::outdate_tokens(connection, &holder, now).await?;
    Ok(roles)
}

/// What somebody may change at a venue.
enum Authority {
    Unlimited,
    Of(Effective),
}

impl Authority {
    /// Refuses whoever may change nothing.
    async fn of(
        connection: &mut PgConnection,
        place: Place,
        granter: Granter,
        now: Timestamp,
    ) -> Result<Self, RbacError> {
        match granter {
            Granter::Operator => Ok(Self::Unlimited),
            Granter::Account(user) => {
                let held = effective(connection, place.tenant, user, Some(place.venue), now).await?;
                let held = held.filter(Effective::may_manage);
                held.map(Self::Of).ok_or(RbacError::NotPermitted)
            }
        }
    }

    fn is_everywhere(&self) -> bool {
        match self {
            Self::Unlimited => true,
            Self::Of(held) => held.source_of(MANAGE_ROLES) == Some(Source::GlobalRole),
        }
    }

    /// For how long this role may be granted.
    fn reach(&self, role: VenueRole) -> Result<Lasting, RbacError> {
        match self {
            Self::Unlimited => Ok(Lasting::ForGood),
            Self::Of(held) => held.reach(role).ok_or(RbacError::NotPermitted),
        }
    }
}

/// Waits for the turn at a venue, and then looks again at what may be changed there.
async fn take_turn(
    connection: &mut PgConnection,
    Admitted { place, granter, .. }: Admitted,
    now: Timestamp,
) -> Result<Authority, RbacError> {
    store::lock_venue(connection, place).await?;
    Authority::of(connection, place, granter, now).await
}

/// What is granted ends with the authority by which it is granted, at the latest.
fn refuse_beyond(reach: Lasting, expires_at: Option<Timestamp>) -> Result<(), RbacError> {
    match reach {
        Lasting::Until(end) if Lasting::from(expires_at) > reach => Err(RbacError::BeyondOwn(end)),
        Lasting::Until(_) | Lasting::ForGood => Ok(()),
    }
}

/// Who has a say for a time takes nothing from those who have it for longer. What has no say in who holds what is taken away
/// however long it lasts: a thief at the door need not wait for a lasting owner.
fn refuse_to_curtail(reach: Lasting, role: VenueRole, grant: &Grant) -> Result<(), RbacError> {
    if role.manages_roles() && Lasting::from(grant.expires_at) > reach {
        return Err(RbacError::OutlastsOwn);
    }
    Ok(())
}

/// Refuses to end the grant of the last owner for good. One that ends by itself keeps nothing, and nothing is kept for it.
async fn keep_an_owner(connection: &mut PgConnection, place: Place, grant: &Grant) -> Result<(), RbacError> {
    let lasting_owner = grant.role == VENUE_OWNER && grant.expires_at.is_none();
    if lasting_owner && !store::has_other_lasting_owner(connection, place, grant.user_id).await? {
        return Err(RbacError::LastOwner);
    }
    Ok(())
}
