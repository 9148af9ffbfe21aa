//! Whether a request with session cookies was made by our own pages, or by another site in their bearer's name.
//!
//! Invariants:
//! - The rule exists once. Whichever of the three kinds of evidence comes first in their order decides alone: a
//!   browser that says where a request comes from is not overruled by a token.
//! - A token speaks for one session. It is a MAC under a key that edge and origin derive from the one they share, so
//!   that either can make and check it, and nothing is stored.
//! - Whoever has a CSRF token has no more than that: it names a session, and signs nobody in.

use std::fmt;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::base64url;
use crate::request_signature::SigningKey;

/// Where a browser says from which site a request comes (Fetch Metadata §2.3).
pub const SEC_FETCH_SITE: &str = "sec-fetch-site";
/// Where a browser says from which origin a request comes (RFC 6454 §7).
pub const ORIGIN: &str = "origin";
/// Where a client without either puts the token of `GET /auth/csrf`.
pub const TOKEN: &str = "x-csrf-token";

const PREFIX: &str = "pcc_";
const KEY_LABEL: &str = "portcullis-csrf-key-v1";
const TOKEN_LABEL: &[u8] = b"portcullis-csrf-token-v1\0";
/// 32 bytes in base64url.
const MAC_TEXT_LENGTH: usize = 43;
/// Longest session id that a token may name; ours are UUIDs.
const MAX_SID_BYTES: usize = 64;

/// Whether a request by this method changes nothing, so that it may come from anywhere (RFC 9110 §9.2.1). `TRACE` is
/// not among them: nobody here answers it.
#[must_use]
pub fn is_safe(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// What a request says about where it comes from. Of a header that came more than once, the values joined with `, `,
/// as platforms do it; of one that is no text, any text that it cannot mean, such as none at all.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Evidence<'r> {
    /// [`SEC_FETCH_SITE`].
    pub sec_fetch_site: Option<&'r str>,
    /// [`ORIGIN`].
    pub origin: Option<&'r str>,
    /// [`TOKEN`].
    pub token: Option<&'r str>,
}

/// Without the token.
impl fmt::Debug for Evidence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evidence")
            .field("sec_fetch_site", &self.sec_fetch_site)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// What the judge knows of the origin (scheme, host and port) that its own pages have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnOrigin<'r> {
    /// All of it, `scheme://host[:port]` without a slash at the end: the edge, from the URL of the request.
    Known(&'r str),
    /// `Host` alone: a server that does not know whether a proxy in front of it speaks TLS. A browser keeps and sends
    /// our cookies over `https`, and over `http` to the machine itself, so those are what an origin may be.
    Authority(&'r str),
    /// Nothing, because the edge has judged `Origin` already and signed the request.
    JudgedByEdge,
}

impl OwnOrigin<'_> {
    fn is(self, origin: &str) -> bool {
        match self {
            Self::Known(own) => !own.is_empty() && origin == own,
            Self::Authority(host) => match origin.split_once("://") {
                Some(("https", authority)) => !host.is_empty() && authority == host,
                Some(("http", authority)) => authority == host && is_loopback(host),
                Some(_) | None => false,
            },
            Self::JudgedByEdge => true,
        }
    }
}

/// The hosts that browsers treat like a secure one (Secure Contexts §3.1), of those that are spelled here.
fn is_loopback(authority: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].into_iter().any(|host| {
        authority
            .strip_prefix(host)
            .is_some_and(|port| port.is_empty() || port.starts_with(':'))
    })
}

/// Which kind of evidence a request was believed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// `Sec-Fetch-Site: same-origin`.
    FetchMetadata,
    /// `Origin` is our own.
    Origin,
    /// The token is good.
    Token,
}

/// Why a request was not believed; for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CsrfRefusal {
    /// The browser says that it comes from elsewhere, or says so twice.
    #[error("Sec-Fetch-Site is not same-origin")]
    FetchMetadata,
    /// `Origin` is another one than ours, `null`, or there twice.
    #[error("Origin is not the own one")]
    Origin,
    /// The token is not good, or not of this session.
    #[error("the CSRF token is not one of this session")]
    Token,
    /// There is nothing to go by.
    #[error("there is neither Sec-Fetch-Site nor Origin nor a CSRF token")]
    NoEvidence,
}

/// Judges a request by an unsafe method that came with session cookies; see [`is_safe`]. `token_is_good` is asked at
/// most once, and only where there is neither `Sec-Fetch-Site` nor `Origin`.
pub fn judge<'r>(
    evidence: &Evidence<'r>,
    own_origin: OwnOrigin<'_>,
    token_is_good: impl FnOnce(&'r str) -> bool,
) -> Result<Proof, CsrfRefusal> {
    if let Some(site) = evidence.sec_fetch_site {
        return if site == "same-origin" {
            Ok(Proof::FetchMetadata)
        } else {
            Err(CsrfRefusal::FetchMetadata)
        };
    }
    if let Some(origin) = evidence.origin {
        return if own_origin.is(origin) {
            Ok(Proof::Origin)
        } else {
            Err(CsrfRefusal::Origin)
        };
    }
    match evidence.token {
        Some(token) if token_is_good(token) => Ok(Proof::Token),
        Some(_) => Err(CsrfRefusal::Token),
        None => Err(CsrfRefusal::NoEvidence),
    }
}

