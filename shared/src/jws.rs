//! Compact JWS (RFC 7515 §3.1, §7.1), read as strictly as RFC 8725 asks.
//!
//! Invariants: one algorithm (RS256), one spelling of every segment, no extension that would change what the
//! signature covers, and no key that the token brings along itself.

use std::fmt;

use crate::base64url;
use crate::error::{TokenError, TokenStage};
use crate::json::{Object, Value};

/// The longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8192;

/// What the token says it is, by its `typ` header parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MediaType {
    Absent,
    AccessToken,
    Other,
}

/// A well-formed compact JWS whose header permits RS256 verification. Its payload has not been interpreted,
/// and nothing about it is believed yet.
#[derive(Clone)]
pub struct CompactJws<'t> {
    signing_input: &'t str,
    payload: Vec<u8>,
    kid: Option<String>,
    media_type: MediaType,
    signature: Vec<u8>,
}

impl<'t> CompactJws<'t> {
    /// Splits and checks `token`: at most [`MAX_TOKEN_BYTES`], exactly three segments of canonical base64url, a
    /// header that is a JSON object with unique names and `alg` exactly `RS256`, without `crit`, `b64`, `zip` and
    /// `enc`. `jku`, `jwk`, `x5u`, `x5c` and `x5t` are ignored: keys come from the key set alone.
    pub fn parse(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::malformed(
                TokenStage::Form,
                "it is longer than 8192 bytes",
            ));
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(NOT_THREE_SEGMENTS)?;
        let (header, payload) = signing_input.split_once('.').ok_or(NOT_THREE_SEGMENTS)?;
        if payload.contains('.') {
            return Err(NOT_THREE_SEGMENTS);
        }
        let header = base64url::decode(header).ok_or(TokenError::malformed(
            TokenStage::Form,
            "the header is not canonical base64url",
        ))?;
        let (kid, media_type) = read_header(&header)?;
        let misspelt = |reason| TokenError::malformed(TokenStage::Encoding, reason);
        let payload = base64url::decode(payload).ok_or(misspelt("the payload is not canonical base64url"))?;
        let signature =
            base64url::decode(signature).ok_or(misspelt("the signature is not canonical base64url"))?;
        if signature.is_empty() {
            return Err(misspelt("the signature is empty"));
        }
        Ok(Self {
            signing_input,
            payload,
            kid,
            media_type,
            signature,
        })
    }

    /// The key the token asks for; a hint for the look-up and nothing more.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The bytes the signature covers: header and payload as they were sent (RFC 7515 §5.2).
    #[must_use]
    pub fn signing_input(&self) -> &'t [u8] {
        self.signing_input.as_bytes()
    }

    /// The decoded signature.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    pub(crate) fn media_type(&self) -> MediaType {
        self.media_type
    }

    pub(crate) fn take_payload(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.payload)
    }
}

/// Without the segments: together they are a credential.
impl fmt::Debug for CompactJws<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CompactJws")
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

const NOT_THREE_SEGMENTS: TokenError =
    TokenError::malformed(TokenStage::Form, "it does not have exactly three segments");

fn read_header(header: &[u8]) -> Result<(Option<String>, MediaType), TokenError> {
    const NOT_AN_OBJECT: TokenError = TokenError::malformed(
        TokenStage::Form,
        "the header is not a JSON object with unique names",
    );
    let text = str::from_utf8(header).map_err(|_| NOT_AN_OBJECT)?;
    let mut header = Object::parse(text).ok_or(NOT_AN_OBJECT)?;
    for parameter in ["crit", "b64", "zip", "enc"] {
        if header.contains(parameter) {
            return Err(TokenError::header(parameter, "it is not supported"));
        }
    }
    match header.take("alg") {
        Some(Value::String(alg)) if alg == "RS256" => {}
        Some(_) => return Err(TokenError::header("alg", "it is not RS256")),
        None => return Err(TokenError::header("alg", "it is missing")),
    }
    let kid = match header.take("kid") {
        None => None,
        Some(Value::String(kid)) if !kid.is_empty() => Some(kid.into_owned()),
        Some(_) => {
            return Err(TokenError::header(
                "kid",
                "it is not a string with a character in it",
            ));
        }
    };
    let media_type = match header.take("typ") {
        None => MediaType::Absent,
        Some(Value::String(typ)) if is_access_token_type(&typ) => MediaType::AccessToken,
        Some(_) => MediaType::Other,
    };
    Ok((kid, media_type))
}

/// Media types compare without case, and `application/` may be left out (RFC 7515 §4.1.9, RFC 9068 §2.1).
fn is_access_token_type(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
}
