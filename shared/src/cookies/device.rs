//! The cookie by which a browser is known again when somebody signs in. It opens no session, outlives each of them, and counts as
//! no credential of a request.

use super::{Presence, UnfitValue, set};

/// The device cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceCookie;

/// More than one device cookie came with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than one cookie is named {}", DeviceCookie::NAME)]
pub struct AmbiguousDeviceCookie;

impl DeviceCookie {
    /// The name.
    pub const NAME: &'static str = "__Host-pc_device";

    /// The value of the `Set-Cookie` that makes a browser keep `value` for `max_age` seconds.
    pub fn set(value: &str, max_age: i64) -> Result<String, UnfitValue> {
        set(Self::NAME, value, max_age)
    }

    /// Reads it from the values of all `Cookie` headers of a request, by the rules of
    /// [`SessionCookies::read`](super::SessionCookies::read).
    pub fn read<'r, L>(lines: impl IntoIterator<Item = &'r L>) -> Result<Presence<'r>, AmbiguousDeviceCookie>
    where
        L: AsRef<[u8]> + ?Sized + 'r,
    {
        let mut found = Presence::Absent;
        for pair in lines
            .into_iter()
            .flat_map(|line| line.as_ref().split(|byte| *byte == b';'))
        {
            let is_hidden = pair
                .split(|byte| *byte == b',')
                .skip(1)
                .any(|part| value(part).is_some());
            if is_hidden {
                return Err(AmbiguousDeviceCookie);
            }
            if let Some(value) = value(pair) {
                if found.is_present() {
                    return Err(AmbiguousDeviceCookie);
                }
                found = Presence::of(Self::NAME, value);
            }
        }
        Ok(found)
    }
}

fn value(pair: &[u8]) -> Option<&[u8]> {
    pair.trim_ascii()
        .strip_prefix(DeviceCookie::NAME.as_bytes())?
        .strip_prefix(b"=")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'r>(lines: &[&'r str]) -> Result<Presence<'r>, AmbiguousDeviceCookie> {
        DeviceCookie::read(lines.iter().copied())
    }

    #[test]
    fn the_cookie_is_found_among_others() {
        for lines in [
            &["__Host-pc_device=abc"][..],
            &["a=1; __Host-pc_device=abc ;b=2,3"],
            &[
                "__Host-pc_access=x; __Host-pc_refresh=y",
                "\t__Host-pc_device=abc",
            ],
        ] {
            assert_eq!(read(lines), Ok(Presence::Value("abc")), "{lines:?}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_another() {
        for line in [
            "",
            "__host-pc_device=x",
            "__Host-pc_devices=x",
            "__Host-pc_device",
            "a=__Host-pc_device=x",
        ] {
            assert_eq!(read(&[line]), Ok(Presence::Absent), "{line}");
        }
    }

    #[test]
    fn two_of_them_are_never_chosen_between() {
        for lines in [
            &["__Host-pc_device=x; __Host-pc_device=x"][..],
            &["__Host-pc_device=x", "__Host-pc_device="],
            &["a=1, __Host-pc_device=x"],
            &["__Host-pc_device=x,__Host-pc_device=y"],
        ] {
            assert_eq!(read(lines), Err(AmbiguousDeviceCookie), "{lines:?}");
        }
    }

    #[test]
    fn a_value_that_was_never_set_is_malformed() {
        for value in ["", "\"x\"", "x y", "x,", "\u{e9}", &"x".repeat(4096)] {
            let line = format!("__Host-pc_device={value}");
            assert_eq!(read(&[&line]), Ok(Presence::Malformed), "{value}");
        }
    }

    #[test]
    fn it_is_marked_as_the_others_are() {
        assert_eq!(
            DeviceCookie::set("abc", 60).unwrap(),
            "__Host-pc_device=abc; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60"
        );
        assert_eq!(DeviceCookie::set("a;b", 60), Err(UnfitValue));
    }
}
