//! What clients send to see and end access, and what they get.

use std::net::IpAddr;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::accounts::fields::parse_new_password;
use crate::devices::KnownDevice;
use crate::http::{Validate, Violations};
use crate::kernel::ids::{DeviceId, SessionId};
use crate::kernel::passwords::Password;
use crate::kernel::time::{Timestamp, as_rfc3339};
use crate::sessions::ListedSession;

/// One of `sessions` in the HTTP contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SessionView {
    id: SessionId,
    /// Whether it is the one that asks.
    current: bool,
    ip_address: Option<IpAddr>,
    user_agent: Option<String>,
    device_name: Option<String>,
    #[serde(with = "as_rfc3339")]
    created_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    last_active_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    expires_at: Timestamp,
}

impl SessionView {
    pub(super) fn new(listed: ListedSession, current: SessionId) -> Self {
        Self {
            current: listed.id == current,
            id: listed.id,
            ip_address: listed.ip_address,
            user_agent: listed.user_agent,
            device_name: listed.device_name,
            created_at: listed.created_at,
            last_active_at: listed.last_active_at,
            expires_at: listed.expires_at,
        }
    }
}

/// The answer to `GET /auth/sessions`.
#[derive(Serialize)]
pub(super) struct SessionList {
    pub(super) sessions: Vec<SessionView>,
}

/// One of `devices` in the HTTP contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceView {
    id: DeviceId,
    name: Option<String>,
    /// From 0 to 100.
    trust_score: u8,
    #[serde(with = "as_rfc3339")]
    first_seen_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    last_seen_at: Timestamp,
    /// Whether the session that asks is on it.
    current: bool,
}

impl DeviceView {
    pub(super) fn new(known: KnownDevice, current: Option<DeviceId>, now: Timestamp) -> Self {
        Self {
            trust_score: known.trust(now).score(),
            current: current == Some(known.id),
            id: known.id,
            name: known.kind,
            first_seen_at: known.first_seen_at,
            last_seen_at: known.last_seen_at,
        }
    }
}

/// The answer to `GET /auth/devices`.
#[derive(Serialize)]
pub(super) struct DeviceList {
    pub(super) devices: Vec<DeviceView>,
}

/// The query of `DELETE /auth/sessions/all`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RevokeAllQuery {
    #[serde(default)]
    pub(super) include_current: bool,
}

/// The answer to `DELETE /auth/sessions/all`.
#[derive(Serialize)]
pub(super) struct Revoked {
    pub(super) revoked: usize,
}

/// `PUT /auth/change-password`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangePasswordRequest {
    #[serde(alias = "current_password")]
    current_password: Option<SecretString>,
    #[serde(alias = "new_password")]
    new_password: Option<SecretString>,
}

/// `DELETE /auth/account`.
#[derive(Deserialize)]
pub(super) struct DeleteAccountRequest {
    password: Option<SecretString>,
}

impl Validate for DeleteAccountRequest {
    type Valid = Password;

    fn validate(self, violations: &mut Violations) -> Option<Password> {
        let given = self.password.filter(|text| !text.expose_secret().is_empty());
        Some(Password::new(&violations.required("password", given)?))
    }
}

/// The password an account has, and the one it is to have.
pub(super) struct PasswordChange {
    pub(super) current: Password,
    pub(super) new: Password,
}

impl Validate for ChangePasswordRequest {
    type Valid = PasswordChange;

    fn validate(self, violations: &mut Violations) -> Option<PasswordChange> {
        let given = self
            .current_password
            .filter(|text| !text.expose_secret().is_empty());
        let current = violations.required("currentPassword", given);
        let new = violations.required("newPassword", self.new_password);
        let new = new.and_then(|text| parse_new_password(violations, "newPassword", &text));
        Some(PasswordChange {
            current: Password::new(&current?),
            new: new?,
        })
    }
}
