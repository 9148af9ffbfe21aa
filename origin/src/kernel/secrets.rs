//! Secrets at rest: bytes that wipe themselves, and the master key that seals them.
//!
//! Invariants:
//! - What is sealed is bound to the row it belongs to (the associated data), so that a value copied to another
//!   row does not open there.
//! - A refusal to open says nothing about why; there is nothing a caller could do differently.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hkdf;
use zeroize::Zeroizing;

/// Bytes that are shown to nobody and wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    /// Takes the bytes over.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the cryptographic call that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes(redacted)")
    }
}

/// The key that wraps every secret in the database (AES-256-GCM), and from which keys of one purpose are derived.
/// Beside it may stand others that only open, while secrets are moved from one master key to another.
#[derive(Clone)]
pub struct MasterKey(Arc<Inner>);

struct Inner {
    id: String,
    aead: RandomizedNonceKey,
    secret: SecretBytes,
    opening: BTreeMap<String, RandomizedNonceKey>,
}

/// A sealed secret as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Which master key sealed it.
    pub key_id: String,
    /// The 12-byte nonce, the ciphertext, and the 16-byte tag, in this order.
    pub bytes: Vec<u8>,
}

/// Why a secret could not be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// The master key is not 32 bytes.
    #[error("a master key has 32 bytes")]
    KeyLength,
    /// The value was sealed under a master key that is not configured.
    #[error("the secret was sealed under another master key")]
    OtherKey,
    /// The value was altered, belongs to another row, or is no sealed value at all.
    #[error("the sealed secret does not open")]
    DoesNotOpen,
    /// The cryptographic library refused to seal.
    #[error("the secret could not be sealed")]
    DoesNotSeal,
}

impl MasterKey {
    /// Length of a master key in bytes.
    pub const LEN: usize = 32;

    /// A master key from its 32 bytes. `id` is stored beside everything it seals.
    pub fn new(id: impl Into<String>, key: SecretBytes) -> Result<Self, SecretsError> {
        Self::with_others(id, key, [])
    }

    /// The same, with `others` by their ids, which open what they have sealed and seal nothing. One of the same
    /// id as the master key's own is never asked.
    pub fn with_others(
        id: impl Into<String>,
        key: SecretBytes,
        others: impl IntoIterator<Item = (String, SecretBytes)>,
    ) -> Result<Self, SecretsError> {
        let opening = others
            .into_iter()
            .map(|(id, key)| Ok((id, aead(&key)?)))
            .collect::<Result<_, SecretsError>>()?;
        Ok(Self(Arc::new(Inner {
            id: id.into(),
            aead: aead(&key)?,
            secret: key,
            opening,
        })))
    }

    /// The identifier that is stored beside what this key seals.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Seals `plaintext` for the row that `aad` names, for example `signing_keys/2026-11`.
    pub fn seal(&self, plaintext: &[u8], aad: &str) -> Result<Sealed, SecretsError> {
        let mut in_out = plaintext.to_vec();
        let nonce = self
            .0
            .aead
            .seal_in_place_append_tag(Aad::from(aad.as_bytes()), &mut in_out)
            .map_err(|_| SecretsError::DoesNotSeal)?;
        let mut bytes = nonce.as_ref().to_vec();
        bytes.append(&mut in_out);
        Ok(Sealed {
            key_id: self.0.id.clone(),
            bytes,
        })
    }

    /// Opens what [`seal`](Self::seal) made for the same `aad`.
    pub fn open(&self, sealed: &Sealed, aad: &str) -> Result<SecretBytes, SecretsError> {
        let key = if sealed.key_id == self.0.id {
            &self.0.aead
        } else {
            self.0.opening.get(&sealed.key_id).ok_or(SecretsError::OtherKey)?
        };
        let (nonce, ciphertext) = sealed
            .bytes
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(SecretsError::DoesNotOpen)?;
        let mut in_out = Zeroizing::new(ciphertext.to_vec());
        let plaintext = key
            .open_in_place(Nonce::from(nonce), Aad::from(aad.as_bytes()), &mut in_out)
            .map_err(|_| SecretsError::DoesNotOpen)?;
        Ok(SecretBytes::new(plaintext.to_vec()))
    }

    /// The same secret under this master key, for the same row.
    pub fn rewrap(&self, sealed: &Sealed, aad: &str) -> Result<Sealed, SecretsError> {
        self.seal(self.open(sealed, aad)?.expose(), aad)
    }

    /// A 32-byte key for one purpose, by HKDF-SHA256 (RFC 5869). The same purpose always gives the same key.
    pub fn derive(&self, purpose: &str) -> Result<SecretBytes, SecretsError> {
        let mut key = vec![0; 32];
        hkdf::Salt::new(hkdf::HKDF_SHA256, b"portcullis-derived-key-v1")
            .extract(self.0.secret.expose())
            .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(&mut key))
            .map_err(|_| SecretsError::DoesNotSeal)?;
        Ok(SecretBytes::new(key))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey")
            .field("id", &self.0.id)
            .finish_non_exhaustive()
    }
}

fn aead(key: &SecretBytes) -> Result<RandomizedNonceKey, SecretsError> {
    RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(|_| SecretsError::KeyLength)
}

/// What became of one batch of a table whose rows move to another master key.
#[derive(Debug, Default)]
pub struct RewrappedBatch {
    /// How many rows are under the current master key now.
    pub rewrapped: u64,
    /// The rows that did not open, and were left as they are.
    pub unopened: Vec<Unopened>,
    /// The last row that was looked at; the next batch begins after it. `None`: there is no next batch.
    pub last: Option<String>,
}

