//! Public RSA keys and key sets (RFC 7517, RFC 7518 §6.3).
//!
//! Invariants: a key that exists as [`RsaVerifyingKey`] is fit to verify RS256 with any backend, so that no
//! backend can disagree about which keys are good; a `kid` names one key or none.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::base64url;

/// The longest key set that is read, in bytes.
pub const MAX_SET_BYTES: usize = 64 * 1024;
/// The most members a key set may have, usable or not.
pub const MAX_SET_KEYS: usize = 32;
/// For how long a key set may be used without asking for it again, in seconds. Whoever publishes says so, whoever
/// verifies keeps to it, and a new key waits for it before it signs.
pub const MAX_AGE_SECONDS: i64 = 300;

const EXPONENT: [u8; 3] = [1, 0, 1];
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// Why a key or a key set is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Longer than [`MAX_SET_BYTES`].
    #[error("the key set is longer than 65536 bytes")]
    TooLong,
    /// More than [`MAX_SET_KEYS`] members.
    #[error("the key set has more than 32 keys")]
    TooManyKeys,
    /// Not `{"keys": […]}`, or with a `version` that is not a whole number from 0 on.
    #[error("the text is not a JSON Web Key Set")]
    NotAKeySet,
    /// A member is missing or of the wrong type.
    #[error("the text is not a JSON Web Key")]
    NotAKey,
    /// `kty` is not `RSA`.
    #[error("the key is not an RSA key")]
    KeyType,
    /// `kid` is missing or empty.
    #[error("the key has no kid")]
    KeyId,
    /// `use`, `alg` or `key_ops` keep the key from verifying RS256.
    #[error("the key is not meant for RS256 verification")]
    Purpose,
    /// Not canonical base64url, even, or not of 2048 to 4096 bits; or a backend would not take it.
    #[error("the modulus is not an odd number of 2048 to 4096 bits")]
    Modulus,
    /// Not 65537.
    #[error("the public exponent is not 65537")]
    Exponent,
}

/// The public members of a JSON Web Key. Private members are never read and never written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Key type.
    pub kty: String,
    /// Key identifier.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub kid: Option<String>,
    /// Intended use: `sig` or `enc`.
    #[serde(
        default,
        rename = "use",
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub public_key_use: Option<String>,
    /// The one algorithm the key is for.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub alg: Option<String>,
    /// The operations the key is for.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub key_ops: Option<Vec<String>>,
    /// RSA modulus, base64url.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub n: Option<String>,
    /// RSA public exponent, base64url.
    #[serde(
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    pub e: Option<String>,
}

/// A member that is there must have its type: `null` is not the same as absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// An RSA public key that may verify RS256: 2048 to 4096 bits, exponent 65537, with a `kid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaVerifyingKey {
    kid: String,
    modulus: Vec<u8>,
}

impl RsaVerifyingKey {
    /// Checks `modulus` and `exponent`, both big-endian without leading zeros.
    pub fn from_components(kid: &str, modulus: &[u8], exponent: &[u8]) -> Result<Self, JwkError> {
        if kid.is_empty() {
            return Err(JwkError::KeyId);
        }
        if exponent != EXPONENT {
            return Err(JwkError::Exponent);
        }
        let first = modulus.first().copied().unwrap_or(0);
        let is_odd = modulus.last().is_some_and(|last| last & 1 == 1);
        let bits = (modulus.len() * 8).saturating_sub(first.leading_zeros() as usize);
        if first == 0 || !is_odd || !MODULUS_BITS.contains(&bits) {
            return Err(JwkError::Modulus);
        }
        Ok(Self {
            kid: kid.to_owned(),
            modulus: modulus.to_vec(),
        })
    }

