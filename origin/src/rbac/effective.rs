//! What an account holds at one moment, and how far that reaches.

use portcullis_shared::roles::{self, MANAGE_ROLES};

use crate::accounts::Role;

use super::model::{Lasting, VenueRole};

/// What an account that may sign in holds at one moment: globally, and at the venue that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The global role.
    pub global: Role,
    /// The roles at the venue, in the order of their names.
    pub at_venue: Vec<RoleThere>,
}

/// A role that is held at the venue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleThere {
    /// Which.
    pub name: String,
    /// For how long.
    pub lasting: Lasting,
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
    /// The names of the roles at the venue.
    #[must_use]
    pub fn role_names(self) -> Vec<String> {
        self.at_venue.into_iter().map(|role| role.name).collect()
    }

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

    /// Whether anything may be changed at the venue.
    #[must_use]
    pub fn may_manage(&self) -> bool {
        self.source_of(MANAGE_ROLES).is_some()
    }

    /// Whether who holds what at the venue may be read: by everybody who holds something there.
    #[must_use]
    pub fn may_look(&self) -> bool {
        !self.at_venue.is_empty() || self.may_manage()
    }

    /// For how long `role` may be granted: nobody reaches above themselves, nor beyond the end of what they hold. `None`: not at
    /// all.
    #[must_use]
    pub fn reach(&self, role: VenueRole) -> Option<Lasting> {
        let ends = self.at_venue.iter().map(|held| held.lasting);
        ends.chain([Lasting::ForGood])
            .filter(|end| self.covers(role, *end))
            .max()
    }

    /// Whether what is held until `end` at least is enough to grant `role`.
    fn covers(&self, role: VenueRole, end: Lasting) -> bool {
        let by_then = Self {
            global: self.global,
            at_venue: self
                .at_venue
                .iter()
                .filter(|held| held.lasting >= end)
                .cloned()
                .collect(),
        };
        let wanted = roles::permissions_of(role.as_str()).unwrap_or_default();
        by_then.may_manage() && wanted.iter().all(|each| by_then.source_of(each).is_some())
    }

    fn permissions_there(&self) -> impl Iterator<Item = &'static str> {
        self.at_venue
            .iter()
            .filter_map(|role| roles::permissions_of(&role.name))
            .flatten()
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::Timestamp;

    fn holding(global: Role, at_venue: &[(&str, Lasting)]) -> Effective {
        let there = |(name, lasting): &(&str, Lasting)| RoleThere {
            name: (*name).to_owned(),
            lasting: *lasting,
        };
        Effective {
            global,
            at_venue: at_venue.iter().map(there).collect(),
        }
    }

    fn until(seconds: i64) -> Lasting {
        Lasting::Until(Timestamp::from_timestamp(seconds, 0).unwrap())
    }

    #[test]
    fn roles_are_granted_by_owners_and_admins_for_as_long_as_they_are_and_by_nobody_else() {
        use Lasting::ForGood;
        for (global, there, reach) in [
            (Role::Customer, &[("venue-owner", ForGood)][..], Some(ForGood)),
            (Role::Customer, &[("venue-owner", until(7))], Some(until(7))),
            (
                Role::Customer,
                &[("door-staff", ForGood), ("venue-owner", until(7))],
                Some(until(7)),
            ),
            (Role::Admin, &[], Some(ForGood)),
            (Role::Admin, &[("venue-owner", until(7))], Some(ForGood)),
            (
                Role::Customer,
                &[
                    ("box-office", ForGood),
                    ("door-staff", ForGood),
                    ("venue-manager", ForGood),
                ],
                None,
            ),
            (Role::Customer, &[], None),
            (Role::Customer, &[("unheard-of", ForGood)], None),
        ] {
            let held = holding(global, there);
            for role in roles::VENUE_ROLES {
                let role = VenueRole::parse(role).unwrap();
                assert_eq!(held.reach(role), reach, "{held:?} {role:?}");
            }
        }
    }

    #[test]
    fn what_lasts_for_good_lasts_longest() {
        assert!(until(1) < until(2) && until(2) < Lasting::ForGood);
    }

    #[test]
    fn permissions_are_those_of_all_roles_each_once() {
        let [one, two] = ["box-office", "door-staff"].map(|name| (name, Lasting::ForGood));
        let held = holding(Role::Customer, &[one, two]);
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
}
