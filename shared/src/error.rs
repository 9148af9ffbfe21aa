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

/// A refused token. The client learns only `invalid_token` (RFC 6750 §3.1) and [`TokenError::is_expired`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TokenError {
    /// The step that failed.
    pub code: TokenErrorCode,
    /// The claim, or the header parameter for [`TokenErrorCode::Header`], that failed, where it was one.
    pub claim: Option<&'static str>,
    /// One clause for a person; holds nothing that came with the token.
    pub reason: &'static str,
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
            code: TokenErrorCode::UnknownKey,
            claim: Some("kid"),
            reason: "no key is known for it",
        }
    }

    pub(crate) const fn malformed(reason: &'static str) -> Self {
        Self {
            code: TokenErrorCode::Malformed,
            claim: None,
            reason,
        }
    }

    pub(crate) const fn header(parameter: &'static str, reason: &'static str) -> Self {
        Self {
            code: TokenErrorCode::Header,
            claim: Some(parameter),
            reason,
        }
    }

    pub(crate) const fn claim(claim: &'static str, reason: &'static str) -> Self {
        Self {
            code: TokenErrorCode::Claim,
            claim: Some(claim),
            reason,
        }
    }

    /// `exp` has passed.
    #[must_use]
    pub const fn expired() -> Self {
        Self {
            code: TokenErrorCode::Expired,
            claim: Some("exp"),
            reason: "it has passed",
        }
    }

    pub(crate) const fn not_yet_valid(claim: &'static str) -> Self {
        Self {
            code: TokenErrorCode::NotYetValid,
            claim: Some(claim),
            reason: "it lies in the future",
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
