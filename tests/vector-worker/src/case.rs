//! What the Worker is asked, and what it answers.

use portcullis_shared::claims::AccessClaims;
use portcullis_shared::error::TokenError;
use portcullis_shared::jwk::JwkError;
use serde::{Deserialize, Serialize};

/// One thing to verify.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "layer", rename_all = "snake_case")]
pub enum Case {
    /// An access token, from text to claims.
    AccessToken {
        /// A JSON Web Key Set, as text.
        keys: String,
        /// The expected issuer.
        issuer: String,
        /// The expected audience.
        audience: String,
        /// Leeway for times, in seconds.
        leeway_seconds: i64,
        /// Seconds since the epoch.
        now: i64,
        /// The token.
        token: String,
    },
    /// A compact JWS, whatever its payload.
    Jws {
        /// A JSON Web Key, as text.
        key: String,
        /// The JWS.
        jws: String,
    },
    /// A bare RSASSA-PKCS1-v1_5 signature with SHA-256.
    Signature {
        /// A JSON Web Key, as text.
        key: String,
        /// The signed bytes, base64.
        message: String,
        /// The signature, base64.
        signature: String,
    },
}

/// What a backend says to a [`Case`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The token is good and says this.
    Token {
        /// The checked claims.
        claims: Box<AccessClaims>,
    },
    /// The signature is good.
    Signature,
    /// Something about the token or signature is not.
    Refused {
        /// [`portcullis_shared::error::TokenErrorCode::as_str`].
        code: String,
        /// The claim or header parameter at fault.
        claim: Option<String>,
        /// For a person.
        reason: String,
    },
    /// The key is not fit to verify with.
    KeyRefused {
        /// For a person.
        reason: String,
    },
}

impl Verdict {
    /// Whether the case was accepted.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        match self {
            Self::Token { .. } | Self::Signature => true,
            Self::Refused { .. } | Self::KeyRefused { .. } => false,
        }
    }
}

impl From<TokenError> for Verdict {
    fn from(error: TokenError) -> Self {
        Self::Refused {
            code: error.code.as_str().to_owned(),
            claim: error.claim.map(str::to_owned),
            reason: error.reason.to_owned(),
        }
    }
}

impl From<JwkError> for Verdict {
    fn from(error: JwkError) -> Self {
        Self::KeyRefused {
            reason: error.to_string(),
        }
    }
}

/// The Worker's request body.
#[derive(Debug, Serialize, Deserialize)]
pub struct Question {
    /// What to verify, in order.
    pub cases: Vec<Case>,
}

/// The Worker's answer: for each case, in order.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    /// What `crypto.subtle` says.
    pub webcrypto: Vec<Verdict>,
    /// What the `rsa` crate, compiled to wasm, says.
    pub reference: Vec<Verdict>,
}