impl RewrappedBatch {
    /// The value of `row` under the current master key. `None` if it does not open, which is noted.
    pub fn reseal(
        &mut self,
        master: &MasterKey,
        row: &str,
        sealed: &Sealed,
    ) -> Result<Option<Sealed>, SecretsError> {
        match master.rewrap(sealed, row) {
            Ok(resealed) => Ok(Some(resealed)),
            Err(reason @ (SecretsError::OtherKey | SecretsError::DoesNotOpen)) => {
                self.unopened.push(Unopened {
                    row: row.to_owned(),
                    key_id: sealed.key_id.clone(),
                    reason,
                });
                Ok(None)
            }
            Err(error @ (SecretsError::KeyLength | SecretsError::DoesNotSeal)) => Err(error),
        }
    }
}

/// A row that does not open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unopened {
    /// Table and row, such as `signing_keys/2026-11`.
    pub row: String,
    /// The master key that it says it is sealed under.
    pub key_id: String,
    /// Why it does not open.
    pub reason: SecretsError,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, byte: u8) -> MasterKey {
        MasterKey::new(id, SecretBytes::new(vec![byte; 32])).unwrap()
    }

    #[test]
    fn a_sealed_secret_opens_for_its_row() {
        let sealed = key("1", 7).seal(b"private", "signing_keys/a").unwrap();
        assert_eq!(sealed.key_id, "1");
        assert_eq!(
            key("1", 7).open(&sealed, "signing_keys/a").unwrap().expose(),
            b"private"
        );
    }

    #[test]
    fn a_sealed_secret_does_not_open_for_another_row() {
        let sealed = key("1", 7).seal(b"private", "signing_keys/a").unwrap();
        assert_eq!(
            key("1", 7).open(&sealed, "signing_keys/b"),
            Err(SecretsError::DoesNotOpen)
        );
    }

    #[test]
    fn a_sealed_secret_does_not_open_under_another_key() {
        let sealed = key("1", 7).seal(b"private", "row").unwrap();
        assert_eq!(key("2", 7).open(&sealed, "row"), Err(SecretsError::OtherKey));
        assert_eq!(key("1", 8).open(&sealed, "row"), Err(SecretsError::DoesNotOpen));
    }

    #[test]
    fn another_master_key_opens_and_never_seals() {
        let old = key("1", 7).seal(b"private", "row").unwrap();
        let other = ("1".to_owned(), SecretBytes::new(vec![7; 32]));
        let both = MasterKey::with_others("2", SecretBytes::new(vec![8; 32]), [other]).unwrap();
        assert_eq!(both.open(&old, "row").unwrap().expose(), b"private");
        assert_eq!(both.open(&old, "other row"), Err(SecretsError::DoesNotOpen));
        assert_eq!(both.seal(b"private", "row").unwrap().key_id, "2");

        let moved = both.rewrap(&old, "row").unwrap();
        assert_eq!(moved.key_id, "2");
        assert_eq!(key("2", 8).open(&moved, "row").unwrap().expose(), b"private");
        assert_eq!(both.rewrap(&old, "other row"), Err(SecretsError::DoesNotOpen));
    }

    #[test]
    fn the_current_key_wins_over_another_of_its_name() {
        let other = ("1".to_owned(), SecretBytes::new(vec![7; 32]));
        let both = MasterKey::with_others("1", SecretBytes::new(vec![8; 32]), [other]).unwrap();
        let sealed = both.seal(b"private", "row").unwrap();
        assert_eq!(both.open(&sealed, "row").unwrap().expose(), b"private");
    }

    #[test]
    fn each_altered_byte_is_noticed() {
        let sealed = key("1", 7).seal(b"private", "row").unwrap();
        for at in 0..sealed.bytes.len() {
            let mut altered = sealed.clone();
            altered.bytes[at] ^= 1;
            assert_eq!(
                key("1", 7).open(&altered, "row"),
                Err(SecretsError::DoesNotOpen),
                "byte {at}"
            );
        }
        for length in 0..sealed.bytes.len() {
            let short = Sealed {
                key_id: "1".into(),
                bytes: sealed.bytes[..length].to_vec(),
            };
            assert_eq!(
                key("1", 7).open(&short, "row"),
                Err(SecretsError::DoesNotOpen),
                "{length} bytes"
            );
        }
    }

    #[test]
    fn the_same_secret_is_never_sealed_to_the_same_bytes() {
        let key = key("1", 7);
        assert_ne!(
            key.seal(b"private", "row").unwrap(),
            key.seal(b"private", "row").unwrap()
        );
    }

    #[test]
    fn derived_keys_differ_by_purpose_and_master_key() {
        let derived = key("1", 7).derive("a").unwrap();
        assert_eq!(derived.expose().len(), 32);
        assert_eq!(derived, key("1", 7).derive("a").unwrap());
        assert_ne!(derived, key("1", 7).derive("b").unwrap());
        assert_ne!(derived, key("1", 8).derive("a").unwrap());
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        assert_eq!(
            MasterKey::new("1", SecretBytes::new(vec![7; 31])).unwrap_err(),
            SecretsError::KeyLength
        );
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?} {:?}", key("1", 7), SecretBytes::new(b"private".to_vec()));
        assert!(!shown.contains("private") && !shown.contains("7, 7"), "{shown}");
    }
}
