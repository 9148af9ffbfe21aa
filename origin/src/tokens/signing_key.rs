//! One RSA key that access tokens are signed with: made, read from PEM or from the database, never shown.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_shared::jwk::{JwkError, RsaVerifyingKey};
use serde::Serialize;
use serde_json::json;

use crate::kernel::secrets::SecretBytes;

/// Longest `kid`, in characters of visible ASCII; the column holds the same limit.
const MAX_KID_LENGTH: usize = 128;

/// A private key with its name. Signs without parsing anything again.
pub struct SigningKey {
    pair: KeyPair,
    public: RsaVerifyingKey,
    /// The header of every token that this key signs, in base64url, with the full stop that follows it.
    header: String,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SigningKeyError {
    /// The text has no PEM block (RFC 7468), or a damaged one.
    #[error("the file is not a PEM file with one private key")]
    NotPem,
    /// The PEM block is not a private key.
    #[error("the PEM block must be PRIVATE KEY (PKCS#8) or RSA PRIVATE KEY (PKCS#1), not {0}")]
    OtherPemBlock(String),
    /// The key is under a passphrase.
    #[error("the private key is encrypted: decrypt it first, for example with `openssl pkey`")]
    Encrypted,
    /// The bytes are not an RSA private key, or its numbers do not belong together.
    #[error("the key is not a sound RSA private key of 2048 bits or more")]
    NotRsa,
    /// The key is weaker, or odder, than verifiers accept.
    #[error("the key cannot be used for RS256")]
    Unfit(#[from] JwkError),
    /// The name cannot stand in a token.
    #[error("a kid is 1 to 128 characters of visible ASCII")]
    Kid,
    /// No key of this size is made.
    #[error("a signing key has 2048, 3072 or 4096 bits")]
    Size,
    /// The cryptographic library refused.
    #[error("the cryptographic library failed")]
    Library,
}

impl SigningKey {
    /// Makes a key of 2048, 3072 or 4096 bits. Takes up to seconds: not for a thread that serves requests.
    pub fn generate(bits: u32) -> Result<Self, SigningKeyError> {
        let size = match bits {
            2048 => KeySize::Rsa2048,
            3072 => KeySize::Rsa3072,
            4096 => KeySize::Rsa4096,
            _ => return Err(SigningKeyError::Size),
        };
        Self::new(
            KeyPair::generate(size).map_err(|_| SigningKeyError::Library)?,
            None,
        )
    }

    /// Reads a key from PEM: PKCS#8 (RFC 5208) or PKCS#1 (RFC 8017 §A.1.2), RSA of 2048 to 4096 bits with the
    /// exponent 65537. Without a `kid` it is named by its thumbprint.
    pub fn from_pem(pem: &SecretBytes, kid: Option<&str>) -> Result<Self, SigningKeyError> {
        let (label, der) =
            pem_rfc7468::decode_vec(pem.expose()).map_err(|_| not_a_plain_block(pem.expose()))?;
        let der = SecretBytes::new(der);
        let pair = match label {
            "PRIVATE KEY" => KeyPair::from_pkcs8(der.expose()),
            "RSA PRIVATE KEY" => KeyPair::from_der(der.expose()),
            "ENCRYPTED PRIVATE KEY" => return Err(SigningKeyError::Encrypted),
            other => return Err(SigningKeyError::OtherPemBlock(other.to_owned())),
        };
        Self::new(pair.map_err(|_| SigningKeyError::NotRsa)?, kid)
    }

    /// Reads a key back that [`to_pkcs8`](Self::to_pkcs8) wrote.
    pub(super) fn from_pkcs8(pkcs8: &SecretBytes, kid: &str) -> Result<Self, SigningKeyError> {
        let pair = KeyPair::from_pkcs8(pkcs8.expose()).map_err(|_| SigningKeyError::NotRsa)?;
        Self::new(pair, Some(kid))
    }

    fn new(pair: KeyPair, kid: Option<&str>) -> Result<Self, SigningKeyError> {
        let PublicKeyComponents { n, e } = PublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let kid = kid.map_or_else(|| thumbprint(&n, &e), str::to_owned);
        let speakable = kid.bytes().all(|byte| byte.is_ascii_graphic());
        if kid.is_empty() || kid.len() > MAX_KID_LENGTH || !speakable {
            return Err(SigningKeyError::Kid);
        }
        let public = RsaVerifyingKey::from_components(&kid, &n, &e)?;
        let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": kid}).to_string();
        let header = format!("{}.", Base64UrlUnpadded::encode_string(header.as_bytes()));
        Ok(Self { pair, public, header })
    }

    /// The public part, with the name.
    #[must_use]
    pub fn public(&self) -> &RsaVerifyingKey {
        &self.public
    }

    /// The name.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The private part in DER, to be sealed.
    pub(super) fn to_pkcs8(&self) -> Result<SecretBytes, SigningKeyError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| SigningKeyError::Library)?;
        Ok(SecretBytes::new(der.as_ref().to_vec()))
    }

    /// How long the token is whose claims take `claims` bytes, in bytes.
    #[must_use]
    pub fn token_length(&self, claims: usize) -> usize {
        let base64 = |bytes: usize| bytes.saturating_mul(4).div_ceil(3);
        let signature = base64(self.pair.public_modulus_len());
        self.header.len() + base64(claims) + 1 + signature
    }

    /// An access token with these claims: a JWS in compact form (RFC 7515 §7.1, RFC 9068), signed with
    /// RSASSA-PKCS1-v1_5 and SHA-256.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, SigningKeyError> {
        let claims = serde_json::to_vec(claims).map_err(|_| SigningKeyError::Library)?;
        let mut token = format!("{}{}", self.header, Base64UrlUnpadded::encode_string(&claims));
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                token.as_bytes(),
                &mut signature,
            )
            .map_err(|_| SigningKeyError::Library)?;
        token.push('.');
        token.push_str(&Base64UrlUnpadded::encode_string(&signature));
        Ok(token)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

/// The JWK thumbprint (RFC 7638): the same key has the same name wherever it is made or imported.
fn thumbprint(modulus: &[u8], exponent: &[u8]) -> String {
    let (n, e) = (
        Base64UrlUnpadded::encode_string(modulus),
        Base64UrlUnpadded::encode_string(exponent),
    );
    let members = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
    Base64UrlUnpadded::encode_string(digest(&SHA256, members.as_bytes()).as_ref())
}

/// The old form of an encrypted key has headers inside the block, which makes it no PEM by RFC 7468.
fn not_a_plain_block(text: &[u8]) -> SigningKeyError {
    const MARK: &[u8] = b"Proc-Type: 4,ENCRYPTED";
    if text.windows(MARK.len()).any(|window| window == MARK) {
        SigningKeyError::Encrypted
    } else {
        SigningKeyError::NotPem
    }
}

#[cfg(test)]
#[path = "signing_key_tests.rs"]
mod tests;
