//! The portable reference: the `rsa` crate. Public-key operations only.

use rsa::sha2::{Digest as _, Sha256};
use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};

use super::verdict::{BAD_SIGNATURE, same_key};
use crate::error::TokenError;
use crate::jwk::{JwkError, RsaVerifyingKey};
use crate::jws::CompactJws;
use crate::token::{UnverifiedToken, VerifiedToken};

/// A public key prepared for the `rsa` crate.
#[derive(Clone, Debug)]
pub struct ReferenceKey {
    kid: String,
    key: RsaPublicKey,
}

impl ReferenceKey {
    /// Prepares `key`.
    pub fn new(key: &RsaVerifyingKey) -> Result<Self, JwkError> {
        let modulus = BigUint::from_bytes_be(key.modulus());
        let exponent = BigUint::from_bytes_be(key.exponent());
        let prepared = RsaPublicKey::new(modulus, exponent).map_err(|_| JwkError::Modulus)?;
        Ok(Self {
            kid: key.kid().to_owned(),
            key: prepared,
        })
    }

    /// Gives the verdict on an access token.
    pub fn verify(&self, token: UnverifiedToken<'_>) -> Result<VerifiedToken, TokenError> {
        same_key(&self.kid, &token)?;
        self.verify_bytes(token.signing_input(), token.signature())?;
        Ok(VerifiedToken::after_verdict(token))
    }

    /// Gives the verdict on any compact JWS; its `kid` is not compared.
    pub fn verify_jws(&self, jws: &CompactJws<'_>) -> Result<(), TokenError> {
        self.verify_bytes(jws.signing_input(), jws.signature())
    }

    /// Gives the verdict on a bare RSASSA-PKCS1-v1_5 signature with SHA-256 (RFC 8017 §8.2).
    pub fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        self.key
            .verify(Pkcs1v15Sign::new::<Sha256>(), &Sha256::digest(message), signature)
            .map_err(|_| BAD_SIGNATURE)
    }
}
