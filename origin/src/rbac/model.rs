//! Roles at venues as the other rooms see them.

use std::collections::BTreeMap;

use portcullis_shared::roles::{self, MANAGE_ROLES};
use serde::Serialize;

use crate::accounts::Role;
use crate::kernel::ids::{TenantId, UserId, VenueId};
use crate::kernel::time::{Timestamp, as_optional_rfc3339, as_rfc3339};

/// A role that can be held at a venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VenueRole(&'static str);

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

/// A role that somebody is to hold.
#[derive(Clone, Copy, Debug)]
pub struct NewGrant {
    /// Where.
    pub place: Place,
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

/// What an account that may sign in holds at one moment: globally, and at the venue that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The global role.
    pub global: Role,
    /// The roles at the venue, in the order of their names.
    pub at_venue: Vec<String>,
}

/// By what something is permitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The global role.
    GlobalRole,
    /// A role at the venue.
    VenueRole,
}

impl Effective {
    /// Every permission, each once; the global ones first.
    #[must_use]
    pub fn permissions(&self) -> Vec<&'static str> {
        let mut permissions = self.global.permissions().to_vec();
        for permission in self.permissions_there() {
            if !permissions.contains(&permission) {
                permissions.push(permission);
            }
        }
        permissions
    }

    /// By what `permission` is given, if it is.
    #[must_use]
    pub fn source_of(&self, permission: &str) -> Option<Source> {
        if roles::grants(self.global.permissions().iter().copied(), permission) {
            Some(Source::GlobalRole)
        } else if roles::grants(self.permissions_there(), permission) {
            Some(Source::VenueRole)
        } else {
            None
        }
    }

    /// Whether who holds what at the venue may be read: by everybody who holds something there.
    #[must_use]
    pub fn may_look(&self) -> bool {
        !self.at_venue.is_empty() || self.source_of(MANAGE_ROLES).is_some()
    }

    /// Whether `role` may be granted and taken away: nobody reaches above themselves.
    #[must_use]
    pub fn may_manage(&self, role: VenueRole) -> bool {
        let wanted = roles::permissions_of(role.as_str()).unwrap_or_default();
        self.source_of(MANAGE_ROLES).is_some() && wanted.iter().all(|each| self.source_of(each).is_some())
    }

    fn permissions_there(&self) -> impl Iterator<Item = &'static str> {
        self.at_venue
            .iter()
            .filter_map(|role| roles::permissions_of(role))
            .flatten()
            .copied()
    }
}

/// What an access token says of the roles that its holder has at venues.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldRoles {
    /// Roles by venue, both in the order of their names.
    pub venues: BTreeMap<String, Vec<String>>,
    /// There are more venues.
    pub truncated: bool,
    /// When the first of these roles ends, if one does. More than a second after the token is issued.
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(global: Role, at_venue: &[&str]) -> Effective {
        Effective {
            global,
            at_venue: at_venue.iter().map(|role| (*role).to_owned()).collect(),
        }
    }

    #[test]
    fn roles_are_granted_by_owners_and_admins_and_nobody_else() {
        for (global, there, may) in [
            (Role::Customer, &["venue-owner"][..], true),
            (Role::Customer, &["door-staff", "venue-owner"], true),
            (Role::Admin, &[], true),
            (
                Role::Customer,
                &["venue-manager", "box-office", "door-staff"],
                false,
            ),
            (Role::Customer, &[], false),
            (Role::Customer, &["unheard-of"], false),
        ] {
            let held = holding(global, there);
            for role in roles::VENUE_ROLES {
                let role = VenueRole::parse(role).unwrap();
                assert_eq!(held.may_manage(role), may, "{held:?} {role:?}");
            }
        }
    }

    #[test]
    fn permissions_are_those_of_all_roles_each_once() {
        let held = holding(Role::Customer, &["box-office", "door-staff"]);
        assert_eq!(
            held.permissions(),
            [
                "tickets:purchase",
                "tickets:view-own",
                "tickets:transfer-own",
                "profile:update-own",
                "tickets:sell",
                "tickets:view",
                "tickets:validate",
                "payments:process",
                "reports:daily"
            ]
        );
        assert_eq!(held.source_of("tickets:purchase"), Some(Source::GlobalRole));
        assert_eq!(held.source_of("tickets:sell"), Some(Source::VenueRole));
        assert_eq!(held.source_of("events:create"), None);
    }

    #[test]
    fn a_global_role_is_not_held_at_a_venue() {
        for name in ["customer", "admin", "Venue-Owner", ""] {
            assert_eq!(VenueRole::parse(name), None, "{name}");
        }
    }
}