/// The key that CSRF tokens are made under.
#[derive(Clone)]
pub struct CsrfKey {
    keyid: String,
    /// 32 bytes, zero-padded to HMAC's block as RFC 2104 §2 has it.
    block: Zeroizing<[u8; 64]>,
}

impl CsrfKey {
    /// The key that belongs to a signing key. It goes by the same name, and tells nothing about the other.
    #[must_use]
    pub fn of(signing_key: &SigningKey) -> Self {
        let derived = signing_key.mac(KEY_LABEL).finalize().into_bytes();
        let mut block = Zeroizing::new([0; 64]);
        for (to, from) in block.iter_mut().zip(derived) {
            *to = from;
        }
        Self {
            keyid: signing_key.keyid.clone(),
            block,
        }
    }

    /// The name of the signing key it belongs to.
    #[must_use]
    pub fn keyid(&self) -> &str {
        &self.keyid
    }

    fn mac(&self, sid: &str) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*self.block).into());
        mac.update(TOKEN_LABEL);
        mac.update(sid.as_bytes());
        mac
    }
}

impl fmt::Debug for CsrfKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsrfKey")
            .field("keyid", &self.keyid)
            .finish_non_exhaustive()
    }
}

/// The token of a session: `pcc_<keyid>.<sid>.<mac>`. `sid` is 1 to 64 letters, digits, `_` and `-`, as a UUID is;
/// a token for any other is never good.
#[must_use]
pub fn issue(key: &CsrfKey, sid: &str) -> String {
    let mac = base64url::encode(&key.mac(sid).finalize().into_bytes());
    format!("{PREFIX}{}.{sid}.{mac}", key.keyid)
}

