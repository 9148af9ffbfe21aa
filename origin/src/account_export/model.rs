//! What a person gets.

use serde::Serialize;

use crate::accounts::StoredAccount;
use crate::audit::StoredEvent;
use crate::device_keys::StoredDeviceKey;
use crate::devices::StoredDevice;
use crate::kernel::excerpt::Excerpt;
use crate::kernel::time::{Timestamp, as_rfc3339};
use crate::mfa::{StoredBackupCode, StoredChallenge, StoredFactor};
use crate::rbac::StoredGrant;
use crate::recovery::StoredTicket;
use crate::sessions::StoredSession;

/// The version of the document's form. It changes when a member is renamed or removed, not when one is added.
pub(super) const FORMAT: u8 = 1;

/// The answer to `GET /auth/account/export`, described in `docs/privacy.md`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountExport {
    pub(super) format: u8,
    #[serde(with = "as_rfc3339")]
    pub(super) exported_at: Timestamp,
    pub(super) account: StoredAccount,
    pub(super) sessions: Excerpt<StoredSession>,
    pub(super) devices: Vec<StoredDevice>,
    pub(super) venue_roles: VenueRoles,
    pub(super) device_keys: Vec<StoredDeviceKey>,
    pub(super) totp_factors: Vec<StoredFactor>,
    pub(super) backup_codes: Vec<StoredBackupCode>,
    pub(super) sign_in_challenges: Vec<StoredChallenge>,
    pub(super) tickets: Vec<StoredTicket>,
    pub(super) audit_events: Excerpt<StoredEvent>,
}

/// Roles at venues, from both sides.
#[derive(Serialize)]
pub(super) struct VenueRoles {
    pub(super) held: Excerpt<StoredGrant>,
    pub(super) given: Excerpt<StoredGrant>,
}
