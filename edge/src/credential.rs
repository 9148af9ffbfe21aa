//! The credential of a request: its `Authorization` header (RFC 9110 §11.6.2, RFC 6750 §2.1), or the session cookies
//! of a browser.
//!
//! Invariant: a request carries one credential or none, a bearer token or cookies and never both. The platform joins repeated headers with `, `, so a
//! joined value is told apart from one header by its grammar: a bearer token holds no comma.

use portcullis_shared::cookies::SessionCookies;
use portcullis_shared::jws::MAX_TOKEN_BYTES;

/// What a request presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'r> {
    /// No `Authorization`, or a scheme that is not ours to judge (Basic on a public route is the upstream's).
    None,
    /// A bearer token of a plausible length; nothing else about it is known.
    Bearer(&'r str),
    /// `Bearer` with something that cannot be a token: nothing, or too much.
    Malformed,
    /// Session cookies, at least one; nothing else about them is known.
    Cookies(SessionCookies<'r>),
    /// More than one `Authorization`, a bearer token beside session cookies, or two cookies of one name.
    Ambiguous,
}

impl<'r> Credential<'r> {
    /// Reads the values of `Authorization` and `Cookie` as the platform hands them over.
    #[must_use]
    pub fn of(authorization: Option<&'r str>, cookie: Option<&'r str>) -> Self {
        let authorized = Self::of_authorization(authorization);
        match SessionCookies::read(cookie) {
            Err(_) => Self::Ambiguous,
            Ok(cookies) if !cookies.any() => authorized,
            Ok(cookies) => match authorized {
                // Basic and the like are an upstream's affair, and say nothing about who has the session.
                Self::None => Self::Cookies(cookies),
                Self::Bearer(_) | Self::Malformed | Self::Cookies(_) | Self::Ambiguous => Self::Ambiguous,
            },
        }
    }

    /// Whether it is, or claims to be, a bearer token.
    #[must_use]
    pub const fn is_bearer(&self) -> bool {
        match self {
            Self::Bearer(_) | Self::Malformed => true,
            Self::None | Self::Cookies(_) | Self::Ambiguous => false,
        }
    }

    fn of_authorization(authorization: Option<&'r str>) -> Self {
        let Some(value) = authorization else {
            return Self::None;
        };
        let value = value.trim_matches([' ', '\t']);
        let (scheme, rest) = value.split_once([' ', '\t', ',']).unwrap_or((value, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            return if joins_a_second_credential(value) {
                Self::Ambiguous
            } else {
                Self::None
            };
        }
        if value.contains(',') {
            return Self::Ambiguous;
        }
        let token = rest.trim_start_matches([' ', '\t']);
        // The strict parser judges the rest: a token that holds anything but base64url and dots is none.
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
            Self::Malformed
        } else {
            Self::Bearer(token)
        }
    }
}

/// Whether a part after a comma begins a credential of its own: a scheme, a space, and no `=` before either.
/// The parameters of one credential (`Digest a="b", c=d`) have their `=` first.
fn joins_a_second_credential(value: &str) -> bool {
    value.split(',').skip(1).any(|part| {
        let part = part.trim_matches([' ', '\t']);
        let scheme = part.split_once([' ', '\t']).map_or(part, |(scheme, _)| scheme);
        scheme.eq_ignore_ascii_case("bearer")
            || (part.len() > scheme.len() && !scheme.contains(['=', '"']) && !scheme.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::Credential;
    use portcullis_shared::cookies::Presence;
    use portcullis_shared::jws::MAX_TOKEN_BYTES;
    use proptest::prelude::*;

    fn of(authorization: Option<&str>) -> Credential<'_> {
        Credential::of(authorization, Some("theme=dark"))
    }

    #[test]
    fn session_cookies_are_a_credential_of_their_own() {
        let cookie = "a=1; __Host-pc_access=x.y.z";
        let Credential::Cookies(cookies) = Credential::of(None, Some(cookie)) else {
            panic!("{:?}", Credential::of(None, Some(cookie)));
        };
        assert_eq!(cookies.access, Presence::Value("x.y.z"));
        assert_eq!(cookies.refresh, Presence::Absent);
        let basic = Credential::of(Some("Basic YTpi"), Some(cookie));
        assert!(matches!(basic, Credential::Cookies(_)));
    }

    #[test]
    fn a_bearer_beside_a_session_cookie_and_a_cookie_that_comes_twice_are_ambiguous() {
        for (authorization, cookie) in [
            (Some("Bearer a"), "__Host-pc_access=a"),
            (Some("Bearer a"), "__Host-pc_refresh=a"),
            (Some("Bearer"), "__Host-pc_access=a"),
            (Some("Basic a, Basic b"), "__Host-pc_access=a"),
            (None, "__Host-pc_access=a; __Host-pc_access=a"),
            (Some("Bearer a"), "__Host-pc_access=a; __Host-pc_access=a"),
        ] {
            assert_eq!(
                Credential::of(authorization, Some(cookie)),
                Credential::Ambiguous,
                "{authorization:?} {cookie}"
            );
        }
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        for value in [
            "Bearer a.b-c_d~e+f/g==",
            "bearer a.b-c_d~e+f/g==",
            "BEARER   a.b-c_d~e+f/g==  ",
        ] {
            assert_eq!(of(Some(value)), Credential::Bearer("a.b-c_d~e+f/g=="), "{value}");
        }
    }

    #[test]
    fn no_header_an_empty_one_and_another_scheme_are_no_credential() {
        for value in [
            None,
            Some(""),
            Some("  "),
            Some("Basic dXNlcjpwYXNz"),
            Some("Bearertoken x"),
            Some("x"),
        ] {
            assert_eq!(of(value), Credential::None, "{value:?}");
        }
    }

    #[test]
    fn a_bearer_that_cannot_be_a_token_is_malformed() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        for value in ["Bearer", "Bearer ", "bearer 	", &long] {
            assert_eq!(of(Some(value)), Credential::Malformed, "{value}");
        }
        let longest = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES));
        assert!(matches!(of(Some(&longest)), Credential::Bearer(_)));
    }

    #[test]
    fn two_authorization_headers_are_ambiguous() {
        for value in [
            "Bearer a, Bearer a",
            "Bearer a, Basic b",
            "Basic b, Bearer a",
            "Basic a, Basic b",
            "Bearer a,",
            "Bearer, Bearer a",
            "Bearer , ",
            "Basic b,bearer a",
            "Basic b, Bearer",
        ] {
            assert_eq!(of(Some(value)), Credential::Ambiguous, "{value}");
        }
    }

    #[test]
    fn the_parameters_of_one_digest_are_one_credential() {
        let value = "Digest username=\"a\", realm=\"b\", nc=00000001, qop=auth";
        assert_eq!(of(Some(value)), Credential::None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(value in any::<String>()) {
            let _ = of(Some(&value));
        }

        #[test]
        fn a_bearer_joined_with_anything_is_never_a_token(
            token in "[A-Za-z0-9._-]{1,40}", second in "(Bearer|Basic|x) [A-Za-z0-9._=-]{0,20}", first: bool,
        ) {
            let joined = if first { format!("Bearer {token}, {second}") } else { format!("{second}, Bearer {token}") };
            prop_assert_eq!(of(Some(&joined)), Credential::Ambiguous);
        }
    }
}
