//! Sessions of browsers: what comes of refreshing one on the way, and which cookies go where.
//!
//! Invariants:
//! - A request is refreshed once at most, and only by a safe method, which has no body that would have to wait.
//! - Nobody but the origin sets the product's cookies: an application behind the edge could sign a browser in as
//!   somebody else.
//! - The cookies that the origin sets go to the browser letter by letter; the edge makes none but those that delete.
//! - What the origin is sent has the session's cookies as they are after the refresh, or none of them when they were
//!   found to be good for nothing.

use portcullis_shared::cookies::SessionCookie;

use crate::hygiene::PRODUCT_COOKIE;

/// What came of refreshing the session of a request on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Renewal {
    /// It was not tried.
    #[default]
    Untried,
    /// The session goes on.
    Renewed(Renewed),
    /// The origin says that the refresh token is good for nothing.
    Refused,
    /// The session was refreshed too often lately; try again after this many seconds.
    Limited {
        /// Seconds until another attempt makes sense.
        retry_after: u32,
    },
    /// The origin could not be asked, or had no time; try again after this many seconds.
    Failed {
        /// Seconds until another attempt makes sense.
        retry_after: u32,
    },
}

/// A session that was refreshed.
#[derive(Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
    /// The values of the origin's `Set-Cookie` headers.
    pub set_cookies: Vec<String>,
}

/// Without the tokens.
impl std::fmt::Debug for Renewed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renewed").finish_non_exhaustive()
    }
}

impl Renewed {
    /// Reads the `Set-Cookie` headers of the origin's answer; `None` unless they set both cookies.
    #[must_use]
    pub fn of(set_cookies: Vec<String>) -> Option<Self> {
        let value_of = |cookie: SessionCookie| {
            set_cookies.iter().find_map(|line| {
                let value = line.strip_prefix(cookie.name())?.strip_prefix('=')?;
                let value = value.split(';').next()?;
                (!value.is_empty()).then(|| value.to_owned())
            })
        };
        Some(Self {
            access: value_of(SessionCookie::Access)?,
            refresh: value_of(SessionCookie::Refresh)?,
            set_cookies,
        })
    }
}

/// What is to become of the session cookies of a request that is let pass or refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CookieFate {
    /// They stay as they are, be there any or none.
    #[default]
    Keep,
    /// They are good for nothing: the browser is told to forget them, and nobody is sent them.
    Clear,
}

/// The values of an application's `Set-Cookie` headers less those that are not its to set; `None` where all are.
#[must_use]
pub fn foreign_set_cookies(lines: &[String]) -> Option<Vec<&str>> {
    let is_ours = |line: &&String| {
        // Some browsers take what follows an equals sign for the name of a cookie without one. A control character makes
        // browsers drop the line, but not every library.
        let line = line.trim_start_matches(|c: char| c == '=' || c.is_whitespace() || c.is_control());
        let start = line.as_bytes().get(..PRODUCT_COOKIE.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(PRODUCT_COOKIE.as_bytes()))
    };
    lines.iter().any(|line| is_ours(&line)).then(|| {
        let foreign = lines.iter().filter(|line| !is_ours(line));
        foreign.map(String::as_str).collect()
    })
}

/// Whether these `Set-Cookie` values are about a session cookie, set or deleted: then the origin has the last word, and
/// the edge adds none of its own.
#[must_use]
pub fn set_session_cookies(lines: &[String]) -> bool {
    lines.iter().any(|line| {
        let name = line.split_once('=').map_or("", |(name, _)| name);
        SessionCookie::ALL.iter().any(|cookie| cookie.name() == name)
    })
}

/// The values of the `Set-Cookie` headers that a response gets.
#[must_use]
pub fn set_cookies(fate: CookieFate, renewal: &Renewal) -> Vec<String> {
    match (fate, renewal) {
        (CookieFate::Clear, _) => SessionCookie::ALL.map(SessionCookie::delete).to_vec(),
        (CookieFate::Keep, Renewal::Renewed(renewed)) => renewed.set_cookies.clone(),
        (
            CookieFate::Keep,
            Renewal::Untried | Renewal::Refused | Renewal::Limited { .. } | Renewal::Failed { .. },
        ) => Vec::new(),
    }
}

/// The `Cookie` value for the origin where it is another than the one that came; `None` where it is to be as it came.
#[must_use]
pub fn cookies_for_origin(cookies: &str, fate: CookieFate, renewal: &Renewal) -> Option<String> {
    let renewed = match (fate, renewal) {
        (CookieFate::Clear, _) => None,
        (CookieFate::Keep, Renewal::Renewed(renewed)) => Some(renewed),
        (
            CookieFate::Keep,
            Renewal::Untried | Renewal::Refused | Renewal::Limited { .. } | Renewal::Failed { .. },
        ) => return None,
    };
    let is_session_cookie = |pair: &str| {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        SessionCookie::ALL.iter().any(|cookie| cookie.name() == name)
    };
    // What reads cookies has refused those in which a comma stands before a name of ours.
    let kept = cookies
        .split(';')
        .map(str::trim)
        .filter(|pair| !pair.is_empty() && !is_session_cookie(pair))
        .map(str::to_owned);
    let own = renewed.into_iter().flat_map(|renewed| {
        [
            (SessionCookie::Access, &renewed.access),
            (SessionCookie::Refresh, &renewed.refresh),
        ]
        .map(|(cookie, value)| format!("{}={value}", cookie.name()))
    });
    Some(kept.chain(own).collect::<Vec<_>>().join("; "))
}

