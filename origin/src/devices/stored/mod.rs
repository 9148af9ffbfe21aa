//! All that is stored of the devices of an account, for its holder.

mod store;

use serde::Serialize;

use crate::kernel::ids::DeviceId;
use crate::kernel::time::{Timestamp, as_rfc3339};

pub use store::find as stored;

/// The row of a device, without the digest of its token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredDevice {
    id: DeviceId,
    kind: Option<String>,
    #[serde(with = "as_rfc3339")]
    first_seen_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    last_seen_at: Timestamp,
}
