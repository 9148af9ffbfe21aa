//! Signing keys and access tokens as the other rooms see them.

use serde::{Serialize, Serializer};

use crate::kernel::time::{Timestamp, as_optional_rfc3339, as_rfc3339};

/// Where a signing key is in its life: `next` → `active` → `retired` → `removed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum KeyState {
    /// Published so that verifiers learn of it; does not sign yet.
    Next,
    /// Signs. There is one.
    Active,
    /// Published until the last token it signed has expired; does not sign.
    Retired,
    /// Neither published nor able to sign: its private part is gone.
    Removed,
}

impl KeyState {
    /// The name in the database and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Removed => "removed",
        }
    }
}

impl Serialize for KeyState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A signing key as `portcullis keys list` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeySummary {
    /// Its name.
    pub kid: String,
    /// Where it is in its life.
    pub state: KeyState,
    /// Length of the modulus in bits.
    pub bits: usize,
    /// When it was made or imported, and so since when it has been published.
    #[serde(rename = "publishedSince", with = "as_rfc3339")]
    pub created_at: Timestamp,
    /// When it may begin to sign, if it waits for that.
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    pub activates_at: Option<Timestamp>,
    /// When it began to sign, if it has.
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    pub activated_at: Option<Timestamp>,
    /// When it stopped signing, or came in as one that never has.
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    pub retired_at: Option<Timestamp>,
    /// When it leaves the key set. `None` for a retired key: when it is removed by hand.
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    pub publish_until: Option<Timestamp>,
    /// When its private part was erased.
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    pub removed_at: Option<Timestamp>,
    /// Which master key its private part is sealed under, while there is one.
    pub master_key_id: Option<String>,
}

/// An access token that was just made.
pub struct AccessToken {
    /// The compact form.
    pub token: String,
    /// Seconds from now until it expires.
    pub expires_in: i64,
}
