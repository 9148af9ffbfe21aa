//! The request target: refused when two programs could read it differently, otherwise forwarded as decided on.
//!
//! Invariants:
//! - What [`Target::path`] and [`Target::query`] return is what the upstream receives, byte for byte. Characters
//!   the platform's URL parser would percent-encode on the way out are encoded here first, so that the decision,
//!   the request signature and the upstream see one text.
//! - No dot segment, empty segment, separator or control character survives, however often it was encoded.

use std::borrow::Cow;

/// How many layers of percent-encoding are looked through before a path is refused for having them.
const MAX_LAYERS: usize = 4;

/// Why a request target was refused; for the log, the client sees `malformed_path`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedPath {
    /// The URL has no path that begins with a slash (`OPTIONS *`).
    #[error("it has no path")]
    NoPath,
    /// `//`, or a segment that consists of parameters only.
    #[error("it has an empty segment")]
    EmptySegment,
    /// `.` or `..`, in any spelling.
    #[error("it has a dot segment")]
    DotSegment,
    /// A slash or backslash inside a segment, or a backslash anywhere.
    #[error("it has an encoded slash or a backslash")]
    Separator,
    /// A control character, NUL among them.
    #[error("it has a control character")]
    Control,
    /// `%` that two hexadecimal digits do not follow, or more layers of encoding than anybody needs.
    #[error("it has a bad percent escape")]
    Escape,
    /// The escapes decode to bytes that are no UTF-8.
    #[error("it is not UTF-8 when decoded")]
    NotUtf8,
}

/// A request target that has one reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target<'u> {
    path: Cow<'u, str>,
    query: Option<Cow<'u, str>>,
}

impl<'u> Target<'u> {
    /// Takes the target out of an absolute URL (`http://host/path?query`) and checks its path.
    pub fn of_url(url: &'u str) -> Result<Self, MalformedPath> {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let start = rest.find(['/', '?', '#']).ok_or(MalformedPath::NoPath)?;
        let target = rest.get(start..).ok_or(MalformedPath::NoPath)?;
        let target = target.split_once('#').map_or(target, |(target, _)| target);
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        check(path)?;
        Ok(Self {
            path: encode(path, escapes_in_path),
            query: query.map(|query| encode(query, escapes_in_query)),
        })
    }

    /// The path; begins with a slash.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query without its question mark; `None` when there is no question mark.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// The path as lenient upstreams would read it: percent-decoded as often as it was encoded, without `;` parameters, and
    /// without a slash at the end; where it has one, with it as well. Empty where there is one reading only. Case is for the
    /// caller to fold.
    #[must_use]
    pub fn lenient_readings(&self) -> Vec<String> {
        let ends_with_slash = self.path.len() > 1 && self.path.ends_with('/');
        if !ends_with_slash && !self.path.contains(['%', ';']) {
            return Vec::new();
        }
        let mut reading = String::with_capacity(self.path.len());
        for segment in self.path.trim_end_matches('/').split('/').skip(1) {
            let decoded = decode_wholly(segment);
            let decoded = String::from_utf8_lossy(&decoded);
            reading.push('/');
            reading.push_str(decoded.split_once(';').map_or(decoded.as_ref(), |(name, _)| name));
        }
        let as_a_folder = ends_with_slash.then(|| format!("{reading}/"));
        std::iter::once(reading).chain(as_a_folder).collect()
    }
}

/// The segment without any layer of percent-encoding; no accepted path has more than [`MAX_LAYERS`].
fn decode_wholly(segment: &str) -> Vec<u8> {
    let mut bytes = segment.as_bytes().to_vec();
    for _ in 0..MAX_LAYERS {
        match decode(&bytes) {
            Some(layer) => bytes = layer.bytes,
            None => break,
        }
    }
    bytes
}

fn check(path: &str) -> Result<(), MalformedPath> {
    let rest = path.strip_prefix('/').ok_or(MalformedPath::NoPath)?;
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        if segment.is_empty() && segments.peek().is_some() {
            return Err(MalformedPath::EmptySegment);
        }
        check_bytes(segment.as_bytes())?;
        if segment.contains('%') {
            check_escapes(segment)?;
        }
    }
    Ok(())
}

/// What no segment may hold, whatever layer of encoding it is found in.
fn check_bytes(segment: &[u8]) -> Result<(), MalformedPath> {
    for byte in segment {
        match byte {
            b'/' | b'\\' => return Err(MalformedPath::Separator),
            0..=0x1f | 0x7f => return Err(MalformedPath::Control),
            _ => {}
        }
    }
    // Some servers cut `;parameters` off a segment before they resolve dots.
    match segment.split(|byte| *byte == b';').next() {
        Some(b"." | b"..") => Err(MalformedPath::DotSegment),
        Some(b"") if !segment.is_empty() => Err(MalformedPath::EmptySegment),
        _ => Ok(()),
    }
}

