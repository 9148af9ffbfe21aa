//! What a route adds to its answers, whoever made them.
//!
//! Invariants: a security header is added where the answer has none of the name, and replaces nothing that an upstream
//! has chosen; nothing here can frame a message, set a cookie, or speak for the edge.

use crate::cors::Cors;

/// The header that makes browsers come back by https alone. It is said over https only (RFC 6797 §7.2).
pub const STRICT_TRANSPORT_SECURITY: &str = "strict-transport-security";

/// What every answer says where neither upstream nor policy says otherwise. `docs/decisions/0017` has the reasons.
const STRICT: [(&str, &str); 6] = [
    (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-site"),
];

/// Hop-by-hop headers of a response that a platform may pass on (RFC 9110 §7.6.1, §11.7). The others end where the
/// message is parsed.
pub const HOP_BY_HOP: [&str; 3] = [
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-connection",
];

/// What a route adds to its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerRules {
    /// Headers that an answer gets where it has none of the name.
    pub headers: ResponseHeaders,
    /// Who else may read it; `None` leaves that to the upstream.
    pub cors: Option<Cors>,
}

/// Names, in lower case, and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHeaders(Vec<(String, String)>);

impl ResponseHeaders {
    /// The strict ones.
    #[must_use]
    pub fn strict() -> Self {
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(STRICT.map(own).to_vec())
    }

    /// The same with some changed, added, or (where there is no value) taken away.
    pub(crate) fn with(&self, changes: Vec<(String, Option<String>)>) -> Self {
        let is_changed = |name: &str| changes.iter().any(|(changed, _)| changed == name);
        let kept = self.0.iter().filter(|(name, _)| !is_changed(name)).cloned();
        let mut all: Vec<_> = kept.collect();
        all.extend(
            changes
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?))),
        );
        Self(all)
    }

    /// All of them, or those that may be said without TLS.
    pub fn over(&self, is_secure: bool) -> impl Iterator<Item = (&str, &str)> {
        let headers = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        headers.filter(move |(name, _)| is_secure || *name != STRICT_TRANSPORT_SECURITY)
    }
}

/// The headers that a `Connection` header names: they end with the connection.
pub fn named_by(connection: &str) -> impl Iterator<Item = &str> {
    connection.split(',').map(str::trim).filter(|name| {
        !name.is_empty()
            && !name.eq_ignore_ascii_case("close")
            && !name.eq_ignore_ascii_case("keep-alive")
            && name.bytes().all(is_token)
    })
}

/// Whether a header name may have this character (RFC 9110 §5.6.2).
pub(crate) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::{ResponseHeaders, STRICT_TRANSPORT_SECURITY, named_by};

    #[test]
    fn strict_transport_is_asked_for_over_https_only() {
        let strict = ResponseHeaders::strict();
        let has = |is_secure| {
            strict
                .over(is_secure)
                .any(|(name, _)| name == STRICT_TRANSPORT_SECURITY)
        };
        assert!(has(true) && !has(false));
        assert_eq!(strict.over(true).count(), strict.over(false).count() + 1);
    }

    #[test]
    fn a_change_replaces_adds_or_takes_away() {
        let changes = vec![
            ("x-frame-options".to_owned(), Some("SAMEORIGIN".to_owned())),
            ("referrer-policy".to_owned(), None),
            ("x-new".to_owned(), Some("1".to_owned())),
            ("x-not-there".to_owned(), None),
        ];
        let after = ResponseHeaders::strict().with(changes);
        let value = |wanted: &str| {
            let mut found = after.over(true).filter(|(name, _)| *name == wanted);
            let first = found.next().map(|(_, value)| value);
            assert_eq!(found.next(), None, "{wanted} twice");
            first
        };
        assert_eq!(value("x-frame-options"), Some("SAMEORIGIN"));
        assert_eq!(value("referrer-policy"), None);
        assert_eq!(value("x-new"), Some("1"));
        assert_eq!(value("x-not-there"), None);
        assert_eq!(value("x-content-type-options"), Some("nosniff"));
    }

    #[test]
    fn what_connection_names_is_told_from_its_options() {
        let named = |value| named_by(value).collect::<Vec<_>>();
        assert_eq!(named("close, X-Secret ,keep-alive,x-b"), ["X-Secret", "x-b"]);
        assert_eq!(named("Keep-Alive"), [""; 0]);
        assert_eq!(named(", ,a b,\u{fc}"), [""; 0]);
    }
}