/// Scheme, host and port of an absolute URL, as an `Origin` header has them.
#[must_use]
pub fn origin_of(url: &str) -> &str {
    let authority = url.find("://").map_or(0, |at| at.saturating_add(3));
    let end = url
        .get(authority..)
        .and_then(|rest| rest.find(['/', '?', '#']))
        .map_or(url.len(), |length| authority.saturating_add(length));
    url.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn renewed() -> Renewed {
        let lines = [
            (SessionCookie::Access, "a.b.c"),
            (SessionCookie::Refresh, "pcr_x.1.y"),
        ]
        .map(|(cookie, value)| cookie.set(value, 60).unwrap());
        Renewed::of(lines.to_vec()).unwrap()
    }

    #[test]
    fn what_the_origin_sets_is_read_and_passed_on_as_it_is() {
        let renewed = renewed();
        assert_eq!(renewed.access, "a.b.c");
        assert_eq!(renewed.refresh, "pcr_x.1.y");
        let lines = set_cookies(CookieFate::Keep, &Renewal::Renewed(renewed.clone()));
        assert_eq!(lines, renewed.set_cookies);
    }

    #[test]
    fn an_answer_that_does_not_set_both_cookies_renews_nothing() {
        let access = SessionCookie::Access.set("a", 1).unwrap();
        let refresh = SessionCookie::Refresh.set("r", 1).unwrap();
        for lines in [
            vec![],
            vec![access.clone()],
            vec![refresh.clone()],
            vec![access.clone(), access.clone()],
            vec![access, SessionCookie::Refresh.delete()],
            vec!["__Host-pc_accessx=a".to_owned(), refresh],
        ] {
            assert_eq!(Renewed::of(lines.clone()), None, "{lines:?}");
        }
    }

    #[test]
    fn cookies_that_are_good_for_nothing_are_deleted() {
        let deleting = SessionCookie::ALL.map(SessionCookie::delete);
        for renewal in [Renewal::Untried, Renewal::Refused, Renewal::Renewed(renewed())] {
            assert_eq!(set_cookies(CookieFate::Clear, &renewal), deleting, "{renewal:?}");
        }
    }

    #[test]
    fn the_origin_sees_the_session_as_it_is_now_and_every_other_cookie() {
        let renewal = Renewal::Renewed(renewed());
        for (came, sent) in [
            (
                "a=1; __Host-pc_refresh=old; b=x=2,3",
                "a=1; b=x=2,3; __Host-pc_access=a.b.c; __Host-pc_refresh=pcr_x.1.y",
            ),
            (
                "__Host-pc_access=old;__Host-pc_refresh=old; __Host-pc_device=d",
                "__Host-pc_device=d; __Host-pc_access=a.b.c; __Host-pc_refresh=pcr_x.1.y",
            ),
        ] {
            let kept = cookies_for_origin(came, CookieFate::Keep, &renewal);
            assert_eq!(kept.as_deref(), Some(sent), "{came}");
        }
        let cleared = cookies_for_origin("a=1; __Host-pc_access=x", CookieFate::Clear, &Renewal::Untried);
        assert_eq!(cleared.as_deref(), Some("a=1"));
        assert_eq!(
            cookies_for_origin("a=1", CookieFate::Keep, &Renewal::Untried),
            None
        );
    }

    #[test]
    fn a_session_cookie_of_the_origin_is_noticed() {
        let set = |line: &str| set_session_cookies(&[line.to_owned()]);
        assert!(set("__Host-pc_access=a.b.c; Path=/") && set("__Host-pc_refresh=; Max-Age=0"));
        assert!(!set("__Host-pc_device=x") && !set("theme=dark") && !set_session_cookies(&[]));
    }

    #[test]
    fn an_application_sets_its_own_cookies_and_none_of_ours() {
        let lines = [
            "theme=dark; Path=/",
            "__Host-pc_access=planted; Path=/",
            " __host-pc_device=x",
            "\u{c}__Host-pc_refresh=planted",
        ]
        .map(str::to_owned);
        assert_eq!(foreign_set_cookies(&lines), Some(vec!["theme=dark; Path=/"]));
        assert_eq!(foreign_set_cookies(&lines[..1]), None);
        assert_eq!(foreign_set_cookies(&[]), None);
    }

    #[test]
    fn the_origin_of_a_url_ends_where_its_path_begins() {
        for (url, origin) in [
            ("https://edge.example/a?b=/", "https://edge.example"),
            ("http://127.0.0.1:8787/", "http://127.0.0.1:8787"),
            ("https://edge.example?x", "https://edge.example"),
            ("https://edge.example", "https://edge.example"),
            ("https://[::1]:1/x", "https://[::1]:1"),
        ] {
            assert_eq!(origin_of(url), origin, "{url}");
        }
    }

    #[test]
    fn no_token_shows_in_debug_output() {
        let shown = format!("{:?}", Renewal::Renewed(renewed()));
        assert!(!shown.contains("a.b.c") && !shown.contains("pcr_"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_session_cookie_outlives_its_clearing(text in "([a-c;=, ]|__Host-pc_access=|__Host-pc_refresh=x){0,12}") {
            let _ = origin_of(&text);
            let _ = Renewed::of(vec![text.clone()]);
            let sent = cookies_for_origin(&text, CookieFate::Clear, &Renewal::Untried).unwrap();
            let has_one = sent.split("; ").any(|pair| pair.starts_with("__Host-pc_access=") || pair.starts_with("__Host-pc_refresh="));
            prop_assert!(!has_one, "{sent}");
        }
    }
}
