//! Claims that somebody wrote down, in the place of a token.
//!
//! Invariant: what is left out is filled in so that a token of the table's issuer comes out that is good at `now`; what
//! is there is kept as it is.

use portcullis_shared::claims::AccessClaims;
use serde_json::{Map, Value, json};

/// For how long a token is good where nothing is said about it, in seconds.
const LIFETIME: i64 = 900;
/// The names of claims that are known; a slip of the pen must not pass for a token without the claim.
const NAMES: [&str; 17] = [
    "iss",
    "aud",
    "sub",
    "exp",
    "iat",
    "nbf",
    "jti",
    "client_id",
    "sid",
    "tenant_id",
    "role",
    "permissions",
    "venues",
    "venues_truncated",
    "auth_time",
    "amr",
    "acr",
];
/// `exp`, counted from now.
const EXPIRES_IN: &str = "expires_in_seconds";
/// `auth_time`, counted back from now.
const AUTH_AGE: &str = "auth_age_seconds";

/// Makes claims of what was written down. `now` is in seconds since the epoch.
pub(super) fn complete(
    mut written: Map<String, Value>,
    issuer: &str,
    audience: &str,
    now: i64,
) -> Result<AccessClaims, String> {
    for (relative, name, sign) in [(EXPIRES_IN, "exp", 1), (AUTH_AGE, "auth_time", -1)] {
        let Some(seconds) = written.remove(relative) else {
            continue;
        };
        let seconds = seconds
            .as_i64()
            .ok_or_else(|| format!("{relative} is not a whole number"))?;
        let time = now.saturating_add(seconds.saturating_mul(sign));
        if written.insert(name.to_owned(), json!(time)).is_some() {
            return Err(format!("{relative} and {name} say the same"));
        }
    }
    if let Some(unknown) = written.keys().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(format!(
            "there is no claim {unknown}; there are {}, and {EXPIRES_IN}, {AUTH_AGE}",
            NAMES.join(", ")
        ));
    }
    for (name, value) in [
        ("iss", json!(issuer)),
        ("aud", json!(audience)),
        ("sub", json!("00000000-0000-7000-8000-000000000001")),
        ("exp", json!(now.saturating_add(LIFETIME))),
        ("iat", json!(now)),
        ("jti", json!("00000000-0000-7000-8000-000000000002")),
        ("sid", json!("00000000-0000-7000-8000-000000000003")),
        ("tenant_id", json!("00000000-0000-7000-8000-000000000004")),
    ] {
        written.entry(name).or_insert(value);
    }
    let claims: AccessClaims =
        serde_json::from_value(Value::Object(written)).map_err(|error| error.to_string())?;
    // Verification holds these against the table, and there is none here.
    if claims.iss != issuer {
        return Err(format!("iss is {}, and the table's issuer {issuer}", claims.iss));
    }
    if !claims.aud.contains(audience) {
        return Err(format!("aud does not name the table's audience {audience}"));
    }
    Ok(claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(written: Value) -> Result<AccessClaims, String> {
        let Value::Object(written) = written else {
            panic!("not an object")
        };
        complete(written, "https://issuer", "app", 1000)
    }

    #[test]
    fn what_is_missing_is_filled_in_and_what_is_there_is_kept() {
        let made = claims(json!({"role": "admin", "auth_age_seconds": 30})).unwrap();
        assert_eq!(
            (made.iss.as_str(), made.exp, made.iat),
            ("https://issuer", 1900, 1000)
        );
        assert_eq!((made.role.as_deref(), made.auth_time), (Some("admin"), Some(970)));
        let made = claims(json!({"sub": "ada", "expires_in_seconds": -6, "aud": ["x", "app"]})).unwrap();
        assert_eq!((made.sub.as_str(), made.exp), ("ada", 994));
    }

    #[test]
    fn what_no_good_token_says_is_refused() {
        for (written, expected) in [
            (json!({"permission": ["a"]}), "there is no claim permission"),
            (json!({"permissions": "a"}), "invalid type"),
            (json!({"exp": 1, "expires_in_seconds": 1}), "say the same"),
            (json!({"auth_age_seconds": "30"}), "is not a whole number"),
            (json!({"iss": "https://other"}), "the table's issuer"),
            (json!({"aud": "other"}), "the table's audience"),
        ] {
            let refused = claims(written).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
