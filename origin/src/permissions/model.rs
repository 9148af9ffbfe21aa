//! What clients send to ask who may do what, and to change it, and what they get.

use portcullis_shared::roles;
use serde::{Deserialize, Deserializer, Serialize};

use crate::http::{Validate, Violations};
use crate::kernel::ids::{UserId, VenueId};
use crate::kernel::time::{Timestamp, to_stored_precision};
use crate::rbac::{Expiry, Grant, Source, VenueRole};

/// The longest permission that is looked up, in bytes: far longer than any there is.
const LONGEST_PERMISSION: usize = 100;

/// `POST /auth/venues/{venueId}/roles`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GrantRequest {
    user_id: Option<String>,
    role: Option<String>,
    #[serde(default)]
    expires_at: SaidExpiry,
}

/// Tells a `null`, which is for good, from a field that is not there, with which a grant that is there ends when it did.
#[derive(Default)]
enum SaidExpiry {
    #[default]
    Unsaid,
    Never,
    At(String),
}

impl<'de> Deserialize<'de> for SaidExpiry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let said = Option::deserialize(deserializer)?;
        Ok(said.map_or(Self::Never, Self::At))
    }
}

/// Whom to grant what, and until when.
pub(super) struct WantedGrant {
    pub(super) user: UserId,
    pub(super) role: VenueRole,
    pub(super) expiry: Expiry,
}

impl Validate for GrantRequest {
    type Valid = WantedGrant;

    fn validate(self, violations: &mut Violations) -> Option<WantedGrant> {
        let user = violations.required("userId", self.user_id);
        let user = user.and_then(|text| parse_id(violations, "userId", &text));
        let role = violations.required("role", self.role);
        let role = role.and_then(|text| parse_role(violations, &text));
        let expiry = match self.expires_at {
            SaidExpiry::Unsaid => Some(Expiry::Unsaid),
            SaidExpiry::Never => Some(Expiry::Never),
            SaidExpiry::At(text) => parse_moment(violations, &text).map(Expiry::At),
        };
        Some(WantedGrant {
            user: user?,
            role: role?,
            expiry: expiry?,
        })
    }
}

/// The identifier that a field holds, or an entry that says that it is none.
pub(super) fn parse_id<I: std::str::FromStr>(
    violations: &mut Violations,
    field: &str,
    text: &str,
) -> Option<I> {
    let parsed = text.parse().ok();
    if parsed.is_none() {
        violations.add(field, "invalid", "This must be a UUID.");
    }
    parsed
}

/// The role of this name, or an entry that says which names there are.
pub(super) fn parse_role(violations: &mut Violations, text: &str) -> Option<VenueRole> {
    let role = VenueRole::parse(text);
    if role.is_none() {
        let message = format!("This must be one of {}.", roles::VENUE_ROLES.join(", "));
        violations.add("role", "unknown_role", &message);
    }
    role
}

fn parse_moment(violations: &mut Violations, text: &str) -> Option<Timestamp> {
    let parsed = chrono::DateTime::parse_from_rfc3339(text);
    if parsed.is_err() {
        violations.add("expiresAt", "invalid", "This must be a time as in RFC 3339.");
    }
    Some(to_stored_precision(parsed.ok()?.to_utc()))
}

/// The answer to a grant.
#[derive(Serialize)]
pub(super) struct GrantView {
    pub(super) grant: Grant,
}

/// The answer to `GET /auth/venues/{venueId}/roles`.
#[derive(Serialize)]
pub(super) struct GrantList {
    pub(super) roles: Vec<Grant>,
}

/// The query of `DELETE /auth/venues/{venueId}/roles/{userId}`.
#[derive(Deserialize)]
pub(super) struct RevokeQuery {
    pub(super) role: Option<String>,
}

/// The query of `GET /auth/me/permissions`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnQuery {
    pub(super) venue_id: Option<String>,
}

/// The answer to `GET /auth/me/permissions`.
#[derive(Serialize)]
pub(super) struct OwnPermissions {
    pub(super) permissions: Vec<&'static str>,
    pub(super) roles: Vec<String>,
}

/// `POST /auth/authorize`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AuthorizeRequest {
    permission: Option<String>,
    venue_id: Option<String>,
}

/// What the caller wants to do, and where.
pub(super) struct WantedPermission {
    pub(super) permission: String,
    pub(super) venue: Option<VenueId>,
}

impl Validate for AuthorizeRequest {
    type Valid = WantedPermission;

    fn validate(self, violations: &mut Violations) -> Option<WantedPermission> {
        let permission = violations.required("permission", self.permission);
        let permission = permission.filter(|text| {
            let fits = !text.is_empty() && text.len() <= LONGEST_PERMISSION;
            if !fits {
                violations.add("permission", "invalid", "This must be 1 to 100 characters.");
            }
            fits
        });
        let venue = match self.venue_id {
            None => Some(None),
            Some(text) => parse_id(violations, "venueId", &text).map(Some),
        };
        Some(WantedPermission {
            permission: permission?,
            venue: venue?,
        })
    }
}

/// The answer to `POST /auth/authorize`.
#[derive(Serialize)]
pub(super) struct Authorization {
    allowed: bool,
    /// Stable: `global_role`, `venue_role` or `not_granted`.
    reason: &'static str,
}

impl From<Option<Source>> for Authorization {
    fn from(source: Option<Source>) -> Self {
        let reason = match source {
            Some(Source::GlobalRole) => "global_role",
            Some(Source::VenueRole) => "venue_role",
            None => "not_granted",
        };
        Self {
            allowed: source.is_some(),
            reason,
        }
    }
}
