//! What clients send and get about device keys.

use base64ct::{Base64, Base64Unpadded, Encoding as _};
use serde::{Deserialize, Serialize};

use crate::http::{Validate, Violations};
use crate::kernel::ids::DeviceKeyId;
use crate::kernel::time::{Timestamp, as_optional_rfc3339, as_rfc3339};

use super::challenge::LIFETIME;
use super::key::PublicKey;

/// Most characters of what an application calls a device.
const LONGEST_DEVICE: usize = 128;

/// What a device asks of its holder before it signs: the application's word for it. The names are those of the HTTP contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type, strum::EnumString)]
#[serde(rename_all = "camelCase")]
#[sqlx(type_name = "text", rename_all = "camelCase")]
#[strum(serialize_all = "camelCase")]
pub(super) enum Kind {
    /// A face.
    FaceId,
    /// A finger.
    TouchId,
    /// A finger.
    Fingerprint,
}

/// `POST /auth/biometric/register`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RegisterRequest {
    #[serde(alias = "device_id")]
    device_id: Option<String>,
    #[serde(alias = "public_key")]
    public_key: Option<String>,
    #[serde(rename = "type", alias = "biometricType")]
    kind: Option<String>,
}

/// A key that is to be registered.
pub(super) struct NewDeviceKey {
    pub(super) client_device: String,
    pub(super) key: PublicKey,
    pub(super) kind: Kind,
}

impl Validate for RegisterRequest {
    type Valid = NewDeviceKey;

    fn validate(self, violations: &mut Violations) -> Option<NewDeviceKey> {
        let device = violations.required("deviceId", self.device_id);
        let key = violations.required("publicKey", self.public_key);
        let kind = violations.required("type", self.kind);
        let device = device.and_then(|text| parse_device(violations, text));
        let key = key.and_then(|text| match PublicKey::parse(&text) {
            Ok(key) => Some(key),
            Err(unfit) => {
                violations.add("publicKey", "invalid", &unfit.to_string());
                None
            }
        });
        let kind = kind.and_then(|text| {
            let kind = text.parse().ok();
            if kind.is_none() {
                violations.add("type", "invalid", "The type is faceId, touchId or fingerprint.");
            }
            kind
        });
        Some(NewDeviceKey {
            client_device: device?,
            key: key?,
            kind: kind?,
        })
    }
}

fn parse_device(violations: &mut Violations, text: String) -> Option<String> {
    if (1..=LONGEST_DEVICE).contains(&text.chars().count()) {
        return Some(text);
    }
    violations.add(
        "deviceId",
        "invalid",
        "The name of the device has 1 to 128 characters.",
    );
    None
}

/// `POST /auth/biometric/challenge`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChallengeRequest {
    #[serde(alias = "credential_id")]
    credential_id: Option<String>,
}

impl Validate for ChallengeRequest {
    type Valid = String;

    fn validate(self, violations: &mut Violations) -> Option<String> {
        violations.required("credentialId", self.credential_id)
    }
}

/// The answer to it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChallengeView {
    challenge: String,
    expires_in: i64,
}

impl From<String> for ChallengeView {
    fn from(challenge: String) -> Self {
        Self {
            challenge,
            expires_in: LIFETIME.num_seconds(),
        }
    }
}

/// `POST /auth/biometric/login`, and a step-up by a device key.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedRequest {
    #[serde(alias = "credential_id")]
    credential_id: Option<String>,
    #[serde(alias = "device_id")]
    device_id: Option<String>,
    challenge: Option<String>,
    signature: Option<String>,
}

/// A challenge that was signed, or is said to be.
#[derive(Clone, Debug)]
pub struct Signed {
    /// What the key is called, as it was given.
    pub credential: String,
    /// What the application calls the device.
    pub client_device: String,
    /// The text that was signed.
    pub challenge: String,
    /// The signature; empty where what was given is no base64.
    pub signature: Vec<u8>,
}

impl Validate for SignedRequest {
    type Valid = Signed;

    fn validate(self, violations: &mut Violations) -> Option<Signed> {
        let credential = violations.required("credentialId", self.credential_id);
        let client_device = violations.required("deviceId", self.device_id);
        let challenge = violations.required("challenge", self.challenge);
        let signature = violations.required("signature", self.signature);
        let text = signature?;
        // What is no base64 is no signature either.
        let signature = Base64::decode_vec(&text).or_else(|_| Base64Unpadded::decode_vec(&text));
        Some(Signed {
            credential: credential?,
            client_device: client_device?,
            challenge: challenge?,
            signature: signature.unwrap_or_default(),
        })
    }
}

/// The answer to a registration.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Registered {
    pub(super) credential_id: DeviceKeyId,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
}

/// A key as its holder sees it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeviceKeyView {
    pub(super) credential_id: DeviceKeyId,
    pub(super) device_id: String,
    #[serde(rename = "type")]
    pub(super) kind: Kind,
    #[serde(with = "as_rfc3339")]
    pub(super) created_at: Timestamp,
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    pub(super) last_used_at: Option<Timestamp>,
}

/// The answer to `GET /auth/biometric/devices`.
#[derive(Serialize)]
pub(super) struct DeviceKeyList {
    pub(super) devices: Vec<DeviceKeyView>,
}
