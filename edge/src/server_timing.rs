//! `Server-Timing` (<https://www.w3.org/TR/server-timing/>): how long edge and upstream took, told to the client.
//!
//! The header names no `Timing-Allow-Origin`, so that pages of other origins do not get to read it.

use std::fmt::Write as _;

use crate::log::Upstream;

/// The name of the header, in lower case.
pub const NAME: &str = "server-timing";

/// The value of the header. Times are in milliseconds.
#[must_use]
pub fn value(edge_ms: u16, upstream: Option<Upstream<'_>>) -> String {
    let mut value = format!("edge;dur={edge_ms}");
    if let Some(Upstream { name, ms }) = upstream {
        // Writing to a String does not fail. The policy lets no name hold a quote.
        let _ = write!(value, ", upstream;dur={ms};desc=\"{name}\"");
    }
    value
}

#[cfg(test)]
mod tests {
    use super::value;
    use crate::log::Upstream;

    #[test]
    fn the_upstreams_time_is_told_apart_from_the_edges() {
        assert_eq!(value(0, None), "edge;dur=0");
        let upstream = Upstream {
            name: "venue",
            ms: 12.0,
        };
        assert_eq!(
            value(3, Some(upstream)),
            r#"edge;dur=3, upstream;dur=12;desc="venue""#
        );
    }
}
