//! One JSON line for each request.
//!
//! Invariant: no line holds a token, a query, a body, a concrete path or an address: a route is named by its
//! pattern. What is written comes from the policy and from this crate.

use serde_json::json;

/// Which requests are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// All.
    All,
    /// Those that were refused or failed.
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

/// What is said about a request.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'e> {
    /// The request id.
    pub request_id: &'e str,
    /// The pattern of the route that decided, where one did.
    pub route: Option<&'e str>,
    /// `pass`, or the code of the problem that was answered.
    pub decision: &'e str,
    /// The status that was answered.
    pub status: u16,
    /// From the arrival of the request to the response headers, in milliseconds.
    pub ms: f64,
    /// Why it was refused.
    pub reason: Option<&'e str>,
}

impl Entry<'_> {
    /// The line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut line = json!({
            "request_id": self.request_id,
            "route": self.route,
            "decision": self.decision,
            "status": self.status,
            "ms": self.ms,
        });
        if let (Some(reason), Some(line)) = (self.reason, line.as_object_mut()) {
            line.insert("reason".to_owned(), reason.into());
        }
        line.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{Entry, Verbosity};

    #[test]
    fn a_line_is_json_with_the_agreed_members() {
        let entry = Entry {
            request_id: "12345678",
            route: Some("/api/\"x\""),
            decision: "forbidden",
            status: 403,
            ms: 1.5,
            reason: Some("the role is missing"),
        };
        let line: serde_json::Value = serde_json::from_str(&entry.to_json()).unwrap();
        assert_eq!(
            line,
            serde_json::json!({"request_id": "12345678", "route": "/api/\"x\"", "decision": "forbidden", "status": 403,
                "ms": 1.5, "reason": "the role is missing"})
        );
    }

    #[test]
    fn the_verbosity_says_which_requests_are_logged() {
        assert!(Verbosity::All.covers(false) && Verbosity::Refused.covers(true));
        assert!(!Verbosity::Refused.covers(false) && !Verbosity::None.covers(true));
        assert_eq!(Verbosity::of("some"), None);
    }
}
