use portcullis_shared::csrf::{self, CsrfKey};
use portcullis_shared::request_signature::SigningKey;

use super::*;
use crate::browser::{CookieFate, Renewed};

const ACCESS: &str = "__Host-pc_access=token";
const REFRESH: &str = "__Host-pc_refresh=pcr_x.1.y";
const BOTH: &str = "__Host-pc_access=token; __Host-pc_refresh=pcr_x.1.y";

/// What came of a request with cookies.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It passes, as somebody or as nobody.
    Passes(bool, CookieFate),
    Refused(ProblemCode, CookieFate),
    Refreshes(String),
}

fn csrf_key() -> CsrfKey {
    CsrfKey::of(&SigningKey::new("k", &[7; 32]).unwrap())
}

fn bearing_cookies(method: &str, path: &str, cookie: &str) -> Ask {
    Ask {
        cookie: Some(cookie.to_owned()),
        ..Ask::new(method, path)
    }
}

fn with_header(mut ask: Ask, name: &'static str, value: &str) -> Ask {
    ask.headers.insert(name, value.to_owned());
    ask
}

fn outcome_of(ask: &Ask, revocations: &Revocations, verdict: TokenVerdict<AccessClaims>) -> Outcome {
    let (policy, keys) = (policy(), [csrf_key()]);
    let knowledge = Knowledge {
        csrf_keys: &keys,
        ..Knowledge::of(&policy, revocations)
    };
    match decide(ask, &knowledge, |_| verdict, NOW) {
        Decision::Pass(pass) => Outcome::Passes(pass.identity.is_some(), pass.cookies),
        Decision::Refuse(refusal) => Outcome::Refused(refusal.code, refusal.cookies),
        Decision::Refresh(token) => Outcome::Refreshes(token.to_owned()),
        Decision::Preflight(_) => panic!("nobody asks beforehand"),
        Decision::Verify(token) => panic!("{token} is known"),
        Decision::Count(_) => panic!("there are no limits"),
        Decision::FetchRevocations => panic!("what was revoked is known"),
        Decision::AskVenueRoles(_) => panic!("the token names all venues"),
    }
}

fn outcome(ask: &Ask) -> Outcome {
    outcome_of(ask, &nothing_revoked(), TokenVerdict::Verified(claims()))
}

fn outcome_expired(ask: &Ask) -> Outcome {
    outcome_of(
        ask,
        &nothing_revoked(),
        TokenVerdict::Refused(TokenError::expired(NOW)),
    )
}

#[test]
fn a_good_access_cookie_is_as_good_as_a_bearer_token_where_nothing_is_changed() {
    for path in ["/echo", "/public/x"] {
        let ask = bearing_cookies("GET", path, BOTH);
        assert_eq!(outcome(&ask), Outcome::Passes(true, CookieFate::Keep), "{path}");
    }
    let ask = bearing_cookies("GET", "/admin", ACCESS);
    assert_eq!(
        outcome(&ask),
        Outcome::Refused(ProblemCode::Forbidden, CookieFate::Keep)
    );
}

#[test]
fn a_bearer_token_beside_session_cookies_is_refused_on_every_route() {
    for path in ["/echo", "/public/x"] {
        let ask = bearing_cookies("GET", path, REFRESH).bearing("token");
        assert_eq!(
            outcome(&ask),
            Outcome::Refused(ProblemCode::AmbiguousCredentials, CookieFate::Keep)
        );
    }
}

#[test]
fn a_request_that_changes_something_passes_from_the_own_pages_only() {
    for path in ["/purchase", "/public/x"] {
        let ask = || bearing_cookies("POST", path, BOTH);
        let passes = Outcome::Passes(true, CookieFate::Keep);
        let refused = Outcome::Refused(ProblemCode::CsrfRejected, CookieFate::Keep);
        assert_eq!(outcome(&ask()), refused);
        for (name, value, is_own) in [
            ("sec-fetch-site", "same-origin", true),
            ("sec-fetch-site", "cross-site", false),
            ("sec-fetch-site", "none", false),
            ("origin", "https://edge.example", true),
            ("origin", "https://evil.example", false),
            ("origin", "http://edge.example", false),
            ("origin", "null", false),
        ] {
            let expected = if is_own { &passes } else { &refused };
            assert_eq!(
                outcome(&with_header(ask(), name, value)),
                *expected,
                "{name}: {value}"
            );
        }
    }
}

#[test]
fn a_web_socket_is_opened_by_the_own_pages_only() {
    let ask = || with_header(bearing_cookies("GET", "/echo", BOTH), "upgrade", "websocket");
    let refused = Outcome::Refused(ProblemCode::CsrfRejected, CookieFate::Keep);
    assert_eq!(outcome(&ask()), refused);
    for (name, value) in [
        ("sec-fetch-site", "same-site"),
        ("origin", "https://sibling.edge.example"),
    ] {
        assert_eq!(outcome(&with_header(ask(), name, value)), refused, "{name}");
    }
    let own = with_header(ask(), "origin", "https://edge.example");
    assert_eq!(outcome(&own), Outcome::Passes(true, CookieFate::Keep));
    assert_eq!(outcome_expired(&own), Outcome::Refreshes("pcr_x.1.y".to_owned()));
}

