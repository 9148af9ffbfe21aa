//! Why a token was refused: precise for logs and for `portcullis token explain`, never for the client.

use std::fmt;

/// The step at which a token failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenErrorCode {
    /// Not a compact JWS, or its header or claims are not a JSON object with unique names.
    Malformed,
    /// A header parameter is missing, has the wrong type or a value that is not supported.
    Header,
    /// No key is known for the token's `kid`.
    UnknownKey,
    /// The signature does not belong to these bytes and this key.
    Signature,
    /// A claim is missing, has the wrong type or the wrong value.
    Claim,
    /// `exp` has passed.
    Expired,
    /// `nbf` or `iat` lies in the future.
    NotYetValid,
}

impl TokenErrorCode {
    /// The stable `snake_case` name, for logs, metrics and test vectors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Header => "header",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Claim => "claim",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
        }
    }
}

impl fmt::Display for TokenErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The part of the verification that refused a token, in the order in which a token passes through them. Finer than
/// [`TokenErrorCode`] where one code stands for several rules: for `portcullis token explain`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TokenStage {
    /// Size, segments, and a header that is a JSON object (RFC 7515 §7.1).
    Form,
    /// The parameters of the header (RFC 7515 §4.1).
    Header,
    /// The spelling of payload and signature (RFC 7515 §2).
    Encoding,
    /// A payload that is a JSON object (RFC 7519 §7.2).
    Payload,
    /// The key that the token names.
    Key,
    /// The signature (RFC 7518 §3.3).
    Signature,
    /// The claims: that they are there, each of its type (RFC 9068 §2.2).
    Claims,
    /// What the claims say: issuer, audience and times (RFC 9068 §4).
    Expectations,
}

/// A refused token. The client learns only `invalid_token` (RFC 6750 §3.1) and [`TokenError::is_expired`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TokenError {
    /// The step that failed.
    pub code: TokenErrorCode,
    /// The claim, or the header parameter for [`TokenErrorCode::Header`], that failed, where it was one.
    pub claim: Option<&'static str>,
    /// One clause for a person; holds nothing that came with the token.
    pub reason: &'static str,
    /// The part of the verification that failed.
    pub stage: TokenStage,
    /// The time that is at fault, in seconds since the epoch, where it is one of a signed token.
    pub time: Option<i64>,
}

impl TokenError {
    /// Whether the token was good until its `exp` passed, so that a refresh would help.
    #[must_use]
    pub fn is_expired(&self) -> bool {
        self.code == TokenErrorCode::Expired
    }

    /// No key, or more than one, is known for the token's `kid`.
    #[must_use]
    pub const fn unknown_key() -> Self {
        Self {
            claim: Some("kid"),
            ..Self::new(
                TokenErrorCode::UnknownKey,
                TokenStage::Key,
                "no key is known for it",
            )
        }
    }

    /// Not a compact JWS: `stage` says which part of it.
    pub(crate) const fn malformed(stage: TokenStage, reason: &'static str) -> Self {
        Self::new(TokenErrorCode::Malformed, stage, reason)
    }

    pub(crate) const fn header(parameter: &'static str, reason: &'static str) -> Self {
        Self {
            claim: Some(parameter),
            ..Self::new(TokenErrorCode::Header, TokenStage::Header, reason)
        }
    }

    /// A claim is missing, or not of its type.
    pub(crate) const fn claim(claim: &'static str, reason: &'static str) -> Self {
        Self {
            claim: Some(claim),
            ..Self::new(TokenErrorCode::Claim, TokenStage::Claims, reason)
        }
    }

    /// A claim does not say what is expected.
    pub(crate) const fn unexpected(claim: &'static str, reason: &'static str) -> Self {
        Self {
            claim: Some(claim),
            ..Self::new(TokenErrorCode::Claim, TokenStage::Expectations, reason)
        }
    }

    /// `exp` lies in the past.
    #[must_use]
    pub const fn expired(exp: i64) -> Self {
        Self {
            claim: Some("exp"),
            time: Some(exp),
            ..Self::new(TokenErrorCode::Expired, TokenStage::Expectations, "it has passed")
        }
    }

    /// The claim `claim`, a time, lies in the future.
    pub(crate) const fn not_yet_valid(claim: &'static str, time: i64) -> Self {
        Self {
            claim: Some(claim),
            time: Some(time),
            ..Self::new(
                TokenErrorCode::NotYetValid,
                TokenStage::Expectations,
                "it lies in the future",
            )
        }
    }

    const fn new(code: TokenErrorCode, stage: TokenStage, reason: &'static str) -> Self {
        Self {
            code,
            claim: None,
            reason,
            stage,
            time: None,
        }
    }
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.claim {
            Some(claim) => write!(f, "{}: {claim}: {}", self.code, self.reason),
            None => write!(f, "{}: {}", self.code, self.reason),
        }
    }
}
