//! All that is stored of the roles that an account holds at venues or has granted there, for its holder.

mod store;

use serde::Serialize;

use crate::kernel::ids::{GrantId, UserId, VenueId};
use crate::kernel::time::{Timestamp, as_optional_rfc3339, as_rfc3339};

pub use store::{find_given as stored_given, find_held as stored_held};

/// The row of a grant, whether or not it has run out.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredGrant {
    id: GrantId,
    user_id: UserId,
    venue_id: VenueId,
    role: String,
    granter: String,
    granted_by: Option<UserId>,
    #[serde(with = "as_rfc3339")]
    granted_at: Timestamp,
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    expires_at: Option<Timestamp>,
}
