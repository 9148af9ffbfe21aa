//! What a caller holds at the venue that a path names: by their token, or by what the origin has said.

use portcullis_shared::claims::AccessClaims;

use super::gate::venue_of;
use super::refusal::Refusal;
use crate::path::Target;
use crate::policy::Gate;
use crate::venue_roles::{Known, Question, RETRY_AFTER_SECONDS, VenueRoles};

/// Roles at one venue that a token does not name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolesAtVenue {
    /// The venue, as the path names it.
    pub venue: String,
    /// What is held there; not empty.
    pub roles: Vec<String>,
}

/// The roles that a caller holds at the venue of a gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum There<'r> {
    /// There is no venue, or nothing is held at it.
    Nothing,
    /// The token names them.
    Named(&'r [String]),
    /// The origin has said them, of this venue.
    Asked(&'r str, &'r [String]),
}

/// Why it cannot be said what is held there.
#[derive(Debug)]
pub(super) enum Lack {
    Ask(Question),
    NotNow(Refusal),
}

impl<'r> There<'r> {
    pub(super) const fn roles(self) -> &'r [String] {
        match self {
            Self::Nothing => &[],
            Self::Named(roles) | Self::Asked(_, roles) => roles,
        }
    }

    /// What the token does not say.
    pub(super) fn asked(self) -> Option<RolesAtVenue> {
        match self {
            Self::Asked(venue, roles) if !roles.is_empty() => Some(RolesAtVenue {
                venue: venue.to_owned(),
                roles: roles.to_vec(),
            }),
            Self::Nothing | Self::Named(_) | Self::Asked(..) => None,
        }
    }
}

/// Finds out what the caller holds at the venue of the gate.
pub(super) fn roles_there<'r>(
    gate: &Gate,
    claims: Option<&'r AccessClaims>,
    target: &'r Target<'_>,
    asked: &'r VenueRoles,
    now: i64,
) -> Result<There<'r>, Lack> {
    let (Some(claims), Some(venue)) = (claims, venue_of(gate, target)) else {
        return Ok(There::Nothing);
    };
    if let Some(roles) = claims.venues.get(venue) {
        return Ok(There::Named(roles));
    }
    let Some(question) = Question::of(claims, venue) else {
        return Ok(There::Nothing);
    };
    match asked.look_up(&question, now) {
        Known::Roles(roles) => Ok(There::Asked(venue, roles)),
        Known::Nothing => Err(Lack::Ask(question)),
        Known::NotNow => {
            let reason = "what is held at the venue cannot be found out now";
            Err(Lack::NotNow(Refusal::unavailable(reason, RETRY_AFTER_SECONDS)))
        }
    }
}
