//! What must hold for any bytes whatever: one module for each fuzz target, with a function that panics when it does not.
//!
//! Invariants:
//! - A target looks at what the edge does with bytes that strangers send, and says what must be true of the outcome; that
//!   it does not panic is the least of it.
//! - The same functions are driven by libFuzzer (`cargo xtask fuzz`) and, over the inputs that are kept in `corpus/`, by an
//!   ordinary test. So an input that once broke something is looked at with every change.
//! - A target knows no clock and no randomness that its outcome could depend on.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a target says by panicking that something does not hold"
)]

pub mod claims;
pub mod cookies;
pub mod decide;
pub mod path;
pub mod policy;
pub mod revocations;
pub mod signature;
pub mod token_parser;

/// A target: its name, which is that of its folder in `corpus/`, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 8] = [
    ("decide", decide::check),
    ("token_parser", token_parser::check),
    ("claims", claims::check),
    ("policy", policy::check),
    ("cookies", cookies::check),
    ("path", path::check),
    ("signature", signature::check),
    ("revocations", revocations::check),
];

/// The time of all targets, in seconds since the epoch.
const NOW: i64 = 1_800_000_000;

/// The text of an input, and its lines one after the other, each empty once there are no more.
fn lines<'d>(data: &'d [u8]) -> Option<impl FnMut() -> &'d str> {
    let mut lines = str::from_utf8(data).ok()?.split('\n');
    Some(move || lines.next().unwrap_or_default())
}
