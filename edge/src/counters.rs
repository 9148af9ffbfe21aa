//! One data point for each request, for Workers Analytics Engine.
//!
//! Invariants: a point identifies nobody: it has neither a request id nor anything that came with the request but the kind of its
//! method. The order of its fields is an interface: `docs/operations.md` names them, and stored points are not renamed.

use serde_json::json;

use crate::log::Entry;

/// The longest index that the platform takes, in bytes; it ignores a point with a longer one.
const LONGEST_INDEX: usize = 96;

/// What stands in a text field of which there is nothing to say.
const NOTHING: &str = "-";

/// The point as JSON.
#[must_use]
pub fn point(entry: &Entry<'_>) -> String {
    let trace = entry.trace;
    let (upstream, upstream_ms) = entry
        .upstream
        .map_or((NOTHING, 0.0), |upstream| (upstream.name, upstream.ms));
    let route = entry.route.unwrap_or(NOTHING);
    json!({
        "indexes": [first_bytes(route, LONGEST_INDEX)],
        "blobs": [
            entry.decision,
            upstream,
            kind_of(trace.method()),
            trace.verdict.as_str(),
            entry.would_be.unwrap_or(NOTHING),
            route,
        ],
        "doubles": [entry.status, trace.edge_ms, upstream_ms, trace.stale, 1],
    })
    .to_string()
}

/// `read`, `write`, or nothing for a method that the edge does not know.
fn kind_of(method: &str) -> &'static str {
    match method {
        "GET" | "HEAD" | "OPTIONS" => "read",
        "POST" | "PUT" | "PATCH" | "DELETE" => "write",
        _ => NOTHING,
    }
}

/// As much of the beginning of a text as fits into `most` bytes.
fn first_bytes(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{first_bytes, kind_of, point};
    use crate::log::{Entry, SHADOW, Upstream};
    use crate::policy::METHODS;
    use crate::trace::{Rounds, Trace, Verdict};

    fn entry(route: Option<&str>) -> Entry<'_> {
        Entry {
            request_id: "only-this-request",
            trace: Trace::of("POST")
                .after(Verdict::Cached, Rounds::default())
                .decided(2.0, Some(7)),
            route,
            decision: SHADOW,
            would_be: Some("step_up_required"),
            reason: Some("the authentication is too old"),
            status: 201,
            upstream: Some(Upstream {
                name: "venue",
                ms: 12.5,
            }),
        }
    }

    #[test]
    fn the_fields_of_a_point_stand_where_queries_expect_them() {
        let made: Value = serde_json::from_str(&point(&entry(Some("/api/x")))).unwrap();
        assert_eq!(
            made,
            json!({
                "indexes": ["/api/x"],
                "blobs": ["shadow", "venue", "write", "cached", "step_up_required", "/api/x"],
                "doubles": [201, 2, 12.5, 7, 1],
            })
        );
    }

    #[test]
    fn a_request_that_no_route_named_is_counted_too() {
        let refused = Entry {
            trace: Trace::of("TRACE"),
            decision: "not_found",
            would_be: None,
            status: 404,
            upstream: None,
            ..entry(None)
        };
        let made: Value = serde_json::from_str(&point(&refused)).unwrap();
        assert_eq!(
            made,
            json!({"indexes": ["-"], "blobs": ["not_found", "-", "-", "none", "-", "-"], "doubles": [404, 0, 0.0, 0, 1]})
        );
    }

    #[test]
    fn a_point_names_no_request() {
        assert!(!point(&entry(Some("/a"))).contains("only-this-request"));
    }

    #[test]
    fn every_method_that_the_edge_knows_is_of_a_kind() {
        for method in METHODS {
            assert_ne!(kind_of(method), "-", "{method}");
        }
    }

    proptest! {
        #[test]
        fn an_index_is_never_too_long(text in any::<String>(), most in 0..40_usize) {
            let first = first_bytes(&text, most);
            prop_assert!(first.len() <= most && text.starts_with(first));
            prop_assert!(first.len() + 4 > most || first == text);
        }
    }
}
