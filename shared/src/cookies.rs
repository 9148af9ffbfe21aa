//! The cookies that carry a browser's session, as both ends read and write them (RFC 6265, and the prefix
//! `__Host-` of draft-ietf-httpbis-rfc6265bis §4.1.3.2).
//!
//! Invariants:
//! - A request carries each of our cookies once or not at all. Two of one name are never chosen between: one of
//!   them may have been planted.
//! - A name is compared exactly, as browsers do. What only looks like ours is not ours.
//! - What [`SessionCookie::set`] wrote, [`SessionCookies::read`] reads.
//! - Reading copies nothing.

mod device;

pub use device::{AmbiguousDeviceCookie, DeviceCookie};

/// Most bytes of a name and its value together: browsers drop a cookie that is longer
/// (draft-ietf-httpbis-rfc6265bis §5.6).
pub const MAX_COOKIE_BYTES: usize = 4096;

/// How each cookie of ours is marked: sent over a secure connection only, hidden from scripts, sent along from other
/// sites only when a link is followed, and, as `__Host-` demands, for this host alone.
const ATTRIBUTES: &str = "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=";

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionCookie {
    /// The access token.
    Access,
    /// The refresh token.
    Refresh,
}

/// More than one cookie of this name came with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than one cookie is named {}", .0.name())]
pub struct AmbiguousCookie(pub SessionCookie);

/// A text that no cookie can hold: it is too long, or has a character that would end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text cannot be the value of a cookie")]
pub struct UnfitValue;

impl SessionCookie {
    /// Every cookie there is.
    pub const ALL: [Self; 2] = [Self::Access, Self::Refresh];

    /// The name. The prefix makes browsers refuse it from another host, over plain HTTP or for a part of the site.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "__Host-pc_access",
            Self::Refresh => "__Host-pc_refresh",
        }
    }

    /// Most bytes of a value with which the whole `Set-Cookie` stays within [`MAX_COOKIE_BYTES`], by which some browsers
    /// still measure (RFC 6265 §6.1).
    #[must_use]
    pub const fn longest_value(self) -> usize {
        // `=` after the name, and as many digits as a `Max-Age` may have.
        MAX_COOKIE_BYTES - self.name().len() - 1 - ATTRIBUTES.len() - 10
    }

    /// The value of the `Set-Cookie` that makes a browser keep `value` for `max_age` seconds; none or fewer delete it.
    pub fn set(self, value: &str, max_age: i64) -> Result<String, UnfitValue> {
        set(self.name(), value, max_age)
    }

    /// The value of the `Set-Cookie` that makes a browser forget it. Its attributes are those it was set with, without
    /// which browsers take it for another cookie, or refuse it for its prefix.
    #[must_use]
    pub fn delete(self) -> String {
        format!("{}={ATTRIBUTES}0", self.name())
    }
}

fn set(name: &str, value: &str, max_age: i64) -> Result<String, UnfitValue> {
    if can_hold(name, value.as_bytes()) {
        Ok(format!("{name}={value}{ATTRIBUTES}{}", max_age.max(0)))
    } else {
        Err(UnfitValue)
    }
}

/// One octet or more of RFC 6265 §4.1.1, without the quotes that may stand around them there.
fn can_hold(name: &str, value: &[u8]) -> bool {
    let is_octet = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b',' | b';' | b'\\');
    !value.is_empty() && value.len() <= MAX_COOKIE_BYTES - name.len() && value.iter().all(is_octet)
}

/// What a request has under the name of one of our cookies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence<'r> {
    /// No such cookie.
    #[default]
    Absent,
    /// A cookie with a value that we never set: empty, too long, quoted, or with characters that are none of a cookie's.
    Malformed,
    /// A cookie with a value that may be a token; nothing else is known of it.
    Value(&'r str),
}

impl<'r> Presence<'r> {
    /// A cookie that is there, with this value.
    fn of(name: &str, value: &'r [u8]) -> Self {
        Some(value)
            .filter(|value| can_hold(name, value))
            .and_then(|value| str::from_utf8(value).ok())
            .map_or(Self::Malformed, Self::Value)
    }

