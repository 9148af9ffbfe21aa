//! The origin's backend: the verification primitive of `jsonwebtoken` on aws-lc.
//!
//! `jsonwebtoken` contributes its RS256 primitive and nothing else; its own parser and claim validation are
//! looser than ours and are not called. The aws-lc provider is named outright, so that a build in which
//! another crate enables a second provider still verifies with this one.

use std::fmt;

use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, DecodingKey};

use super::verdict::{BAD_SIGNATURE, same_key};
use crate::error::TokenError;
use crate::jwk::{JwkError, RsaVerifyingKey};
use crate::jws::CompactJws;
use crate::token::{UnverifiedToken, VerifiedToken};

/// A public key prepared for aws-lc.
#[derive(Clone)]
pub struct AwsLcKey {
    kid: String,
    key: DecodingKey,
}

impl AwsLcKey {
    /// Prepares `key`.
    pub fn new(key: &RsaVerifyingKey) -> Result<Self, JwkError> {
        let prepared = DecodingKey::from_rsa_raw_components(key.modulus(), key.exponent());
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
        let verifier =
            (DEFAULT_PROVIDER.verifier_factory)(&Algorithm::RS256, &self.key).map_err(|_| BAD_SIGNATURE)?;
        verifier
            .verify(message, &signature.to_vec())
            .map_err(|_| BAD_SIGNATURE)
    }
}

impl fmt::Debug for AwsLcKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsLcKey")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}