fn check_escapes(segment: &str) -> Result<(), MalformedPath> {
    let mut layer = decode(segment.as_bytes()).ok_or(MalformedPath::Escape)?;
    if layer.has_loose_percent {
        return Err(MalformedPath::Escape);
    }
    if str::from_utf8(&layer.bytes).is_err() {
        return Err(MalformedPath::NotUtf8);
    }
    for _ in 0..MAX_LAYERS {
        check_bytes(&layer.bytes)?;
        match decode(&layer.bytes) {
            Some(next) => layer = next,
            None => return Ok(()),
        }
    }
    Err(MalformedPath::Escape)
}

struct Layer {
    bytes: Vec<u8>,
    /// A `%` was left standing because no two hexadecimal digits follow it.
    has_loose_percent: bool,
}

/// Undoes one layer of percent-encoding; `None` when there is no escape to undo and no loose `%`.
fn decode(text: &[u8]) -> Option<Layer> {
    let mut bytes = Vec::with_capacity(text.len());
    let (mut has_escape, mut has_loose_percent) = (false, false);
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        rest = tail;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        match tail {
            [high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex(*high) << 4 | hex(*low));
                has_escape = true;
                rest = after;
            }
            _ => {
                bytes.push(b'%');
                has_loose_percent = true;
            }
        }
    }
    // A layer that only has loose percent signs decodes to itself; the first layer reports them, later ones end.
    if has_escape {
        Some(Layer {
            bytes,
            has_loose_percent,
        })
    } else {
        None
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}

/// The path percent-encode set of the WHATWG URL standard.
fn escapes_in_path(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | b'"' | b'#' | b'<' | b'>' | b'?' | b'^' | b'`' | b'{' | b'}' | 0x7f..)
}

/// The special-query percent-encode set of the WHATWG URL standard.
fn escapes_in_query(byte: u8) -> bool {
    matches!(byte, 0..=b' ' | b'"' | b'#' | b'\'' | b'<' | b'>' | 0x7f..)
}

fn encode(text: &str, escapes: fn(u8) -> bool) -> Cow<'_, str> {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F',
    ];
    if !text.bytes().any(escapes) {
        return Cow::Borrowed(text);
    }
    let mut encoded = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if escapes(byte) {
            encoded.push('%');
            encoded.extend(DIGITS.get(usize::from(byte >> 4)));
            encoded.extend(DIGITS.get(usize::from(byte & 15)));
        } else {
            encoded.push(char::from(byte));
        }
    }
    Cow::Owned(encoded)
}

#[cfg(test)]
mod tests {
    use super::{MalformedPath, Target};
    use proptest::prelude::*;

    fn path_of(target: &str) -> Result<String, MalformedPath> {
        Target::of_url(&format!("https://edge.example{target}")).map(|target| target.path().to_owned())
    }

    #[test]
    fn an_ordinary_target_is_forwarded_as_it_came() {
        let target =
            Target::of_url("https://edge.example:8787/api/caf%C3%A9/a%20b/~x;v=1,2?q=%2F..//&r#f").unwrap();
        assert_eq!(target.path(), "/api/caf%C3%A9/a%20b/~x;v=1,2");
        assert_eq!(target.query(), Some("q=%2F..//&r"));
    }

    #[test]
    fn an_absent_query_is_not_an_empty_one() {
        assert_eq!(Target::of_url("http://h/a").unwrap().query(), None);
        assert_eq!(Target::of_url("http://h/a?").unwrap().query(), Some(""));
        assert_eq!(Target::of_url("http://h/a?b?c").unwrap().query(), Some("b?c"));
    }

    #[test]
    fn dot_segments_are_refused_in_every_spelling() {
        for path in [
            "/a/../b",
            "/..",
            "/a/.",
            "/./a",
            "/%2e%2e/a",
            "/a/%2E",
            "/a/.%2e/b",
            "/%2e./",
            "/..;/admin",
            "/a/.;x=1",
            "/%252e%252e/a",
            "/%25252e%25252e/a",
            "/a/%2e%2e%3bx/b",
            "/%2e%2E",
        ] {
            assert_eq!(path_of(path), Err(MalformedPath::DotSegment), "{path}");
        }
    }