    /// Whether there is a cookie, whatever its value.
    #[must_use]
    pub const fn is_present(self) -> bool {
        match self {
            Self::Absent => false,
            Self::Malformed | Self::Value(_) => true,
        }
    }

    /// The value, where it may be a token.
    #[must_use]
    pub const fn value(self) -> Option<&'r str> {
        match self {
            Self::Absent | Self::Malformed => None,
            Self::Value(value) => Some(value),
        }
    }
}

/// Our cookies of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionCookies<'r> {
    /// The access token.
    pub access: Presence<'r>,
    /// The refresh token.
    pub refresh: Presence<'r>,
}

impl<'r> SessionCookies<'r> {
    /// Reads the values of all `Cookie` headers of a request, in whatever lines they came. Other cookies are passed
    /// over, whatever they hold.
    ///
    /// Some platforms join repeated headers with `, `. A comma is none of a cookie's characters but browsers let it
    /// through, so a foreign cookie may hold `, __Host-pc_access=…` too. Nothing tells the two apart, so one of our
    /// names after a comma is never believed: the request is ambiguous.
    pub fn read<L>(lines: impl IntoIterator<Item = &'r L>) -> Result<Self, AmbiguousCookie>
    where
        L: AsRef<[u8]> + ?Sized + 'r,
    {
        let mut found = Self::default();
        for line in lines {
            for pair in line.as_ref().split(|byte| *byte == b';') {
                found.take(pair)?;
            }
        }
        Ok(found)
    }

    /// Whether a session cookie came with the request, whatever its value.
    #[must_use]
    pub const fn any(&self) -> bool {
        self.access.is_present() || self.refresh.is_present()
    }

    fn take(&mut self, pair: &'r [u8]) -> Result<(), AmbiguousCookie> {
        let mut joined = pair.split(|byte| *byte == b',');
        // The part before the first comma, which a split always has.
        if let Some((cookie, _)) = joined.next().and_then(ours) {
            let slot = match cookie {
                SessionCookie::Access => &mut self.access,
                SessionCookie::Refresh => &mut self.refresh,
            };
            if slot.is_present() {
                return Err(AmbiguousCookie(cookie));
            }
            // The whole value this time: one with a comma in it is none of ours.
            *slot = ours(pair).map_or(Presence::Malformed, |(_, value)| {
                Presence::of(cookie.name(), value)
            });
        }
        match joined.find_map(ours) {
            Some((cookie, _)) => Err(AmbiguousCookie(cookie)),
            None => Ok(()),
        }
    }
}

/// Name and value of a pair, if the name is one of ours.
fn ours(pair: &[u8]) -> Option<(SessionCookie, &[u8])> {
    let pair = pair.trim_ascii();
    // Nearly every other cookie is done with here.
    if !pair.starts_with(b"__Host-pc_") {
        return None;
    }
    SessionCookie::ALL.into_iter().find_map(|cookie| {
        let value = pair.strip_prefix(cookie.name().as_bytes())?.strip_prefix(b"=")?;
        Some((cookie, value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: SessionCookies<'static> = SessionCookies {
        access: Presence::Absent,
        refresh: Presence::Absent,
    };

    fn read<'r>(lines: &[&'r str]) -> Result<SessionCookies<'r>, AmbiguousCookie> {
        SessionCookies::read(lines.iter().copied())
    }

    #[test]
    fn each_cookie_is_found_wherever_it_stands() {
        for lines in [
            &["__Host-pc_access=a.b.c; __Host-pc_refresh=pcr_x.1.y"][..],
            &["__Host-pc_refresh=pcr_x.1.y;__Host-pc_access=a.b.c"],
            &["theme=dark; __Host-pc_access=a.b.c; _ga=1,2; __Host-pc_refresh=pcr_x.1.y ; x"],
            &["__Host-pc_refresh=pcr_x.1.y", "__Host-pc_access=a.b.c"],
            &[
                "a=1;",
                ";;\t__Host-pc_access=a.b.c\t;",
                "",
                " __Host-pc_refresh=pcr_x.1.y",
            ],
        ] {
            let found = read(lines).unwrap();
            assert_eq!(found.access, Presence::Value("a.b.c"), "{lines:?}");
            assert_eq!(found.refresh, Presence::Value("pcr_x.1.y"), "{lines:?}");
            assert!(found.any());
        }
    }

    #[test]
    fn what_only_looks_like_ours_is_not_ours() {
        for line in [
            "",
            "__host-pc_access=x",
            "__HOST-PC_ACCESS=x",
            "__Host-pc_accesS=x",
            "__Host-pc_access2=x",
            "__Host-pc_acces=x",
            "__Host-pc_access",
            "__Host-pc_access =x",
            "__Host-pc-access=x",
            "__Host-pc_device=x",
            "x__Host-pc_access=x",
            "=__Host-pc_access=x",
            "a=__Host-pc_access=x",
            "\"__Host-pc_access\"=x",
            "a=\"; b=__Host-pc_access=x\"",
        ] {
            assert_eq!(read(&[line]), Ok(NONE), "{line}");
        }
    }

    #[test]
    fn a_cookie_that_comes_twice_is_ambiguous_even_if_it_agrees() {
        for lines in [
            &["__Host-pc_access=x; __Host-pc_access=x"][..],
            &["__Host-pc_access=x; a=1", "b=2; __Host-pc_access=y"],
            &["__Host-pc_access=; __Host-pc_access=y"],
            &["__Host-pc_access=\"x\"; __Host-pc_access=y"],
            &["__Host-pc_access=x, __Host-pc_access=y"],
            &["a=1, __Host-pc_access=y"],
            &["a=1,__Host-pc_access=y; b=2"],
            &["__Host-pc_refresh=x, __Host-pc_access=y"],
            &["__Host-pc_refresh=r; a=1, b=2,  __Host-pc_access="],
        ] {
            assert_eq!(
                read(lines),
                Err(AmbiguousCookie(SessionCookie::Access)),
                "{lines:?}"
            );
        }
        assert_eq!(
            read(&["__Host-pc_refresh=x; __Host-pc_access=a; __Host-pc_refresh=x"]),
            Err(AmbiguousCookie(SessionCookie::Refresh))
        );
    }

    #[test]
    fn a_value_that_we_never_set_is_malformed_and_still_there() {
        let long = "a".repeat(MAX_COOKIE_BYTES - SessionCookie::Access.name().len() + 1);
        for value in [
            "",
            "\"x\"",
            "x y",
            "x\\y",
            "x\u{7f}",
            "caf\u{e9}",
            "x, a=1",
            "x,",
            &long,
        ] {
            let line = format!("__Host-pc_access={value}");
            let found = read(&[&line]).unwrap();
            assert_eq!(found.access, Presence::Malformed, "{value}");
            assert!(found.any());
        }
        let longest = long.get(1..).unwrap();
        let line = format!("__Host-pc_access={longest}");
        assert_eq!(read(&[&line]).unwrap().access.value(), Some(longest));
    }

    #[test]
    fn bytes_that_are_no_text_spoil_only_the_cookie_they_are_in() {
        let lines: [&[u8]; 2] = [b"a=\xff\xfe; __Host-pc_access=x", b"__Host-pc_refresh=\xff"];
        let found = SessionCookies::read(lines).unwrap();
        assert_eq!(found.access, Presence::Value("x"));
        assert_eq!(found.refresh, Presence::Malformed);
    }

    #[test]
    fn the_attributes_are_those_of_the_design() {
        assert_eq!(
            SessionCookie::Access.set("a.b.c", 900).unwrap(),
            "__Host-pc_access=a.b.c; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=900"
        );
        assert_eq!(
            SessionCookie::Refresh.delete(),
            "__Host-pc_refresh=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0"
        );
        assert!(SessionCookie::Access.set("x", -7).unwrap().ends_with("Max-Age=0"));
    }

    #[test]
    fn a_text_that_would_break_out_of_the_header_is_not_set() {
        let long = "a".repeat(MAX_COOKIE_BYTES);
        for value in [
            "",
            "x; Domain=example.com",
            "x\r\nSet-Cookie: y=z",
            "x,y",
            "x y",
            "\"x\"",
            "é",
            &long,
        ] {
            assert_eq!(SessionCookie::Access.set(value, 1), Err(UnfitValue), "{value}");
        }
    }
}
