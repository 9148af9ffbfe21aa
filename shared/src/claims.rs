//! The claims of an access token (RFC 9068, RFC 7519) and the rules they must meet.
//!
//! Invariants: dates are whole, non-negative seconds; everything that later becomes a header or is compared
//! as a word (subject, tenant, session, roles, permissions, `acr`) is visible ASCII without spaces, so
//! that no value can pass for two; a claim with the wrong type is refused, never defaulted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::TokenError;
use crate::json::{Object, Value};

/// A token names the roles of at most this many venues; past it, it says `venues_truncated`.
pub const MAX_VENUES: usize = 32;

/// What a verifier expects of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectations {
    /// The exact `iss`.
    pub issuer: String,
    /// The `aud`, or one of them.
    pub audience: String,
    /// How far the issuer's clock may differ from ours, in seconds.
    pub leeway_seconds: i64,
}

impl Expectations {
    /// [`Expectations::leeway_seconds`] where nobody asked for another value.
    pub const DEFAULT_LEEWAY_SECONDS: i64 = 5;

    /// Expects `issuer` and `audience`, with the default leeway of 5 s.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            leeway_seconds: Self::DEFAULT_LEEWAY_SECONDS,
        }
    }
}

/// `aud` (RFC 7519 §4.1.3): one string or several. Serialises as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// A single string.
    One(String),
    /// An array of strings.
    Many(Vec<String>),
}

impl Audience {
    /// Whether `audience` is meant.
    #[must_use]
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(own) => own == audience,
            Self::Many(all) => all.iter().any(|own| own == audience),
        }
    }
}

/// The claims of an access token. Times are seconds since the epoch.
///
/// A verifier gets one from [`crate::token::VerifiedToken::check`] only; the issuer fills one in and signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: Audience,
    /// The user.
    pub sub: String,
    /// Not valid at or after this time.
    pub exp: i64,
    /// Issued at.
    pub iat: i64,
    /// Not valid before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// The token's own identifier.
    pub jti: String,
    /// The client it was issued to (RFC 9068 §2.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The session: one sign-in on one device.
    pub sid: String,
    /// The tenant the user belongs to.
    pub tenant_id: String,
    /// The global role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Global permissions; those at a venue follow from [`AccessClaims::venues`].
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Roles by venue, at most [`MAX_VENUES`].
    #[serde(default)]
    pub venues: BTreeMap<String, Vec<String>>,
    /// The user has roles at more venues than the token names.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub venues_truncated: bool,
    /// When the user last proved who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How they did (RFC 8176).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// How sure that makes us: `aal1` or `aal2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
}

impl AccessClaims {
    /// Looks at `exp` and `nbf` again: for a verified token that was kept. `leeway` in seconds, `now` in seconds
    /// since the epoch.
    pub fn recheck_time(&self, leeway: i64, now: i64) -> Result<(), TokenError> {
        if now >= self.exp.saturating_add(leeway) {
            return Err(TokenError::expired(self.exp));
        }
        match self.nbf {
            Some(nbf) if nbf > now.saturating_add(leeway) => Err(TokenError::not_yet_valid("nbf", nbf)),
            Some(_) | None => Ok(()),
        }
    }

    pub(crate) fn hold_against(&self, expected: &Expectations, now: i64) -> Result<(), TokenError> {
        if self.iss != expected.issuer {
            return Err(TokenError::unexpected("iss", "it is not the expected issuer"));
        }
        if !self.aud.contains(&expected.audience) {
            return Err(TokenError::unexpected(
                "aud",
                "it does not name the expected audience",
            ));
        }
        self.recheck_time(expected.leeway_seconds, now)?;
        if self.iat > now.saturating_add(expected.leeway_seconds) {
            return Err(TokenError::not_yet_valid("iat", self.iat));
        }
        Ok(())
    }

