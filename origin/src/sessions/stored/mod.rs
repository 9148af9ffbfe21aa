//! All that is stored of the sessions of an account, for its holder.

mod store;

use std::net::IpAddr;

use serde::Serialize;

use crate::kernel::ids::{DeviceId, SessionId};
use crate::kernel::time::{Timestamp, as_optional_rfc3339, as_rfc3339};

pub use store::find as stored;

/// The row of a session, live or not, without what its refresh tokens are made from.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredSession {
    id: SessionId,
    #[serde(with = "as_rfc3339")]
    created_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    rotated_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    last_active_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    idle_expires_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    absolute_expires_at: Timestamp,
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    revoked_at: Option<Timestamp>,
    revoked_reason: Option<String>,
    #[serde(with = "as_rfc3339")]
    auth_time: Timestamp,
    amr: Vec<String>,
    acr: String,
    ip_address: Option<IpAddr>,
    user_agent: Option<String>,
    device_id: Option<DeviceId>,
    device_name: Option<String>,
}
