//! The device keys of an account, for its holder.

mod store;

use serde::Serialize;

use crate::kernel::ids::{DeviceId, DeviceKeyId};
use crate::kernel::time::{Timestamp, as_optional_rfc3339, as_rfc3339};

pub use store::find as stored;

/// The row of a device key. The key is public, and handed out in hexadecimal digits.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredDeviceKey {
    id: DeviceKeyId,
    device_id: Option<DeviceId>,
    client_device: String,
    algorithm: String,
    public_key: String,
    kind: String,
    #[serde(with = "as_rfc3339")]
    created_at: Timestamp,
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    last_used_at: Option<Timestamp>,
}
