//! Request targets as nobody sends them by accident.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

/// What becomes of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is refused, by the edge or by the platform before it.
    Refused,
    /// It is forwarded as it was sent.
    AsSent,
    /// The platform has resolved it to this before the edge decides.
    Resolved(&'static str),
    /// Whatever becomes of it, nobody may be deceived.
    Any,
}

/// Spellings whose fate is known, by their topic.
pub(super) const KNOWN: &[(&[u8], Fate)] = &[
    // Nothing odd.
    (b"/api/public/x", Fate::AsSent),
    (b"/api/public/", Fate::AsSent),
    (b"/api/public/x/", Fate::AsSent),
    (b"/api/public/x?", Fate::AsSent),
    (b"/api/public/x?a=1&b=%2F&c=+&d=%20", Fate::AsSent),
    (b"/api/public/x?..//%2e%2e;\\\\@:?", Fate::AsSent),
    (b"/api/public/%41%7E%c3%a9%C3%A9", Fate::AsSent),
    (b"/api/public/a+b%2Bc,d=e@f:g!$&()*~", Fate::AsSent),
    (b"/api/public/...", Fate::AsSent),
    (b"/api/public/%2ehidden", Fate::AsSent),
    (b"/api/public/100%25", Fate::AsSent),
    (b"/api/public/x;v=1", Fate::AsSent),
    // Dot segments.
    (b"/api/public/%252e%252e/admin/ping", Fate::Refused),
    (b"/api/public/%25252e%25252e/admin/ping", Fate::Refused),
    (b"/api/public/..;/admin/ping", Fate::Refused),
    (b"/api/public/..;x=1/admin/ping", Fate::Refused),
    (b"/api/public/.;/x", Fate::Refused),
    (b"/api/public/%2e%2e%2fadmin/ping", Fate::Refused),
    (b"/api/public/..%2fadmin%2fping", Fate::Refused),
    (b"/api/public/..%5cadmin%5cping", Fate::Refused),
    // Empty segments.
    (b"//api/public/x", Fate::Refused),
    (b"/api//public/x", Fate::Refused),
    (b"/api/public//x", Fate::Refused),
    (b"/api/public/x//", Fate::Refused),
    (b"/api/public/;/x", Fate::Refused),
    // Separators inside a segment.
    (b"/api/public/a%2fb", Fate::Refused),
    (b"/api/public/a%2Fb", Fate::Refused),
    (b"/api/public/a%252fb", Fate::Refused),
    (b"/api/public/a%5cb", Fate::Refused),
    (b"/api/public/a%5Cb", Fate::Refused),
    (b"/api/public/a%255cb", Fate::Refused),
    (b"/api%2fpublic/x", Fate::Refused),
    // Control characters.
    (b"/api/public/a%00", Fate::Refused),
    (b"/api/public/%0d%0aHost:%20evil", Fate::Refused),
    (b"/api/public/a%7fb", Fate::Refused),
    (b"/api/public/a%250d", Fate::Refused),
    (b"/api/public/a\x00b", Fate::Refused),
    (b"/api/public/a\x0bb", Fate::Refused),
    // Escapes that are none, and bytes that are no text.
    (b"/api/public/%", Fate::Refused),
    (b"/api/public/%4", Fate::Refused),
    (b"/api/public/%zz", Fate::Refused),
    (b"/api/public/%u0041", Fate::Refused),
    (b"/api/public/%ff", Fate::Refused),
    (b"/api/public/%c0%ae%c0%ae/admin/ping", Fate::Refused),
    (b"/api/public/%ed%a0%80", Fate::Refused),
    // Other routes in disguise.
    (b"/api/%61dmin/ping", Fate::Refused),
    (b"/api/ADMIN/ping", Fate::Refused),
    (b"/api/admin;x/ping", Fate::Refused),
    (b"/api/admin/ping/", Fate::Refused),
    (b"/API/public/x", Fate::Refused),
    (b"/api/public", Fate::Refused),
    (b"/edge/revocations", Fate::Refused),
    (b"/edge/%72evocations", Fate::Refused),
    // Forms that are no path.
    (b"*", Fate::Refused),
    (b"api/public/x", Fate::Refused),
    (b"?x=/api/public/x", Fate::Refused),
    (b"/", Fate::Refused),
    // What the platform resolves by itself.
    (b"/api/public/./x", Fate::Resolved("/api/public/x")),
    (b"/api/public/y/../x", Fate::Resolved("/api/public/x")),
    (b"/api/public/y/%2e%2E/x", Fate::Resolved("/api/public/x")),
    (b"/api/public/y\\x", Fate::Resolved("/api/public/y/x")),
    (b"/api/public/../admin/ping", Fate::Refused),
    (b"/api/public/%2e%2e/admin/ping", Fate::Refused),
    (b"/api/public\\..\\admin\\ping", Fate::Refused),
    (b"/api/public/a{b}", Fate::Resolved("/api/public/a%7Bb%7D")),
    (b"/api/public/a<>`", Fate::Any),
    (b"/api/public/a^b", Fate::Resolved("/api/public/a%5Eb")),
    (b"/api/public/a\"b", Fate::Any),
    (b"/api/public/x?q='", Fate::Resolved("/api/public/x?q=%27")),
    (b"/api/public/x?q=\"", Fate::Any),
    (b"/api/public/\xc3\xa9", Fate::Resolved("/api/public/%C3%A9")),
    (b"/api/public/x#/../admin", Fate::Any),
    (b"/api/public/a\tb", Fate::Any),
    (b"/api/public/a\rb", Fate::Any),
    (b"/api/public/\xff", Fate::Any),
    (b"/api/public/\xc3\x28", Fate::Any),
    (b"http://evil.example/api/public/x", Fate::Any),
    (b"http://evil.example/api/admin/ping", Fate::Refused),
    (b"http://evil.example", Fate::Refused),
    (b"/http://evil.example/api/public/x", Fate::Refused),
    (b"//evil.example/api/public/x", Fate::Refused),
    (b"/api/public/http://evil.example/x", Fate::Refused),
];

/// Pieces that mean something to one program or another.
const PIECES: &[&str] = &[
    "a", "B", "\u{e9}", "/", "//", ".", "..", "%2e", "%2E", "%2f", "%2F", "%5c", "\\", "%00", "%0a", "%41",
    "%61", "%7e", "%25", "%252e", "%252f", "%c3%a9", "%ff", "%", "%4", "%zz", ";", ";x=1", "+", "%20", "\t",
    "\u{7f}", "*", "@", ":", "&", "=", "~", "!", "'", "\"", "<", "|", "^", "`", "{", "[", "admin", "#", "?",
];

/// `count` targets that nobody has thought of, the same in each run.
pub(super) fn made_up(count: usize) -> Vec<Vec<u8>> {
    let frame = select(&[
        ("/api/public/", ""),
        ("/api/public", "/x"),
        ("/api/", "/public/x"),
        ("/api/public/x?", ""),
    ]);
    let strategy = (frame, prop::collection::vec(select(PIECES), 1..7));
    let mut runner = TestRunner::deterministic();
    let mut make = || {
        let ((before, after), pieces) = strategy.new_tree(&mut runner).unwrap().current();
        format!("{before}{}{after}", pieces.concat()).into_bytes()
    };
    (0..count).map(|_| make()).collect()
}
