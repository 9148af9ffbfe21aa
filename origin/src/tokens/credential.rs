//! The credential of a request: a bearer token, or the cookies of a browser, and never both.

use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, COOKIE};
use portcullis_shared::cookies::{Presence, SessionCookie, SessionCookies};

use crate::http::RequestContext;

use super::error::TokensError;

/// What a request presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential<'h> {
    /// Nothing, or a scheme of HTTP authentication that is not this room's to judge.
    None,
    /// The token of `Authorization: Bearer` (RFC 6750 §2.1).
    Bearer(&'h str),
    /// One session cookie or more.
    Cookies(SessionCookies<'h>),
}

impl<'h> Credential<'h> {
    /// Reads the headers of a request. Two `Authorization`, two cookies of one name, and a bearer token beside a
    /// session cookie are refused: whichever were chosen, the other might have been meant.
    pub fn of(headers: &'h HeaderMap) -> Result<Self, TokensError> {
        let bearer = bearer_token(headers)?;
        let cookies = SessionCookies::read(headers.get_all(COOKIE))?;
        match (bearer, cookies.any()) {
            (Some(_), true) => Err(TokensError::BearerAndCookie),
            (Some(token), false) => Ok(Self::Bearer(token)),
            (None, true) => Ok(Self::Cookies(cookies)),
            (None, false) => Ok(Self::None),
        }
    }

    /// Makes the browser forget its cookies, if it has sent any.
    pub fn forget(self, context: &RequestContext) {
        if let Self::Cookies(_) = self {
            for cookie in SessionCookie::ALL {
                context.set_cookie(cookie.delete());
            }
        }
    }

    /// The access token, or what stands where one should.
    pub(super) fn access_token(self) -> Result<&'h str, TokensError> {
        match self {
            Self::Bearer(token)
            | Self::Cookies(SessionCookies {
                access: Presence::Value(token),
                ..
            }) => Ok(token),
            // What no token can be is refused as any such text is.
            Self::Cookies(SessionCookies {
                access: Presence::Malformed,
                ..
            }) => Ok(""),
            Self::None
            | Self::Cookies(SessionCookies {
                access: Presence::Absent,
                ..
            }) => Err(TokensError::Missing),
        }
    }
}

fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, TokensError> {
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(TokensError::TwoAuthorizations);
    }
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim_matches(' '));
    Ok(token)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(lines: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn authorizations(values: &[&'static str]) -> HeaderMap {
        headers(
            &values
                .iter()
                .map(|value| (AUTHORIZATION, *value))
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn the_scheme_is_compared_without_case() {
        let headers = authorizations(&["bEaReR  abc"]);
        assert_eq!(Credential::of(&headers).unwrap(), Credential::Bearer("abc"));
    }

    #[test]
    fn another_scheme_or_none_is_a_missing_token() {
        for values in [&["Basic YTpi"][..], &["abc"], &["Bearerabc"], &[""], &[]] {
            let headers = authorizations(values);
            let credential = Credential::of(&headers).unwrap();
            assert_eq!(credential, Credential::None, "{values:?}");
            assert!(matches!(credential.access_token(), Err(TokensError::Missing)));
        }
    }

    #[test]
    fn two_headers_are_ambiguous_even_if_they_agree() {
        assert!(matches!(
            Credential::of(&authorizations(&["Bearer a", "Bearer a"])),
            Err(TokensError::TwoAuthorizations)
        ));
    }

    #[test]
    fn the_access_cookie_takes_the_place_of_a_bearer_token() {
        for (cookie, token) in [
            ("__Host-pc_access=a.b.c", Some("a.b.c")),
            ("__Host-pc_access=a.b.c; __Host-pc_refresh=x", Some("a.b.c")),
            ("__Host-pc_access=\"a.b.c\"", Some("")),
            ("__Host-pc_refresh=x", None),
            ("__host-pc_access=a.b.c", None),
        ] {
            let headers = headers(&[(COOKIE, cookie), (AUTHORIZATION, "Basic YTpi")]);
            let credential = Credential::of(&headers).unwrap();
            assert_eq!(credential.access_token().ok(), token, "{cookie}");
        }
    }

    #[test]
    fn a_bearer_token_beside_a_session_cookie_is_ambiguous() {
        for cookie in [
            "__Host-pc_access=a.b.c",
            "__Host-pc_refresh=x",
            "a=1; __Host-pc_access=",
        ] {
            let both = headers(&[(COOKIE, cookie), (AUTHORIZATION, "Bearer a.b.c")]);
            assert!(
                matches!(Credential::of(&both), Err(TokensError::BearerAndCookie)),
                "{cookie}"
            );
        }
        let foreign = headers(&[(COOKIE, "a=1"), (AUTHORIZATION, "Bearer a.b.c")]);
        assert_eq!(Credential::of(&foreign).unwrap(), Credential::Bearer("a.b.c"));
    }
}
