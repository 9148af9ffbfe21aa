//! Cookies, and what vouches for them. The lines of an input: `Cookie`, `Set-Cookie`, the CSRF token, `Origin`,
//! `Sec-Fetch-Site`, the own origin.

use std::sync::LazyLock;

use portcullis_edge::browser::{self, CookieFate, Renewal, Renewed};
use portcullis_edge::credential::Credential;
use portcullis_edge::hygiene;
use portcullis_shared::cookies::{DeviceCookie, SessionCookie, SessionCookies};
use portcullis_shared::csrf::{self, CsrfKey, Evidence, OwnOrigin, Proof};
use portcullis_shared::request_signature::SigningKey;

static KEYS: LazyLock<[CsrfKey; 2]> = LazyLock::new(|| {
    ["one", "t.w.o"].map(|id| CsrfKey::of(&SigningKey::new(id, &[7; 32]).expect("a name and 32 bytes")))
});

/// Nobody's cookies reach somebody else, and no token speaks for a session but one that was issued for it.
pub fn check(data: &[u8]) {
    let Some(mut next) = crate::lines(data) else {
        return;
    };
    let (cookie, set_cookie) = (next(), next());
    check_reading(cookie);
    check_what_goes_on(cookie, set_cookie);
    check_set_cookies(set_cookie);
    let (token, origin, site, own) = (next(), next(), next(), next());
    check_token(token);
    check_judgement(token, origin, site, own);
}

fn check_reading(cookie: &str) {
    if let Ok(found) = DeviceCookie::read([cookie])
        && let Some(value) = found.value()
    {
        assert!(
            DeviceCookie::set(value, 1).is_ok(),
            "a value that we never set: {value:?}"
        );
    }
    let Ok(cookies) = SessionCookies::read([cookie]) else {
        let credential = Credential::of(None, Some(cookie));
        assert_eq!(credential, Credential::Ambiguous);
        return;
    };
    for (kind, found) in [
        (SessionCookie::Access, cookies.access),
        (SessionCookie::Refresh, cookies.refresh),
    ] {
        if let Some(value) = found.value() {
            assert!(kind.set(value, 1).is_ok(), "a value that we never set: {value:?}");
        }
    }
    // A bearer token beside them is never chosen between.
    if cookies.any() {
        assert_eq!(
            Credential::of(Some("Bearer a.b.c"), Some(cookie)),
            Credential::Ambiguous
        );
    }
}

fn check_what_goes_on(cookie: &str, set_cookie: &str) {
    let none_in = |kept: &str| SessionCookies::read([kept]).is_ok_and(|cookies| !cookies.any());
    if let Some(kept) = hygiene::foreign_cookies(cookie) {
        assert!(none_in(&kept), "an application was sent a session: {kept:?}");
        let device = DeviceCookie::read([kept.as_str()]);
        assert!(
            device.is_ok_and(|found| !found.is_present()),
            "an application was sent a device: {kept:?}"
        );
    }
    if SessionCookies::read([cookie]).is_err() {
        // Such a request is refused before anything goes on.
        return;
    }
    let cleared = browser::cookies_for_origin(cookie, CookieFate::Clear, &Renewal::Untried);
    let cleared = cleared.expect("they are to be taken out");
    assert!(none_in(&cleared), "{cleared:?}");
    let access = SessionCookie::Access.set("a.b.c", 1).expect("a value");
    let lines = vec![access, format!("{}={set_cookie}", SessionCookie::Refresh.name())];
    let Some(renewed) = Renewed::of(lines) else { return };
    let refresh = renewed.refresh.clone();
    if SessionCookie::Refresh.set(&refresh, 1).is_err() {
        return;
    }
    let sent = browser::cookies_for_origin(cookie, CookieFate::Keep, &Renewal::Renewed(renewed));
    let sent = sent.expect("they are to be replaced");
    let seen = SessionCookies::read([sent.as_str()]).expect("one of each");
    assert_eq!(seen.access.value(), Some("a.b.c"));
    assert_eq!(seen.refresh.value(), Some(refresh.as_str()));
}

fn check_set_cookies(line: &str) {
    let lines = [line.to_owned(), "theme=dark".to_owned()];
    let foreign = browser::foreign_set_cookies(&lines);
    let kept = foreign.unwrap_or_else(|| lines.iter().map(String::as_str).collect());
    for line in kept {
        let name = line.split_once('=').map_or(line, |(name, _)| name).trim();
        let is_ours = SessionCookie::ALL
            .iter()
            .any(|cookie| cookie.name().eq_ignore_ascii_case(name));
        assert!(!is_ours, "an application set a session: {line:?}");
    }
    let _ = browser::set_session_cookies(&lines);
}

fn check_token(token: &str) {
    if let Some(sid) = csrf::session_of(&*KEYS, token) {
        assert!(KEYS.iter().any(|key| csrf::issue(key, sid) == token), "{token}");
    }
    // What was issued is good for its session, where that can have one.
    for key in &*KEYS {
        let issued = csrf::issue(key, token);
        let speaks_for = csrf::session_of(&*KEYS, &issued);
        assert!(speaks_for.is_none_or(|sid| sid == token), "{issued}");
    }
}

fn check_judgement(token: &str, origin: &str, site: &str, own: &str) {
    let [sec_fetch_site, origin_header, token] =
        [site, origin, token].map(|value| Some(value).filter(|value| !value.is_empty()));
    let evidence = Evidence {
        sec_fetch_site,
        origin: origin_header,
        token,
    };
    let own_origin = browser::origin_of(own);
    let verdict = csrf::judge(&evidence, OwnOrigin::Known(own_origin), |_| false);
    match verdict {
        Ok(Proof::FetchMetadata) => assert_eq!(site, "same-origin"),
        Ok(Proof::Origin) => assert!(site.is_empty() && !own.is_empty() && origin == own_origin),
        Ok(Proof::Token) => unreachable!("no token is good"),
        Err(_) => {}
    }
}