    /// Reads the claims with their types. Claims that are not listed here are ignored (RFC 7519 §4).
    pub(crate) fn read(mut claims: Object<'_>) -> Result<Self, TokenError> {
        let claims = &mut claims;
        Ok(Self {
            iss: required(text(claims, "iss"), "iss")?,
            aud: required(audience(claims), "aud")?,
            sub: required(word(claims, "sub"), "sub")?,
            exp: required(date(claims, "exp"), "exp")?,
            iat: required(date(claims, "iat"), "iat")?,
            nbf: date(claims, "nbf")?,
            jti: required(word(claims, "jti"), "jti")?,
            client_id: text(claims, "client_id")?,
            sid: required(word(claims, "sid"), "sid")?,
            tenant_id: required(word(claims, "tenant_id"), "tenant_id")?,
            role: word(claims, "role")?,
            permissions: words(claims, "permissions")?,
            venues: venues(claims)?,
            venues_truncated: flag(claims, "venues_truncated")?,
            auth_time: date(claims, "auth_time")?,
            amr: words(claims, "amr")?,
            acr: word(claims, "acr")?,
        })
    }
}

type Read<T> = Result<Option<T>, TokenError>;

fn required<T>(value: Read<T>, name: &'static str) -> Result<T, TokenError> {
    value?.ok_or(TokenError::claim(name, "it is missing"))
}

fn text(claims: &mut Object<'_>, name: &'static str) -> Read<String> {
    match claims.take(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.into_owned())),
        Some(_) => Err(TokenError::claim(
            name,
            "it is not a string with a character in it",
        )),
    }
}

fn word(claims: &mut Object<'_>, name: &'static str) -> Read<String> {
    match text(claims, name)? {
        Some(text) if !is_word(&text) => Err(TokenError::claim(name, NOT_A_WORD)),
        other => Ok(other),
    }
}

fn date(claims: &mut Object<'_>, name: &'static str) -> Read<i64> {
    match claims.take(name) {
        None => Ok(None),
        Some(Value::Integer(date)) if date >= 0 => Ok(Some(date)),
        Some(_) => Err(TokenError::claim(
            name,
            "it is not a whole, non-negative number of seconds",
        )),
    }
}

fn flag(claims: &mut Object<'_>, name: &'static str) -> Result<bool, TokenError> {
    match claims.take(name) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(_) => Err(TokenError::claim(name, "it is neither true nor false")),
    }
}

fn words(claims: &mut Object<'_>, name: &'static str) -> Result<Vec<String>, TokenError> {
    claims
        .take(name)
        .map_or(Ok(Vec::new()), |value| into_words(value, name))
}

fn into_words(value: Value<'_>, name: &'static str) -> Result<Vec<String>, TokenError> {
    const NOT_STRINGS: &str = "it is not an array of strings";
    let Value::Array(items) = value else {
        return Err(TokenError::claim(name, NOT_STRINGS));
    };
    items
        .into_iter()
        .map(|item| match item {
            Value::String(word) if is_word(&word) => Ok(word.into_owned()),
            Value::String(_) => Err(TokenError::claim(name, NOT_A_WORD)),
            _ => Err(TokenError::claim(name, NOT_STRINGS)),
        })
        .collect()
}

fn audience(claims: &mut Object<'_>) -> Read<Audience> {
    const WRONG_TYPE: TokenError = TokenError::claim("aud", "it is neither a string nor an array of strings");
    match claims.take("aud") {
        None => Ok(None),
        Some(Value::String(one)) => Ok(Some(Audience::One(one.into_owned()))),
        Some(Value::Array(items)) => items
            .into_iter()
            .map(|item| match item {
                Value::String(one) => Ok(one.into_owned()),
                _ => Err(WRONG_TYPE),
            })
            .collect::<Result<_, _>>()
            .map(|all| Some(Audience::Many(all))),
        Some(_) => Err(WRONG_TYPE),
    }
}

fn venues(claims: &mut Object<'_>) -> Result<BTreeMap<String, Vec<String>>, TokenError> {
    let members = match claims.take("venues") {
        None => return Ok(BTreeMap::new()),
        Some(Value::Object(members)) => members,
        Some(_) => return Err(TokenError::claim("venues", "it is not an object")),
    };
    if members.len() > MAX_VENUES {
        return Err(TokenError::claim("venues", "it names more than 32 venues"));
    }
    members
        .into_members()
        .map(|(venue, roles)| Ok((venue.into_owned(), into_words(roles, "venues")?)))
        .collect()
}

const NOT_A_WORD: &str = "it is not visible ASCII without spaces";

/// Visible ASCII, at least one character: safe as a header value and as one of several that spaces part.
pub(crate) fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
