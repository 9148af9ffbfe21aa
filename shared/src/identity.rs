//! The identity headers: how the edge tells an upstream, and the origin, who is calling.
//!
//! Invariants: only the edge sets them, so it removes every inbound spelling first; the origin believes them
//! under a request signature only; every value is visible ASCII, whatever a claim holds.

use crate::claims::{AccessClaims, is_word};

/// The user: `sub`.
pub const SUBJECT: &str = "x-auth-subject";
/// The tenant: `tenant_id`.
pub const TENANT: &str = "x-auth-tenant";
/// The session: `sid`.
pub const SESSION: &str = "x-auth-session";
/// The global role.
pub const ROLE: &str = "x-auth-role";
/// The global permissions, parted by single spaces.
pub const PERMISSIONS: &str = "x-auth-permissions";
/// Roles by venue: a compact JSON object, non-ASCII characters escaped.
pub const VENUE_ROLES: &str = "x-auth-venue-roles";
/// The authentication context class: `acr`.
pub const ACR: &str = "x-auth-acr";
/// How old, in seconds, the edge's knowledge of revocations was, where it was older than it should be.
pub const REVOCATIONS_AGE: &str = "x-auth-revocations-age";
/// What the request would have been refused for if its route were enforced: the code of the problem. Whoever is sent this
/// is not told by the edge that the request may pass.
pub const SHADOW: &str = "x-auth-shadow";
/// The client's address as the edge saw it.
pub const CLIENT_IP: &str = "x-auth-client-ip";
/// The headers that only the edge may set, and that are believed under its signature only.
pub const HEADERS: [&str; 10] = [
    SUBJECT,
    TENANT,
    SESSION,
    ROLE,
    PERMISSIONS,
    VENUE_ROLES,
    ACR,
    REVOCATIONS_AGE,
    SHADOW,
    CLIENT_IP,
];
/// The request id that edge, origin and upstream log.
pub const REQUEST_ID: &str = "x-request-id";

/// The identity headers for `claims`. One whose claim is absent or empty is left out, and so is a value
/// that is not visible ASCII, which no token that passed its checks can hold.
#[must_use]
pub fn headers(claims: &AccessClaims) -> Vec<(&'static str, String)> {
    let words = [
        (SUBJECT, Some(&claims.sub)),
        (TENANT, Some(&claims.tenant_id)),
        (SESSION, Some(&claims.sid)),
        (ROLE, claims.role.as_ref()),
        (ACR, claims.acr.as_ref()),
    ];
    let mut headers: Vec<_> = words
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .filter(|(_, value)| is_word(value))
        .map(|(name, value)| (name, value.clone()))
        .collect();
    let permissions: Vec<&str> = claims
        .permissions
        .iter()
        .map(String::as_str)
        .filter(|word| is_word(word))
        .collect();
    if !permissions.is_empty() {
        headers.push((PERMISSIONS, permissions.join(" ")));
    }
    if !claims.venues.is_empty()
        && let Ok(json) = serde_json::to_string(&claims.venues)
    {
        headers.push((VENUE_ROLES, escape_non_ascii(json)));
    }
    headers
}

/// Writes every character outside ASCII as `\u` escapes of its UTF-16 units (RFC 8259 §7). In JSON that
/// serde wrote, such a character and DEL stand inside strings only.
fn escape_non_ascii(json: String) -> String {
    if json.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() * 2);
    for character in json.chars() {
        if character.is_ascii_graphic() || character == ' ' {
            escaped.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                escaped.push_str("\\u");
                for shift in [12, 8, 4, 0] {
                    let digit = char::from_digit(u32::from(*unit >> shift) & 0xf, 16);
                    escaped.extend(digit);
                }
            }
        }
    }
    escaped
}
