//! The question of the edge that a truncated token leaves open: which roles an account holds at one venue.
//!
//! A token names the venues of its holder up to [`MAX_VENUES`](crate::claims::MAX_VENUES); past that, and where they
//! would not fit into a cookie, it says `venues_truncated`, and the edge asks the origin about a venue that it does not name.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The path of the question at the origin. Only the edge is answered.
pub const VENUE_ROLES_PATH: &str = "/edge/venue-roles";
/// The longest answer that is read, in bytes: far more roles than there are.
pub const MAX_ANSWER_BYTES: usize = 4096;

/// Whose roles, and where: the query of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The tenant that both belong to: the claim `tenant_id`.
    pub tenant: Uuid,
    /// The account: the claim `sub`.
    pub subject: Uuid,
    /// The venue.
    pub venue: Uuid,
}

impl Place {
    /// The query without its `?`.
    #[must_use]
    pub fn query(&self) -> String {
        let Self {
            tenant,
            subject,
            venue,
        } = self;
        format!("tenant={tenant}&subject={subject}&venue={venue}")
    }
}

/// The answer (`application/json`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolesThere {
    /// The roles that are held there at the moment, in the order of their names; none where the account may not sign in.
    pub roles: Vec<String>,
}

impl RolesThere {
    /// Reads a body; `None` for anything that is not an answer. Members that are not known are ignored.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, RolesThere};
    use uuid::Uuid;

    #[test]
    fn the_query_names_whose_roles_and_where() {
        let [tenant, subject, venue] = [1, 2, 3].map(Uuid::from_u128);
        let place = Place {
            tenant,
            subject,
            venue,
        };
        assert_eq!(
            place.query(),
            "tenant=00000000-0000-0000-0000-000000000001&subject=00000000-0000-0000-0000-000000000002\
             &venue=00000000-0000-0000-0000-000000000003"
        );
    }

    #[test]
    fn an_answer_is_read_and_anything_else_is_none() {
        let roles = RolesThere {
            roles: vec!["door-staff".to_owned()],
        };
        assert_eq!(
            RolesThere::parse(br#"{"roles":["door-staff"],"new":1}"#),
            Some(roles)
        );
        for body in ["", "{}", "[]", r#"{"roles":"door-staff"}"#, r#"{"roles":[1]}"#] {
            assert_eq!(RolesThere::parse(body.as_bytes()), None, "{body}");
        }
    }
}
