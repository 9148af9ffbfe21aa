//! The SHA-256 of a secret that a machine made up: enough to recognise the secret, and of no use to whoever reads it.
//!
//! Such a secret has 256 random bits, so that there is nothing to guess, and no work that would make guessing harder:
//! passwords, which people choose, are argon2's (see `docs/decisions/0010-service-clients.md`).

use std::fmt;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use secrecy::{ExposeSecret as _, SecretString};
use subtle::{Choice, ConstantTimeEq as _};

use super::random::{self, Entropy};

/// A secret's SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretDigest([u8; SHA256_OUTPUT_LEN]);

impl SecretDigest {
    /// The digest of no secret that anybody can have: it stands in where there is none to compare with.
    pub const OF_NOTHING: Self = Self([0; SHA256_OUTPUT_LEN]);

    /// The digest of `secret`.
    #[must_use]
    pub fn of(secret: &SecretString) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, secret.expose_secret().as_bytes()).as_ref());
        Self(bytes)
    }

    /// The 32 bytes, to be looked up by.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; SHA256_OUTPUT_LEN] {
        self.0
    }

    /// Reads 64 hexadecimal digits, in either case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// 64 hexadecimal digits, in lower case.
    #[must_use]
    pub fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    /// Whether this is the digest of `secret`. Takes the same time wherever a difference lies.
    #[must_use]
    pub fn recognises(&self, secret: &SecretString) -> Choice {
        self.0.ct_eq(&Self::of(secret).0)
    }
}

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest(redacted)")
    }
}

/// A new secret: 256 random bits in base64url.
#[must_use]
pub fn generate_secret(entropy: &dyn Entropy) -> SecretString {
    Base64UrlUnpadded::encode_string(&random::bytes::<32>(entropy)).into()
}

#[cfg(test)]
mod tests {
    use super::super::random::SystemEntropy;
    use super::*;

    #[test]
    fn a_digest_recognises_its_secret_and_no_other() {
        let secret = SecretString::from("dev-service-secret");
        let digest = SecretDigest::of(&secret);
        assert!(bool::from(digest.recognises(&secret)));
        for other in [
            "",
            "dev-service-secre",
            "dev-service-secret ",
            "Dev-service-secret",
        ] {
            assert!(!bool::from(digest.recognises(&other.into())), "{other:?}");
        }
        assert!(!bool::from(SecretDigest::OF_NOTHING.recognises(&secret)));
    }

    #[test]
    fn a_digest_survives_text() {
        // FIPS 180-4, the one-block message.
        let digest = SecretDigest::of(&"abc".into());
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_hex(), text);
        for spelled in [text, &text.to_uppercase()] {
            assert_eq!(SecretDigest::parse(spelled), Some(digest));
        }
    }

    #[test]
    fn anything_but_64_hexadecimal_digits_is_refused() {
        let text = SecretDigest::of(&"abc".into()).to_hex();
        for bad in [
            "",
            &text[1..],
            &format!("{text}0"),
            &format!("{}g", &text[1..]),
            &format!(" {text}"),
        ] {
            assert_eq!(SecretDigest::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn generated_secrets_are_long_and_differ() {
        let (one, two) = (generate_secret(&SystemEntropy), generate_secret(&SystemEntropy));
        assert_eq!(one.expose_secret().len(), 43);
        assert_ne!(one.expose_secret(), two.expose_secret());
    }

    #[test]
    fn a_digest_is_not_shown() {
        assert_eq!(
            format!("{:?}", SecretDigest::of(&"abc".into())),
            "SecretDigest(redacted)"
        );
    }
}