    #[test]
    fn dots_inside_a_name_are_no_dot_segment() {
        for path in [
            "/.well-known/jwks.json",
            "/a/...",
            "/a/..b",
            "/a/b.",
            "/%2ewell-known",
        ] {
            assert_eq!(path_of(path).as_deref(), Ok(path));
        }
    }

    #[test]
    fn encoded_separators_and_backslashes_are_refused() {
        for path in [
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a%5Cb",
            "/a\\b",
            "/%252fa",
            "/a%25252Fb",
            "/a%255cb",
        ] {
            assert_eq!(path_of(path), Err(MalformedPath::Separator), "{path}");
        }
    }

    #[test]
    fn empty_segments_are_refused_and_a_slash_at_the_end_is_none() {
        for path in ["//", "//a", "/a//b", "/a//", "/;x/a", "/a/;x", "/%3Bx"] {
            assert_eq!(path_of(path), Err(MalformedPath::EmptySegment), "{path}");
        }
        assert_eq!(path_of("/a/").as_deref(), Ok("/a/"));
        assert_eq!(path_of("/").as_deref(), Ok("/"));
    }

    #[test]
    fn control_characters_are_refused_plain_and_encoded() {
        for path in ["/a%00", "/a%0d%0a", "/a%7f", "/a\u{0}", "/a\tb", "/a%2500"] {
            assert_eq!(path_of(path), Err(MalformedPath::Control), "{path}");
        }
    }

    #[test]
    fn bad_escapes_and_bad_utf8_are_refused() {
        for path in ["/a%", "/a%4", "/a%zz", "/%%41", "/%25252525252525252541"] {
            assert_eq!(path_of(path), Err(MalformedPath::Escape), "{path}");
        }
        for path in ["/%ff", "/%c0%ae", "/%c3", "/%ed%a0%80"] {
            assert_eq!(path_of(path), Err(MalformedPath::NotUtf8), "{path}");
        }
    }

    #[test]
    fn a_percent_sign_of_its_own_may_be_escaped() {
        assert_eq!(path_of("/100%25").as_deref(), Ok("/100%25"));
        assert_eq!(path_of("/100%25zz").as_deref(), Ok("/100%25zz"));
    }

    #[test]
    fn a_target_without_a_path_is_refused() {
        for url in ["http://host*", "http://host", "http://host?a=/", "", "http://"] {
            assert_eq!(Target::of_url(url), Err(MalformedPath::NoPath), "{url}");
        }
    }

    #[test]
    fn what_the_url_parser_would_encode_is_encoded_before_the_decision() {
        let target = Target::of_url("http://h/a{b}^\"<>`|[é]'?q='\"<é>{}^`|").unwrap();
        assert_eq!(target.path(), "/a%7Bb%7D%5E%22%3C%3E%60|[%C3%A9]'");
        assert_eq!(target.query(), Some("q=%27%22%3C%C3%A9%3E{}^`|"));
    }

    #[test]
    fn lenient_readings_decode_and_drop_parameters_and_leave_the_last_slash_open() {
        let readings = |path: &str| {
            Target::of_url(&format!("http://h{path}"))
                .unwrap()
                .lenient_readings()
        };
        assert_eq!(readings("/api/%61dmin"), ["/api/admin"]);
        assert_eq!(readings("/api/%252561dmin"), ["/api/admin"]);
        assert_eq!(readings("/api/admin;v=1/x"), ["/api/admin/x"]);
        assert_eq!(readings("/api/admin/"), ["/api/admin", "/api/admin/"]);
        assert_eq!(readings("/api/%61dmin/"), ["/api/admin", "/api/admin/"]);
        assert_eq!(readings("/api/a%3Bb"), ["/api/a"]);
        assert!(readings("/api/admin").is_empty() && readings("/").is_empty());
    }

    proptest! {
        #[test]
        fn no_url_makes_it_panic(url in any::<String>()) {
            if let Ok(target) = Target::of_url(&url) {
                let _ = target.lenient_readings();
            }
        }

        #[test]
        fn an_accepted_path_is_stable_and_harmless(path in "/[a-c./%25eEfF0;\\\\?#é]{0,24}") {
            let url = format!("http://h{path}");
            if let Ok(target) = Target::of_url(&url) {
                let again_url = format!("http://h{}", target.path());
                let again = Target::of_url(&again_url).unwrap();
                prop_assert_eq!(target.path(), again.path());
                for reading in target.lenient_readings().iter().map(String::as_str).chain([target.path()]) {
                    prop_assert!(!reading.contains('\\') && !reading.contains("//"));
                    prop_assert!(reading.split('/').all(|segment| segment != "." && segment != ".."));
                }
            }
        }
    }
}
