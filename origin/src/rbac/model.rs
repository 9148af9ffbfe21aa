//! Roles at venues as the other rooms see them.

use std::collections::BTreeMap;

use portcullis_shared::roles::{self, MANAGE_ROLES};
use serde::Serialize;

use crate::kernel::ids::{TenantId, UserId, VenueId};
use crate::kernel::time::{Timestamp, as_optional_rfc3339, as_rfc3339};

/// A role that can be held at a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueRole(&'static str);

/// For how long something is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lasting {
    /// Until this moment.
    Until(Timestamp),
    /// It does not end.
    ForGood,
}

impl From<Option<Timestamp>> for Lasting {
    fn from(end: Option<Timestamp>) -> Self {
        end.map_or(Self::ForGood, Self::Until)
    }
}

impl VenueRole {
    /// The role of this name, if it is held at venues.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        roles::VENUE_ROLES
            .into_iter()
            .find(|role| *role == name)
            .map(Self)
    }

    /// The name, in the database and in tokens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether its holders change who holds what.
    pub(super) fn manages_roles(self) -> bool {
        let permissions = roles::permissions_of(self.0).unwrap_or_default();
        roles::grants(permissions.iter().copied(), MANAGE_ROLES)
    }
}

/// A venue of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The tenant. The same identifier in another one is another venue.
    pub tenant: TenantId,
    /// The venue.
    pub venue: VenueId,
}

/// Who changes what somebody holds at a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granter {
    /// Somebody who is signed in, within their own permissions there.
    Account(UserId),
    /// Whoever may use the command line.
    Operator,
}

/// Until when a grant is to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// As it does, if it is there; else for good.
    Unsaid,
    /// For good.
    Never,
    /// Until this moment.
    At(Timestamp),
}

impl Expiry {
    pub(super) const fn moment(self) -> Option<Timestamp> {
        match self {
            Self::Unsaid | Self::Never => None,
            Self::At(moment) => Some(moment),
        }
    }
}

/// A role that somebody is to hold at a venue.
#[derive(Clone, Copy, Debug)]
pub struct NewGrant {
    /// Who.
    pub user: UserId,
    /// Which role.
    pub role: VenueRole,
    /// Until when.
    pub expiry: Expiry,
}

/// A role that somebody holds: the resource `grant` of the HTTP contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Who holds it.
    pub user_id: UserId,
    /// Where.
    pub venue_id: VenueId,
    /// The role.
    pub role: String,
    /// Who has granted it; `None` for the operator, or where the account is gone.
    pub granted_by: Option<UserId>,
    /// When.
    #[serde(with = "as_rfc3339")]
    pub granted_at: Timestamp,
    /// Until when it is held; `None` for good.
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    pub expires_at: Option<Timestamp>,
}

/// What came of granting a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Granted {
    /// It was not held before.
    New(Grant),
    /// It was held, until another moment.
    Changed(Grant),
    /// It was held just so.
    AlreadySo(Grant),
}

/// What an access token says of the roles that its holder has at venues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRoles {
    /// The moment that the token is issued for.
    pub moment: Timestamp,
    /// Roles by venue, both in the order of their names.
    pub venues: BTreeMap<String, Vec<String>>,
    /// There are more venues.
    pub truncated: bool,
    /// When the first of these roles ends, if one does. More than a second after the token is issued.
    pub expires_at: Option<Timestamp>,
}

impl HeldRoles {
    /// Those of an account that has only just been made.
    #[must_use]
    pub const fn none(moment: Timestamp) -> Self {
        Self {
            moment,
            venues: BTreeMap::new(),
            truncated: false,
            expires_at: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_global_role_is_not_held_at_a_venue() {
        for name in ["customer", "admin", "Venue-Owner", ""] {
            assert_eq!(VenueRole::parse(name), None, "{name}");
        }
    }
}