#[test]
fn a_csrf_token_counts_for_its_session_and_only_where_the_browser_says_nothing() {
    let own = csrf::issue(&csrf_key(), &claims().sid);
    let others = csrf::issue(&csrf_key(), "another");
    let ask = |token: &str| with_header(bearing_cookies("POST", "/purchase", BOTH), "x-csrf-token", token);
    let refused = Outcome::Refused(ProblemCode::CsrfRejected, CookieFate::Keep);
    assert_eq!(outcome(&ask(&own)), Outcome::Passes(true, CookieFate::Keep));
    assert_eq!(outcome(&ask(&others)), refused);
    assert_eq!(outcome(&ask("pcc_k.session.AAAA")), refused);
    assert_eq!(
        outcome(&with_header(ask(&own), "sec-fetch-site", "cross-site")),
        refused
    );
    assert_eq!(
        outcome(&with_header(ask(&own), "origin", "https://evil.example")),
        refused
    );
}

#[test]
fn a_bearer_token_needs_no_proof_of_where_it_comes_from() {
    let ask = with_header(
        Ask::new("POST", "/purchase").bearing("token"),
        "sec-fetch-site",
        "cross-site",
    );
    assert_eq!(outcome(&ask), Outcome::Passes(true, CookieFate::Keep));
}

#[test]
fn without_a_good_access_token_a_request_that_changes_nothing_is_refreshed_on_the_way() {
    let refreshes = Outcome::Refreshes("pcr_x.1.y".to_owned());
    for path in ["/echo", "/public/x"] {
        assert_eq!(outcome(&bearing_cookies("GET", path, REFRESH)), refreshes);
        assert_eq!(outcome_expired(&bearing_cookies("GET", path, BOTH)), refreshes);
        assert_eq!(outcome_expired(&bearing_cookies("HEAD", path, BOTH)), refreshes);
    }
}

#[test]
fn an_outdated_access_cookie_is_refreshed_and_that_of_an_ended_session_is_not() {
    let holder = AccessClaims {
        sid: Uuid::from_u128(1).to_string(),
        sub: Uuid::from_u128(2).to_string(),
        iat: NOW - 10,
        ..claims()
    };
    let ask = bearing_cookies("GET", "/echo", BOTH);
    let outdated = knowing(Vec::new(), BTreeMap::from([(Uuid::from_u128(2), NOW)]));
    assert_eq!(
        outcome_of(&ask, &outdated, TokenVerdict::Verified(holder.clone())),
        Outcome::Refreshes("pcr_x.1.y".to_owned())
    );
    let ended = knowing(vec![Uuid::from_u128(1)], BTreeMap::new());
    assert_eq!(
        outcome_of(&ask, &ended, TokenVerdict::Verified(holder)),
        Outcome::Refused(ProblemCode::InvalidToken, CookieFate::Clear)
    );
}

#[test]
fn a_request_with_a_body_is_not_refreshed_and_keeps_its_cookies() {
    let own = |path| {
        with_header(
            bearing_cookies("POST", path, BOTH),
            "sec-fetch-site",
            "same-origin",
        )
    };
    assert_eq!(
        outcome_expired(&own("/purchase")),
        Outcome::Refused(ProblemCode::InvalidToken, CookieFate::Keep)
    );
    assert_eq!(
        outcome_expired(&own("/public/x")),
        Outcome::Passes(false, CookieFate::Keep),
        "the origin refreshes and signs out by the refresh cookie alone"
    );
}

#[test]
fn after_the_refresh_the_new_token_decides_and_there_is_no_second_refresh() {
    let renewed = Renewed {
        access: "new".to_owned(),
        refresh: "pcr_x.2.y".to_owned(),
        set_cookies: Vec::new(),
    };
    let ask = Ask {
        renewal: Renewal::Renewed(renewed),
        ..bearing_cookies("GET", "/echo", BOTH)
    };
    let (policy, revocations) = (policy(), nothing_revoked());
    let knowledge = Knowledge::of(&policy, &revocations);
    let Decision::Verify(token) = decide(&ask, &knowledge, |_| TokenVerdict::<AccessClaims>::Unknown, NOW)
    else {
        panic!("the new token is not asked about");
    };
    assert_eq!(token, "new");
    assert_eq!(outcome(&ask), Outcome::Passes(true, CookieFate::Keep));
    assert_eq!(
        outcome_expired(&ask),
        Outcome::Refused(ProblemCode::InvalidToken, CookieFate::Keep)
    );
}

