//! Roles, and the permissions each carries.
//!
//! Invariant: this table is the only one. The origin puts a user's global permissions into the token from it,
//! the edge derives those at a venue from it.

/// Grants every permission.
pub const WILDCARD: &str = "*";

/// The role of an account that has no other.
pub const CUSTOMER: &str = "customer";

/// The role that may do everything at its venue. A venue that has an owner keeps one.
pub const VENUE_OWNER: &str = "venue-owner";

/// The roles that are held at a venue; the others are global.
pub const VENUE_ROLES: [&str; 4] = [VENUE_OWNER, "venue-manager", "box-office", "door-staff"];

/// Grants changing who holds which role at a venue.
pub const MANAGE_ROLES: &str = "roles:manage";

/// The permissions of `role`; `None` for a role that does not exist. [`WILDCARD`] among them means all.
#[must_use]
pub fn permissions_of(role: &str) -> Option<&'static [&'static str]> {
    Some(match role {
        "admin" | VENUE_OWNER => &[WILDCARD],
        "venue-manager" => &[
            "events:create",
            "events:update",
            "events:delete",
            "tickets:view",
            "tickets:validate",
            "reports:view",
            "reports:export",
        ],
        "box-office" => &[
            "tickets:sell",
            "tickets:view",
            "tickets:validate",
            "payments:process",
            "reports:daily",
        ],
        "door-staff" => &["tickets:validate", "tickets:view"],
        CUSTOMER => &[
            "tickets:purchase",
            "tickets:view-own",
            "tickets:transfer-own",
            "profile:update-own",
        ],
        _ => return None,
    })
}

/// Whether `permissions` contain `wanted`, or the [`WILDCARD`].
pub fn grants<'p>(permissions: impl IntoIterator<Item = &'p str>, wanted: &str) -> bool {
    permissions
        .into_iter()
        .any(|permission| permission == wanted || permission == WILDCARD)
}

#[cfg(test)]
mod tests {
    use super::{MANAGE_ROLES, VENUE_ROLES, grants, permissions_of};

    fn role_grants(role: &str, wanted: &str) -> bool {
        permissions_of(role).is_some_and(|permissions| grants(permissions.iter().copied(), wanted))
    }

    #[test]
    fn an_owner_may_do_everything_at_the_venue() {
        assert!(role_grants("venue-owner", MANAGE_ROLES));
    }

    #[test]
    fn of_the_roles_at_a_venue_only_the_owner_manages_the_others() {
        let managers = VENUE_ROLES.map(|role| role_grants(role, MANAGE_ROLES));
        assert_eq!(managers, [true, false, false, false]);
    }

    #[test]
    fn a_role_grants_what_it_lists_and_nothing_else() {
        assert!(role_grants("door-staff", "tickets:validate"));
        assert!(!role_grants("door-staff", "tickets:sell"));
        assert!(!role_grants("customer", "tickets:view"));
    }

    #[test]
    fn an_unknown_role_grants_nothing() {
        assert_eq!(permissions_of("Venue-Owner"), None);
        assert_eq!(permissions_of(""), None);
    }
}
