//! Cookies and CSRF tokens: whatever comes in, nothing panics, and what was written is what is read.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use portcullis_shared::cookies::{MAX_COOKIE_BYTES, Presence, SessionCookie, SessionCookies};
use portcullis_shared::csrf::{self, CsrfKey, CsrfRefusal, Evidence, OwnOrigin, Proof};
use portcullis_shared::request_signature::SigningKey;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 500,
        rng_seed: RngSeed::Fixed(6265),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// `name=value` of a `Set-Cookie`, which is what a browser sends back.
fn kept(set_cookie: &str) -> &str {
    set_cookie.split(';').next().unwrap()
}

/// Lines in which what matters occurs often.
fn cookie_line() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "(__Host-pc_access|__Host-pc_refresh|__host-pc_access|a)(=| =)[a-z.\"é,]{0,3}",
        2 => "(; ?|, ?|=| |\t)",
        1 => ".{0,4}",
    ];
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn key(keyid: &str, byte: u8) -> CsrfKey {
    CsrfKey::of(&SigningKey::new(keyid, &[byte; 32]).unwrap())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_header_makes_the_cookie_reader_panic(
        bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..3),
        lines in prop::collection::vec(cookie_line(), 0..3),
    ) {
        let _ = SessionCookies::read(&bytes);
        let _ = SessionCookies::read(&lines);
    }

    #[test]
    fn what_is_set_reads_back_among_any_other_cookies(
        access in "[!#-+\\--:<-\\[\\]-~]{1,80}",
        refresh in "[!#-+\\--:<-\\[\\]-~]{1,80}",
        others in prop::collection::vec("[a-z]{1,8}=[^;,\\x00-\\x1f\\x7f]{0,12}", 0..4),
        at in 0_usize..5,
        split: bool,
    ) {
        let access_cookie = SessionCookie::Access.set(&access, 900).unwrap();
        let refresh_cookie = SessionCookie::Refresh.set(&refresh, 900).unwrap();
        let mut pairs: Vec<&str> = others.iter().map(String::as_str).collect();
        pairs.insert(at.min(pairs.len()), kept(&access_cookie));
        pairs.push(kept(&refresh_cookie));
        let lines = if split { pairs.iter().map(ToString::to_string).collect() } else { vec![pairs.join("; ")] };
        let found = SessionCookies::read(&lines).unwrap();
        prop_assert_eq!(found.access, Presence::Value(&access));
        prop_assert_eq!(found.refresh, Presence::Value(&refresh));
    }

    #[test]
    fn whatever_is_set_is_one_header_and_small_enough_to_be_kept(value in "(.|[ -~]){0,60}", max_age: i64) {
        if let Ok(line) = SessionCookie::Access.set(&value, max_age) {
            prop_assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{}", line);
            prop_assert_eq!(line.matches(';').count(), 5, "{}", line);
            prop_assert!(kept(&line).len() <= MAX_COOKIE_BYTES);
        }
    }

    #[test]
    fn a_second_cookie_of_a_name_is_never_chosen(first in cookie_line(), second in cookie_line(), separator in "(; |;|, |,)") {
        let both = format!("{first}{separator}__Host-pc_access=x{separator}{second}{separator}__Host-pc_access=y");
        prop_assert!(SessionCookies::read([both.as_str()]).is_err(), "{}", both);
    }

    #[test]
    fn no_text_is_taken_for_a_csrf_token(token in "(pcc_)?[A-Za-z0-9_.=-]{0,90}", odd in any::<String>()) {
        let keys = [key("k", 1), key("k.2", 2)];
        prop_assert_eq!(csrf::session_of(&keys, &token), None);
        prop_assert_eq!(csrf::session_of(&keys, &odd), None);
    }

    #[test]
    fn a_csrf_token_says_its_session_and_no_changed_one_does(
        keyid in "[A-Za-z0-9._-]{1,64}", sid in "[A-Za-z0-9_-]{1,64}", at: prop::sample::Index, to in "[A-Za-z0-9_.-]",
    ) {
        let keys = [key(&keyid, 1)];
        let token = csrf::issue(&keys[0], &sid);
        prop_assert_eq!(csrf::session_of(&keys, &token), Some(sid.as_str()));
        let at = at.index(token.len());
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assume!(changed != token);
        prop_assert_eq!(csrf::session_of(&keys, &changed), None);
    }

    #[test]
    fn only_our_own_pages_are_believed(
        site in prop::option::of("(same-origin|same-site|cross-site|none|.{0,6})"),
        origin in prop::option::of("(https://a.example|http://a.example|null|https://[a-z.]{0,9}|.{0,6})"),
        token in prop::option::of("(good|bad)"),
    ) {
        let evidence =
            Evidence { sec_fetch_site: site.as_deref(), origin: origin.as_deref(), token: token.as_deref() };
        let verdict = csrf::judge(&evidence, OwnOrigin::Known("https://a.example"), |token| token == "good");
        let expected = match (site.as_deref(), origin.as_deref(), token.as_deref()) {
            (Some("same-origin"), _, _) => Ok(Proof::FetchMetadata),
            (Some(_), _, _) => Err(CsrfRefusal::FetchMetadata),
            (None, Some("https://a.example"), _) => Ok(Proof::Origin),
            (None, Some(_), _) => Err(CsrfRefusal::Origin),
            (None, None, Some("good")) => Ok(Proof::Token),
            (None, None, Some(_)) => Err(CsrfRefusal::Token),
            (None, None, None) => Err(CsrfRefusal::NoEvidence),
        };
        prop_assert_eq!(verdict, expected);
    }
}
