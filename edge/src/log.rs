//! One JSON line for each request.
//!
//! Invariant: no line holds a token, a query, a body, a concrete path or an address: a route is named by its
//! pattern. What is written comes from the policy and from this crate; the request id alone may be the client's, of a form
//! that says nothing else.

use serde_json::{Map, Value};

use crate::trace::Trace;

/// The member `event` of a line about a request; every other line has another.
const EVENT: &str = "request";

/// The decision on a request that its route lets pass.
pub const PASS: &str = "pass";

/// The decision on what a browser asks beforehand.
pub const PREFLIGHT: &str = "preflight";

/// The decision on a request that a route in shadow lets pass.
pub const SHADOW: &str = "shadow";

/// Which requests are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// All.
    All,
    /// Those that were refused or failed, or would have been refused.
    #[default]
    Refused,
    /// None; mistakes in the configuration are logged all the same.
    None,
}

impl Verbosity {
    /// Reads the variable `LOG_REQUESTS`.
    #[must_use]
    pub fn of(value: &str) -> Option<Self> {
        match value {
            "all" => Some(Self::All),
            "refused" => Some(Self::Refused),
            "none" => Some(Self::None),
            _ => None,
        }
    }

    /// Whether a request with this outcome is logged.
    #[must_use]
    pub fn covers(self, is_refused: bool) -> bool {
        match self {
            Self::All => true,
            Self::Refused => is_refused,
            Self::None => false,
        }
    }
}

/// What is said about a request, in the log and by the counters.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'e> {
    /// The request id.
    pub request_id: &'e str,
    /// What was done for it. Its time is that of the edge alone.
    pub trace: Trace,
    /// The pattern of the route that decided, where one did.
    pub route: Option<&'e str>,
    /// [`PASS`], [`SHADOW`], [`PREFLIGHT`], or the code of the problem that was answered.
    pub decision: &'e str,
    /// The code of the problem that would have been answered if the route were enforced.
    pub would_be: Option<&'e str>,
    /// Why it was refused, or would have been.
    pub reason: Option<&'e str>,
    /// The status that was answered.
    pub status: u16,
    /// Where it was sent, where it was.
    pub upstream: Option<Upstream<'e>>,
}

/// The upstream's part in a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Upstream<'e> {
    /// Its name in the policy.
    pub name: &'e str,
    /// From when it was sent the request to its response headers, or to when they were waited for no longer, in
    /// milliseconds.
    pub ms: f64,
}

impl Entry<'_> {
    /// Whether it was refused or failed, or would have been refused.
    #[must_use]
    pub const fn is_remarkable(&self) -> bool {
        self.reason.is_some()
    }

    /// The line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut line = Map::new();
        let mut tell = |name: &str, value: Value| line.insert(name.to_owned(), value);
        tell("event", EVENT.into());
        tell("request_id", self.request_id.into());
        tell("method", self.trace.method().into());
        tell("route", self.route.into());
        tell("decision", self.decision.into());
        tell("status", self.status.into());
        tell("verdict", self.trace.verdict.as_str().into());
        tell("edge_ms", self.trace.edge_ms.into());
        if let Some(upstream) = &self.upstream {
            tell("upstream", upstream.name.into());
            tell("upstream_ms", upstream.ms.into());
        }
        let rounds: Vec<Value> = self.trace.rounds.names().map(Value::from).collect();
        if !rounds.is_empty() {
            tell("rounds", rounds.into());
        }
        if self.trace.stale > 0 {
            tell("stale", self.trace.stale.into());
        }
        for (name, value) in [("would_be", self.would_be), ("reason", self.reason)] {
            if let Some(value) = value {
                tell(name, value.into());
            }
        }
        Value::Object(line).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Entry, SHADOW, Upstream, Verbosity};
    use crate::trace::{Round, Rounds, Trace, Verdict};

    fn line(entry: &Entry<'_>) -> Value {
        serde_json::from_str(&entry.to_json()).unwrap()
    }

    fn refused() -> Entry<'static> {
        Entry {
            request_id: "12345678",
            trace: Trace::of("GET").decided(3.0, None),
            route: Some("/api/\"x\""),
            decision: "forbidden",
            would_be: None,
            reason: Some("the role is missing"),
            status: 403,
            upstream: None,
        }
    }

    #[test]
    fn a_refusal_is_a_line_of_json_that_says_why() {
        assert_eq!(
            line(&refused()),
            json!({"event": "request", "request_id": "12345678", "method": "GET", "route": "/api/\"x\"", "decision": "forbidden",
                "status": 403, "verdict": "none", "edge_ms": 3, "reason": "the role is missing"})
        );
        assert!(refused().is_remarkable());
    }

    #[test]
    fn a_request_that_went_on_tells_what_was_waited_for_and_what_it_would_have_been() {
        let trace = Trace::of("POST")
            .after(Verdict::Verified, Rounds::default().and(Round::Token))
            .decided(3.0, Some(61));
        let entry = Entry {
            trace,
            decision: SHADOW,
            would_be: Some("forbidden"),
            status: 200,
            upstream: Some(Upstream {
                name: "venue",
                ms: 12.0,
            }),
            ..refused()
        };
        assert_eq!(
            line(&entry),
            json!({"event": "request", "request_id": "12345678", "method": "POST", "route": "/api/\"x\"", "decision": "shadow",
                "status": 200, "verdict": "verified", "edge_ms": 3, "upstream": "venue", "upstream_ms": 12.0, "rounds": ["token"], "stale": 61,
                "would_be": "forbidden", "reason": "the role is missing"})
        );
    }

    #[test]
    fn the_verbosity_says_which_requests_are_logged() {
        assert!(Verbosity::All.covers(false) && Verbosity::Refused.covers(true));
        assert!(!Verbosity::Refused.covers(false) && !Verbosity::None.covers(true));
        assert_eq!(Verbosity::of("some"), None);
    }
}