#[test]
fn cookies_that_cannot_be_refreshed_are_cleared_and_make_nobody_of_the_caller_where_everybody_may_pass() {
    let refused = Ask {
        renewal: Renewal::Refused,
        ..bearing_cookies("GET", "/echo", BOTH)
    };
    assert_eq!(
        outcome(&refused),
        Outcome::Refused(ProblemCode::InvalidToken, CookieFate::Clear)
    );
    let public = Ask {
        renewal: Renewal::Refused,
        ..bearing_cookies("GET", "/public/x", BOTH)
    };
    assert_eq!(outcome(&public), Outcome::Passes(false, CookieFate::Clear));
    for cookie in [ACCESS, "__Host-pc_access=\"quoted\"", "__Host-pc_refresh="] {
        assert_eq!(
            outcome_expired(&bearing_cookies("GET", "/public/x", cookie)),
            Outcome::Passes(false, CookieFate::Clear),
            "{cookie}"
        );
        assert_eq!(
            outcome_expired(&bearing_cookies("GET", "/echo", cookie)),
            Outcome::Refused(ProblemCode::InvalidToken, CookieFate::Clear),
            "{cookie}"
        );
    }
}

#[test]
fn a_session_that_was_refreshed_too_often_is_told_so() {
    let limited = Ask {
        renewal: Renewal::Limited { retry_after: 7 },
        ..bearing_cookies("GET", "/echo", BOTH)
    };
    assert_eq!(
        outcome(&limited),
        Outcome::Refused(ProblemCode::RateLimited, CookieFate::Keep)
    );
}

#[test]
fn a_refresh_that_failed_for_want_of_the_origin_costs_nobody_their_cookies() {
    let failed = |path| Ask {
        renewal: Renewal::Failed { retry_after: 3 },
        ..bearing_cookies("GET", path, BOTH)
    };
    assert_eq!(
        outcome(&failed("/echo")),
        Outcome::Refused(ProblemCode::Unavailable, CookieFate::Keep)
    );
    assert_eq!(
        outcome(&failed("/public/x")),
        Outcome::Passes(false, CookieFate::Keep)
    );
}

#[test]
fn a_proxy_that_asks_is_not_answered_about_cookies() {
    for cookie in [BOTH, REFRESH] {
        let ask = bearing_cookies("GET", "/check", cookie);
        assert_eq!(
            outcome(&ask),
            Outcome::Refused(ProblemCode::InvalidToken, CookieFate::Keep)
        );
    }
}

#[test]
fn the_revocation_feed_is_not_passed_on_whatever_the_table_says() {
    let wide = Policy::parse(
        r#"{"issuer": "i", "audience": "a", "routes": [{"path": "/*", "upstream": "origin", "public": true}]}"#,
    )
    .unwrap();
    let (ask, revocations) = (Ask::new("GET", "/edge/revocations"), nothing_revoked());
    let knowledge = Knowledge::of(&wide, &revocations);
    let decision = decide(&ask, &knowledge, |_| TokenVerdict::<AccessClaims>::Unknown, NOW);
    assert!(
        matches!(&decision, Decision::Refuse(refusal) if refusal.code == ProblemCode::NotFound),
        "{decision:?}"
    );
}

#[test]
fn other_cookies_are_nobodys_session() {
    let ask = bearing_cookies("POST", "/public/x", "theme=dark; __Host-pc_device=1");
    assert_eq!(outcome(&ask), Outcome::Passes(false, CookieFate::Keep));
    let ask = bearing_cookies("GET", "/echo", "theme=dark");
    assert_eq!(
        outcome(&ask),
        Outcome::Refused(ProblemCode::InvalidToken, CookieFate::Keep)
    );
}

proptest! {
    /// Whatever a request with session cookies says, it changes something only if it says that it is our own.
    #[test]
    fn nothing_is_changed_in_the_name_of_a_cookies_bearer_by_another_site(
        method in "(POST|PUT|PATCH|DELETE)",
        site in prop::option::of("(none|same-site|cross-site|same-origin|x)"),
        origin in prop::option::of("(null|https://edge.example|https://evil.example)"),
        cookie in "(__Host-pc_access=a|__Host-pc_refresh=a|__Host-pc_access=a; __Host-pc_refresh=b)",
    ) {
        let mut ask = bearing_cookies(&method, "/public/x", &cookie);
        if let Some(site) = &site {
            ask = with_header(ask, "sec-fetch-site", site);
        }
        if let Some(origin) = &origin {
            ask = with_header(ask, "origin", origin);
        }
        let is_own = match (&site, &origin) {
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => origin == "https://edge.example",
            (None, None) => false,
        };
        let is_refused = outcome(&ask) == Outcome::Refused(ProblemCode::CsrfRejected, CookieFate::Keep);
        prop_assert_eq!(is_refused, !is_own);
    }
}