    /// Checks a JSON Web Key: its type, purpose (`use`, `alg`, `key_ops`, each where present) and numbers.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self, JwkError> {
        if jwk.kty != "RSA" {
            return Err(JwkError::KeyType);
        }
        let for_signatures = jwk
            .public_key_use
            .as_deref()
            .is_none_or(|purpose| purpose == "sig");
        let for_rs256 = jwk.alg.as_deref().is_none_or(|alg| alg == "RS256");
        let for_verification = jwk
            .key_ops
            .as_ref()
            .is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        if !(for_signatures && for_rs256 && for_verification) {
            return Err(JwkError::Purpose);
        }
        let kid = jwk.kid.as_deref().ok_or(JwkError::KeyId)?;
        let modulus = jwk
            .n
            .as_deref()
            .and_then(base64url::decode)
            .ok_or(JwkError::Modulus)?;
        let exponent = jwk
            .e
            .as_deref()
            .and_then(base64url::decode)
            .ok_or(JwkError::Exponent)?;
        Self::from_components(kid, &modulus, &exponent)
    }

    /// The identifier tokens refer to it by.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The modulus, big-endian without leading zeros.
    #[must_use]
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The public exponent, big-endian without leading zeros.
    #[must_use]
    pub fn exponent(&self) -> &[u8] {
        &EXPONENT
    }

    /// The key as it is published: `use` is `sig`, `alg` is `RS256`.
    #[must_use]
    pub fn to_jwk(&self) -> Jwk {
        Jwk {
            kty: "RSA".to_owned(),
            kid: Some(self.kid.clone()),
            public_key_use: Some("sig".to_owned()),
            alg: Some("RS256".to_owned()),
            key_ops: None,
            n: Some(base64url::encode(&self.modulus)),
            e: Some(base64url::encode(&EXPONENT)),
        }
    }
}

/// The keys a token may have been signed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JwkSet {
    keys: Vec<RsaVerifyingKey>,
    version: u64,
}

#[derive(Deserialize)]
struct Members<'t> {
    #[serde(borrow)]
    keys: Vec<&'t RawValue>,
    #[serde(default)]
    version: u64,
}

#[derive(Serialize)]
struct Published {
    keys: Vec<Jwk>,
    #[serde(skip_serializing_if = "is_unversioned")]
    version: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is that of serde's attribute"
)]
fn is_unversioned(version: &u64) -> bool {
    *version == 0
}

impl JwkSet {
    /// Reads a key set of at most [`MAX_SET_BYTES`] and [`MAX_SET_KEYS`]. Members that cannot verify RS256 are
    /// skipped (RFC 7517 §5); a `kid` that two usable members share names neither.
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> {
        if json.len() > MAX_SET_BYTES {
            return Err(JwkError::TooLong);
        }
        let members: Members<'_> = serde_json::from_slice(json).map_err(|_| JwkError::NotAKeySet)?;
        if members.keys.len() > MAX_SET_KEYS {
            return Err(JwkError::TooManyKeys);
        }
        let usable = members
            .keys
            .into_iter()
            .filter_map(|member| serde_json::from_str::<Jwk>(member.get()).ok())
            .filter_map(|jwk| RsaVerifyingKey::from_jwk(&jwk).ok())
            .collect();
        Ok(Self::from_keys(usable).with_version(members.version))
    }

    /// A set of `keys` without a version; a `kid` that two of them share names neither.
    #[must_use]
    pub fn from_keys(mut keys: Vec<RsaVerifyingKey>) -> Self {
        let kids: Vec<String> = keys.iter().map(|key| key.kid.clone()).collect();
        keys.retain(|key| kids.iter().filter(|kid| **kid == key.kid).count() == 1);
        Self { keys, version: 0 }
    }

    /// The same keys, as the set of this version.
    #[must_use]
    pub fn with_version(self, version: u64) -> Self {
        Self { version, ..self }
    }

    /// Which of the issuer's sets this is: of two, the one with the greater number is the newer. The member
    /// `version` is an additional one in the sense of RFC 7517 §5; without it, 0.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The one key `kid` names.
    #[must_use]
    pub fn key(&self, kid: &str) -> Option<&RsaVerifyingKey> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    /// All usable keys.
    pub fn keys(&self) -> impl Iterator<Item = &RsaVerifyingKey> {
        self.keys.iter()
    }

    /// How many keys are usable.
    #[must_use]
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key is usable.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The set as it is published.
    #[must_use]
    pub fn to_json(&self) -> String {
        let published = Published {
            keys: self.keys().map(RsaVerifyingKey::to_jwk).collect(),
            version: self.version,
        };
        // Strings in a list cannot fail to serialise; an empty set would be the harmless answer.
        serde_json::to_string(&published).unwrap_or_else(|_| r#"{"keys":[]}"#.to_owned())
    }
}