/// The session that a token was made for; `None` for a text that is no token under one of `keys`. The MACs are compared
/// in constant time.
///
/// Whoever knows the session of the request compares it with this one. The edge does not know it where a request has
/// only a refresh token; then the origin compares.
#[must_use]
pub fn session_of<'t>(keys: &[CsrfKey], token: &'t str) -> Option<&'t str> {
    // The id of a key may have dots in it; the other two have none.
    let (head, mac) = token.strip_prefix(PREFIX)?.rsplit_once('.')?;
    let (keyid, sid) = head.rsplit_once('.')?;
    let is_sid_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if mac.len() != MAC_TEXT_LENGTH
        || !(1..=MAX_SID_BYTES).contains(&sid.len())
        || !sid.bytes().all(is_sid_byte)
    {
        return None;
    }
    let key = keys.iter().find(|key| key.keyid == keyid)?;
    key.mac(sid)
        .verify_slice(&base64url::decode(mac)?)
        .ok()
        .map(|()| sid)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: OwnOrigin<'static> = OwnOrigin::Known("https://app.example.com");
    const SID: &str = "0197a3f0-0000-7000-8000-000000000001";

    fn evidence<'r>(site: Option<&'r str>, origin: Option<&'r str>, token: Option<&'r str>) -> Evidence<'r> {
        Evidence {
            sec_fetch_site: site,
            origin,
            token,
        }
    }

    fn key(keyid: &str, byte: u8) -> CsrfKey {
        CsrfKey::of(&SigningKey::new(keyid, &[byte; 32]).unwrap())
    }

    #[test]
    fn fetch_metadata_decides_alone_where_it_is_there() {
        let of = |site| {
            judge(
                &evidence(Some(site), Some("https://app.example.com"), Some("good")),
                OWN,
                |_| true,
            )
        };
        assert_eq!(of("same-origin"), Ok(Proof::FetchMetadata));
        for site in [
            "same-site",
            "cross-site",
            "none",
            "",
            "Same-Origin",
            " same-origin",
            "same-origin, same-origin",
            "same-origin, cross-site",
            "anything",
        ] {
            assert_eq!(of(site), Err(CsrfRefusal::FetchMetadata), "{site}");
        }
        let elsewhere = evidence(Some("same-origin"), Some("https://evil.example"), None);
        assert_eq!(judge(&elsewhere, OWN, |_| false), Ok(Proof::FetchMetadata));
    }

    #[test]
    fn without_it_the_origin_must_be_exactly_the_own_one() {
        let of = |origin| judge(&evidence(None, Some(origin), Some("good")), OWN, |_| true);
        assert_eq!(of("https://app.example.com"), Ok(Proof::Origin));
        for origin in [
            "null",
            "",
            "http://app.example.com",
            "https://app.example.com/",
            "https://app.example.com:443",
            "https://app.example.com:8443",
            "https://APP.example.com",
            "https://app.example.com.evil.example",
            "https://evil.example",
            "https://example.com",
            "https://app.example.com, https://app.example.com",
            "app.example.com",
        ] {
            assert_eq!(of(origin), Err(CsrfRefusal::Origin), "{origin}");
        }
    }

    #[test]
    fn who_knows_only_the_host_takes_the_origins_that_cookies_can_have() {
        let of = |host, origin| {
            judge(
                &evidence(None, Some(origin), None),
                OwnOrigin::Authority(host),
                |_| false,
            )
        };
        for (host, origin) in [
            ("auth.example.com", "https://auth.example.com"),
            ("auth.example.com:8443", "https://auth.example.com:8443"),
            ("127.0.0.1:3001", "http://127.0.0.1:3001"),
            ("localhost", "http://localhost"),
            ("[::1]:3001", "http://[::1]:3001"),
            ("localhost:1", "https://localhost:1"),
        ] {
            assert_eq!(of(host, origin), Ok(Proof::Origin), "{host} {origin}");
        }
        for (host, origin) in [
            ("auth.example.com", "http://auth.example.com"),
            ("localhost.evil.example", "http://localhost.evil.example"),
            ("127.0.0.1:3001", "http://127.0.0.1:3002"),
            ("127.0.0.1:3001", "http://127.0.0.1"),
            ("auth.example.com", "null"),
            ("auth.example.com", "ftp://auth.example.com"),
            ("", "https://"),
            ("", "http://"),
            ("", ""),
        ] {
            assert_eq!(of(host, origin), Err(CsrfRefusal::Origin), "{host} {origin}");
        }
    }

    #[test]
    fn what_the_edge_has_judged_stands_and_fetch_metadata_is_looked_at_again() {
        let of = |evidence| judge(&evidence, OwnOrigin::JudgedByEdge, |_| false);
        assert_eq!(
            of(evidence(None, Some("https://public.example"), None)),
            Ok(Proof::Origin)
        );
        assert_eq!(
            of(evidence(Some("cross-site"), Some("https://public.example"), None)),
            Err(CsrfRefusal::FetchMetadata)
        );
        assert_eq!(of(evidence(None, None, Some("bad"))), Err(CsrfRefusal::Token));
    }

    #[test]
    fn without_either_the_token_counts() {
        let of = |token| judge(&evidence(None, None, token), OWN, |token| token == "good");
        assert_eq!(of(Some("good")), Ok(Proof::Token));
        assert_eq!(of(Some("bad")), Err(CsrfRefusal::Token));
        assert_eq!(of(None), Err(CsrfRefusal::NoEvidence));
    }

    #[test]
    fn only_three_methods_are_safe() {
        for method in ["GET", "HEAD", "OPTIONS"] {
            assert!(is_safe(method));
        }
        for method in [
            "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "get", "", "QUERY",
        ] {
            assert!(!is_safe(method), "{method}");
        }
    }

    #[test]
    fn a_token_speaks_for_the_session_it_was_made_for_under_any_known_key() {
        let keys = [key("old.1", 1), key("new", 2)];
        for key in &keys {
            assert_eq!(session_of(&keys, &issue(key, SID)), Some(SID));
        }
        assert_eq!(session_of(&keys[1..], &issue(&keys[0], SID)), None);
        assert_eq!(session_of(&[], &issue(&keys[0], SID)), None);
    }

    #[test]
    fn the_spelling_of_a_token_is_fixed() {
        // The MAC was computed with Python's hmac module over the documented layout.
        assert_eq!(
            issue(&key("k.1", 7), SID),
            format!("pcc_k.1.{SID}.kBvEAHXqJAERW_7Ob3nqYnIXYRB4givjtkVa_G1U4Jc")
        );
    }

    #[test]
    fn neither_key_nor_session_nor_spelling_of_a_token_can_be_changed() {
        let keys = [key("k", 1), key("k.x", 2)];
        let token = issue(&keys[0], "s1");
        let mac = token.rsplit('.').next().unwrap();
        for forged in [
            format!("pcc_k.s2.{mac}"),
            format!("pcc_k.x.s1.{mac}"),
            format!("pcc_k.s1x.{mac}"),
            format!("pcc_.s1.{mac}"),
            format!("pcc_s1.{mac}"),
            format!("k.s1.{mac}"),
            format!("PCC_k.s1.{mac}"),
            format!("pcc_k.s1.{mac}="),
            format!("pcc_k.s1.{mac}."),
            format!("pcc_k..{mac}"),
            "pcc_k.s1.".to_owned(),
            format!("pcc_k.s1.{}", "A".repeat(43)),
            String::new(),
        ] {
            assert_eq!(session_of(&keys, &forged), None, "{forged}");
        }
        let other_secret = [key("k", 9)];
        assert_eq!(session_of(&other_secret, &token), None);
    }

    #[test]
    fn a_session_id_that_could_be_read_otherwise_makes_no_good_token() {
        let keys = [key("k", 1), key("k.s", 1)];
        for sid in ["", "a.b", "a b", "é", &"a".repeat(65)] {
            assert_eq!(session_of(&keys, &issue(&keys[0], sid)), None, "{sid}");
        }
    }

    #[test]
    fn neither_the_key_nor_a_token_shows_in_debug_output() {
        assert_eq!(format!("{:?}", key("k", 1)), r#"CsrfKey { keyid: "k", .. }"#);
        let shown = format!("{:?}", evidence(None, None, Some("pcc_secret")));
        assert!(!shown.contains("secret"), "{shown}");
    }
}
