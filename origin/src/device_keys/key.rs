//! Public keys of devices: P-256 and Ed25519.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, ParsedPublicKey, UnparsedPublicKey, VerificationAlgorithm,
};
use base64ct::{Base64, Encoding as _};
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

/// What precedes a challenge where it is signed: a signature of ours is good for nothing else, and nothing else for us.
const PREFIX: &[u8] = b"portcullis-biometric-v1\n";

/// RFC 5480 §2.1.1.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// RFC 8410 §3.
const ED: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// First byte and length of a point that is not compressed (SEC 1 §2.3.3).
const UNCOMPRESSED: (u8, usize) = (4, 65);

/// A signature scheme. The stored names never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub(super) enum Algorithm {
    /// ECDSA with SHA-256; signatures in DER.
    P256,
    /// RFC 8032.
    Ed25519,
}

impl Algorithm {
    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1,
            Self::Ed25519 => &ED25519,
        }
    }
}

/// A key that signatures can be checked by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub(super) algorithm: Algorithm,
    /// The uncompressed point, or 32 bytes.
    pub(super) bytes: Vec<u8>,
}

/// Why a text is not the key of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitKey {
    /// It is neither PEM nor DER in base64.
    #[error("The key is not a SubjectPublicKeyInfo, in PEM or as DER in base64.")]
    Malformed,
    /// There are several.
    #[error("There has to be one key, and nothing after it.")]
    Several,
    /// It is a private key, or something else that PEM can hold.
    #[error("The PEM has to hold a PUBLIC KEY.")]
    NotPublic,
    /// It is of another kind.
    #[error("The key has to be on P-256, or an Ed25519 key.")]
    OtherAlgorithm,
    /// Its point is compressed.
    #[error("The point of the key has to be uncompressed.")]
    Compressed,
    /// No such point is on the curve.
    #[error("The key is not a point of its curve.")]
    NotOnCurve,
}

impl PublicKey {
    /// Reads a `SubjectPublicKeyInfo` (RFC 5280 §4.1), in PEM or as DER in base64.
    pub fn parse(text: &str) -> Result<Self, UnfitKey> {
        let der = der(text.trim())?;
        let info = SubjectPublicKeyInfoRef::try_from(der.as_slice()).map_err(|_| UnfitKey::Malformed)?;
        let bytes = info.subject_public_key.as_bytes().ok_or(UnfitKey::Malformed)?;
        let algorithm = match (info.algorithm.oid, info.algorithm.parameters) {
            (EC, Some(parameters)) => match parameters.decode_as::<ObjectIdentifier>() {
                Ok(P256)
                    if (bytes.first().copied(), bytes.len()) != (Some(UNCOMPRESSED.0), UNCOMPRESSED.1) =>
                {
                    return Err(UnfitKey::Compressed);
                }
                Ok(P256) => Algorithm::P256,
                Ok(_) | Err(_) => return Err(UnfitKey::OtherAlgorithm),
            },
            (ED, None) => Algorithm::Ed25519,
            _ => return Err(UnfitKey::OtherAlgorithm),
        };
        ParsedPublicKey::new(algorithm.verification(), bytes).map_err(|_| UnfitKey::NotOnCurve)?;
        Ok(Self {
            algorithm,
            bytes: bytes.to_vec(),
        })
    }

    /// Whether this key has signed the challenge.
    #[must_use]
    pub fn has_signed(&self, challenge: &str, signature: &[u8]) -> bool {
        let message = [PREFIX, challenge.as_bytes()].concat();
        UnparsedPublicKey::new(self.algorithm.verification(), &self.bytes)
            .verify(&message, signature)
            .is_ok()
    }

    /// A key that has signed nothing, so that checking takes as long where there is none: the base point of P-256.
    #[must_use]
    pub fn of_nobody() -> Self {
        const G: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                         4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
        Self {
            algorithm: Algorithm::P256,
            bytes: hex::decode(G).unwrap_or_default(),
        }
    }
}

fn der(text: &str) -> Result<Vec<u8>, UnfitKey> {
    if !text.starts_with("-----") {
        return Base64::decode_vec(text).map_err(|_| UnfitKey::Malformed);
    }
    if text.matches("-----BEGIN").count() > 1 {
        return Err(UnfitKey::Several);
    }
    let (label, der) = pem_rfc7468::decode_vec(text.as_bytes()).map_err(|_| UnfitKey::Malformed)?;
    if label == "PUBLIC KEY" {
        Ok(der)
    } else {
        Err(UnfitKey::NotPublic)
    }
}
