//! What came back, and what the contract says about it.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde_json::Value;
use uuid::Uuid;

/// A whole answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Answer {
    /// The first header of that name, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON; `null` when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The answer, given that it has this status.
    ///
    /// # Panics
    ///
    /// When it has another.
    #[track_caller]
    #[expect(
        clippy::return_self_not_must_use,
        reason = "that it has this status is often all a test wants to know"
    )]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self
    }

    /// The problem (RFC 9457) that this answer is.
    ///
    /// # Panics
    ///
    /// When it is none, has another status or code, or lacks a member that the contract names.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        let problem = self.json();
        assert_eq!(
            (self.status.as_u16(), problem["code"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
        let content_type = self.header("content-type").unwrap_or_default();
        assert_eq!(
            content_type.split(';').next(),
            Some("application/problem+json"),
            "{self:?}"
        );
        assert_eq!(
            problem["type"],
            format!("https://portcullis.dev/problems/{code}"),
            "{self:?}"
        );
        assert_eq!(problem["status"], status, "{self:?}");
        for text in ["title", "detail"] {
            assert!(
                problem[text].as_str().is_some_and(|text| !text.is_empty()),
                "no {text}: {self:?}"
            );
        }
        assert_eq!(
            problem["requestId"].as_str(),
            self.header("x-request-id"),
            "{self:?}"
        );
        match status {
            401 => self.has_challenge(code),
            405 => assert!(
                self.header("allow").is_some_and(|verbs| !verbs.is_empty()),
                "no Allow: {self:?}"
            ),
            429 | 503 => assert!(self.retry_after() > 0, "{self:?}"),
            _ => {}
        }
        problem
    }

    /// The problem `validation_failed`, with an entry for exactly these fields in any order.
    ///
    /// # Panics
    ///
    /// When it is another answer, or names other fields.
    #[track_caller]
    pub fn invalid_fields(&self, fields: &[&str]) -> Value {
        let problem = self.problem(400, "validation_failed");
        let entries = problem["errors"].as_array().expect("errors");
        let mut named: Vec<_> = entries
            .iter()
            .map(|entry| entry["field"].as_str().unwrap())
            .collect();
        named.sort_unstable();
        let mut expected = fields.to_vec();
        expected.sort_unstable();
        assert_eq!(named, expected, "{self:?}");
        for entry in entries {
            for text in ["code", "message"] {
                assert!(
                    entry[text].as_str().is_some_and(|text| !text.is_empty()),
                    "no {text}: {self:?}"
                );
            }
        }
        problem
    }

    /// `Retry-After` in seconds.
    ///
    /// # Panics
    ///
    /// When there is none, or it is a date.
    #[track_caller]
    #[must_use]
    pub fn retry_after(&self) -> u64 {
        let value = self
            .header("retry-after")
            .unwrap_or_else(|| panic!("no Retry-After: {self:?}"));
        value
            .parse()
            .unwrap_or_else(|_| panic!("not a number of seconds: {self:?}"))
    }

    #[track_caller]
    fn has_challenge(&self, code: &str) {
        // A wrong password or refresh token is not a matter of HTTP authentication; a missing or bad access token is.
        if matches!(code, "invalid_token" | "step_up_required") {
            let challenge = self.header("www-authenticate").unwrap_or_default();
            assert!(
                challenge == "Bearer" || challenge.starts_with("Bearer "),
                "no challenge: {self:?}"
            );
        }
    }
}

/// Holds `value` to be a UUID in its usual spelling.
///
/// # Panics
///
/// When it is not.
#[track_caller]
pub fn assert_uuid(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("no UUID: {value}"));
    assert_eq!(
        Uuid::parse_str(text).map(|uuid| uuid.to_string()).as_deref(),
        Ok(text),
        "no UUID: {value}"
    );
}

/// Holds `value` to be an RFC 3339 time in UTC.
///
/// # Panics
///
/// When it is not.
#[track_caller]
pub fn assert_utc(value: &Value) {
    let text = value.as_str().unwrap_or_else(|| panic!("no time: {value}"));
    let time = chrono::DateTime::parse_from_rfc3339(text).unwrap_or_else(|_| panic!("no time: {value}"));
    assert_eq!(time.offset().local_minus_utc(), 0, "not in UTC: {value}");
}
