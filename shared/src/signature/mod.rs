//! RS256 verdicts (RFC 7518 §3.3): the only part of verification that differs between hosts.
//!
//! | backend | feature | where |
//! | --- | --- | --- |
//! | `webcrypto` | `webcrypto` | the edge: whatever is behind `crypto.subtle` |
//! | `aws_lc` | `aws-lc` | the origin: `jsonwebtoken` on aws-lc |
//! | `reference` | `reference` | tests, and wasm hosts without `crypto.subtle`: the `rsa` crate |
//!
//! Invariants: each is made from a checked [`crate::jwk::RsaVerifyingKey`]; each gives the same verdict on the
//! same input, which a differential test holds them to; only a good verdict makes a
//! [`crate::token::VerifiedToken`].

#[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
mod aws_lc;
#[cfg(feature = "reference")]
mod reference;
#[cfg(all(feature = "webcrypto", target_arch = "wasm32"))]
mod webcrypto;

#[cfg(all(feature = "aws-lc", not(target_arch = "wasm32")))]
pub use aws_lc::AwsLcKey;
#[cfg(feature = "reference")]
pub use reference::ReferenceKey;
#[cfg(all(feature = "webcrypto", target_arch = "wasm32"))]
pub use webcrypto::WebCryptoKey;

#[cfg(any(
    feature = "reference",
    all(feature = "aws-lc", not(target_arch = "wasm32")),
    all(feature = "webcrypto", target_arch = "wasm32")
))]
mod verdict {
    use crate::error::{TokenError, TokenErrorCode, TokenStage};
    use crate::token::UnverifiedToken;

    pub(super) const BAD_SIGNATURE: TokenError = TokenError {
        code: TokenErrorCode::Signature,
        claim: None,
        reason: "it does not belong to these bytes and this key",
        stage: TokenStage::Signature,
        time: None,
    };

    /// A caller that looked up the wrong key must hear of it, and not of a bad signature.
    pub(super) fn same_key(kid: &str, token: &UnverifiedToken<'_>) -> Result<(), TokenError> {
        if kid == token.kid() {
            Ok(())
        } else {
            Err(TokenError::unknown_key())
        }
    }
}
