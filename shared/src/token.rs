//! Access tokens (RFC 9068) in the three states they pass through, each a type of its own.
//!
//! Invariant: text → [`UnverifiedToken`] → (a backend of [`crate::signature`]) → [`VerifiedToken`] →
//! [`VerifiedToken::check`] → [`AccessClaims`]. No step can be left out, because nothing before the last one
//! lets a claim be read.
//!
//! ```
//! # #[cfg(feature = "reference")] {
//! use portcullis_shared::claims::{AccessClaims, Expectations};
//! use portcullis_shared::error::TokenError;
//! use portcullis_shared::jwk::JwkSet;
//! use portcullis_shared::signature::ReferenceKey;
//! use portcullis_shared::token::UnverifiedToken;
//!
//! fn verify(token: &str, keys: &JwkSet, now: i64) -> Result<AccessClaims, TokenError> {
//!     let token = UnverifiedToken::parse(token)?;
//!     let key = keys.key(token.kid()).ok_or(TokenError::unknown_key())?;
//!     let key = ReferenceKey::new(key).map_err(|_| TokenError::unknown_key())?;
//!     key.verify(token)?.check(&Expectations::new("https://auth.example.com", "example-api"), now)
//! }
//!
//! assert!(verify("a.b.c", &JwkSet::default(), 0).is_err());
//! # }
//! ```
//!
//! The claims of a token that nobody has verified cannot be checked:
//!
//! ```compile_fail,E0599
//! # use portcullis_shared::{claims::Expectations, token::UnverifiedToken};
//! let token = UnverifiedToken::parse("a.b.c").unwrap();
//! token.check(&Expectations::new("issuer", "audience"), 0);
//! ```
//!
//! and nobody else can say that they have:
//!
//! ```compile_fail,E0624
//! # use portcullis_shared::token::{UnverifiedToken, VerifiedToken};
//! let token = UnverifiedToken::parse("a.b.c").unwrap();
//! VerifiedToken::after_verdict(token);
//! ```

use std::fmt;

use crate::claims::{AccessClaims, Expectations};
use crate::error::{TokenError, TokenStage};
use crate::json::Object;
use crate::jws::{CompactJws, MediaType};

const NOT_AN_OBJECT: TokenError = TokenError::malformed(
    TokenStage::Payload,
    "the claims are not a JSON object with unique names",
);

/// A well-formed access token that nobody has verified. Its claims are out of reach.
pub struct UnverifiedToken<'t> {
    jws: CompactJws<'t>,
    claims: String,
}

impl<'t> UnverifiedToken<'t> {
    /// Parses a compact JWS that has a `kid`, whose `typ` is `at+jwt`, and whose payload is a JSON object with
    /// no repeated names at any depth.
    pub fn parse(token: &'t str) -> Result<Self, TokenError> {
        let mut jws = CompactJws::parse(token)?;
        if jws.kid().is_none() {
            return Err(TokenError::header("kid", "it is missing"));
        }
        match jws.media_type() {
            MediaType::AccessToken => {}
            MediaType::Absent => return Err(TokenError::header("typ", "it is missing")),
            MediaType::Other => return Err(TokenError::header("typ", "it is not at+jwt")),
        }
        let claims = String::from_utf8(jws.take_payload()).map_err(|_| NOT_AN_OBJECT)?;
        Object::parse(&claims).ok_or(NOT_AN_OBJECT)?;
        Ok(Self { jws, claims })
    }

    /// The key the token asks for.
    #[must_use]
    pub fn kid(&self) -> &str {
        self.jws.kid().unwrap_or_default()
    }

    /// The bytes the signature covers (RFC 7515 §5.2).
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        self.jws.signing_input()
    }

    /// The decoded signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.jws.signature()
    }
}

/// Without the claims, which are out of reach here too.
impl fmt::Debug for UnverifiedToken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnverifiedToken")
            .field("kid", &self.kid())
            .finish_non_exhaustive()
    }
}

/// An access token whose signature a backend has found good. Its claims may still be anyone's: they are
/// read by [`VerifiedToken::check`] only.
pub struct VerifiedToken {
    claims: String,
}

impl VerifiedToken {
    /// For the backends, after a good verdict and at no other time.
    #[cfg_attr(
        not(any(feature = "aws-lc", feature = "reference", feature = "webcrypto")),
        expect(dead_code, reason = "without a backend there is no verdict")
    )]
    pub(crate) fn after_verdict(token: UnverifiedToken<'_>) -> Self {
        Self { claims: token.claims }
    }

    /// Reads the claims and holds them against `expected` at the time `now` (seconds since the epoch).
    pub fn check(self, expected: &Expectations, now: i64) -> Result<AccessClaims, TokenError> {
        let claims = Object::parse(&self.claims).ok_or(NOT_AN_OBJECT)?;
        let claims = AccessClaims::read(claims)?;
        claims.hold_against(expected, now)?;
        Ok(claims)
    }
}

/// Without the claims, which nobody has checked.
impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken").finish_non_exhaustive()
    }
}
