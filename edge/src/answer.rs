//! Answers that the edge gives itself.
//!
//! Invariants: every answer names its request id; none may be cached; a refusal is a problem (RFC 9457) of the
//! catalogue that the origin uses too.

use std::borrow::Cow;

use portcullis_shared::identity;
use portcullis_shared::problem::{PROBLEM_CONTENT_TYPE, Problem};

use crate::decide::Refusal;
use crate::server_timing;
use crate::tally::{RATE_LIMIT, RATE_LIMIT_POLICY};

/// A response, before the platform's types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// Header names, in lower case, and values.
    pub headers: Vec<(&'static str, Cow<'a, str>)>,
    /// The body, where there is one.
    pub body: Option<String>,
    /// The values of its `Set-Cookie` headers.
    pub set_cookies: Vec<String>,
}

impl<'a> Answer<'a> {
    /// The answer to a request that was refused.
    #[must_use]
    pub fn refusing(refusal: &'a Refusal, request_id: &'a str) -> Self {
        let mut headers = vec![
            ("content-type", Cow::Borrowed(PROBLEM_CONTENT_TYPE)),
            ("cache-control", Cow::Borrowed("no-store")),
            (identity::REQUEST_ID, Cow::Borrowed(request_id)),
        ];
        headers.extend(
            refusal
                .challenge
                .as_deref()
                .map(|value| ("www-authenticate", Cow::Borrowed(value))),
        );
        headers.extend(
            refusal
                .allow
                .as_deref()
                .map(|value| ("allow", Cow::Borrowed(value))),
        );
        headers.extend(
            refusal
                .retry_after
                .map(|seconds| ("retry-after", Cow::Owned(seconds.to_string()))),
        );
        let route = refusal.route.as_ref();
        headers.extend(
            route
                .and_then(|route| route.limits.announcement())
                .map(|value| (RATE_LIMIT_POLICY, Cow::Borrowed(value))),
        );
        headers.extend(
            refusal
                .rate_limit
                .as_deref()
                .map(|value| (RATE_LIMIT, Cow::Borrowed(value))),
        );
        let mut problem = Problem::new(refusal.code, request_id);
        problem
            .violated_policies
            .extend(refusal.violated.iter().map(|limit| limit.name.clone()));
        Self {
            status: refusal.code.status(),
            headers,
            body: Some(problem.to_json()),
            set_cookies: Vec::new(),
        }
    }

    /// The answer to a proxy that asked whether it may forward: 204 with the caller's identity, with how old, in
    /// seconds, the knowledge of revocations is where that is more than it should be, and with what the request would
    /// have been refused for where its route is in shadow.
    #[must_use]
    pub fn permitting(
        identity_headers: &'a [(&'static str, String)],
        stale: Option<i64>,
        shadow: Option<&Refusal>,
        request_id: &'a str,
    ) -> Self {
        let mut headers = vec![
            ("cache-control", Cow::Borrowed("no-store")),
            (identity::REQUEST_ID, Cow::Borrowed(request_id)),
        ];
        headers.extend(
            identity_headers
                .iter()
                .map(|(name, value)| (*name, Cow::Borrowed(value.as_str()))),
        );
        headers.extend(stale.map(|age| (identity::REVOCATIONS_AGE, Cow::Owned(age.to_string()))));
        headers.extend(shadow.map(|refusal| (identity::SHADOW, Cow::Borrowed(refusal.code.as_str()))));
        Self {
            status: 204,
            headers,
            body: None,
            set_cookies: Vec::new(),
        }
    }

    /// The same answer with `Set-Cookie` headers.
    #[must_use]
    pub fn setting(self, set_cookies: Vec<String>) -> Self {
        Self { set_cookies, ..self }
    }

    /// The same answer with `Server-Timing`, where it is to have one.
    #[must_use]
    pub fn timed(mut self, timing: Option<String>) -> Self {
        self.headers
            .extend(timing.map(|value| (server_timing::NAME, Cow::Owned(value))));
        self
    }

    /// Status and headers as the JSON of a `ResponseInit`: one text is cheaper to hand to the platform than a
    /// call for each header.
    #[must_use]
    pub fn init_json(&self) -> String {
        let mut json = String::with_capacity(512);
        json.push_str("{\"status\":");
        json.push_str(&self.status.to_string());
        json.push_str(",\"headers\":{");
        for (at, (name, value)) in self.headers.iter().enumerate() {
            if at > 0 {
                json.push(',');
            }
            json.push('"');
            json.push_str(name);
            json.push_str("\":");
            push_json_text(&mut json, value);
        }
        json.push_str("}}");
        json
    }
}

fn push_json_text(json: &mut String, text: &str) {
    if text
        .bytes()
        .all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\')
    {
        json.push('"');
        json.push_str(text);
        json.push('"');
    } else {
        json.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;
    use crate::decide::Refusal;
    use portcullis_shared::problem::ProblemCode;

    #[test]
    fn a_refusal_becomes_a_problem_with_its_headers() {
        let refusal = Refusal {
            retry_after: Some(7),
            allow: Some("GET".to_owned()),
            ..Refusal::new(ProblemCode::Unavailable, "x")
        };
        let answer = Answer::refusing(&refusal, "12345678");
        let init: serde_json::Value = serde_json::from_str(&answer.init_json()).unwrap();
        assert_eq!(
            init,
            serde_json::json!({"status": 503, "headers": {"content-type": "application/problem+json", "cache-control": "no-store",
                "x-request-id": "12345678", "allow": "GET", "retry-after": "7"}})
        );
        let body: serde_json::Value = serde_json::from_str(answer.body.as_deref().unwrap()).unwrap();
        assert_eq!(body.get("code").unwrap(), "unavailable");
        assert_eq!(body.get("requestId").unwrap(), "12345678");
        assert!(
            !answer.body.unwrap().contains("\"x\""),
            "the reason is for the log"
        );
    }

    #[test]
    fn a_permission_carries_the_identity_and_no_body() {
        let identity = [
            ("x-auth-subject", "user-1".to_owned()),
            ("x-auth-venue-roles", r#"{"v":["\u00e9"]}"#.to_owned()),
        ];
        let answer = Answer::permitting(&identity, None, None, "12345678");
        let init: serde_json::Value = serde_json::from_str(&answer.init_json()).unwrap();
        assert_eq!(init.pointer("/status").unwrap(), 204);
        assert_eq!(init.pointer("/headers/x-auth-subject").unwrap(), "user-1");
        assert_eq!(
            init.pointer("/headers/x-auth-venue-roles").unwrap(),
            r#"{"v":["\u00e9"]}"#
        );
        assert_eq!(answer.body, None);
        assert!(!answer.init_json().contains("x-auth-shadow"));
    }

    #[test]
    fn a_permission_of_a_route_in_shadow_and_the_time_it_took_are_told() {
        let spared = Refusal::new(ProblemCode::Forbidden, "x");
        let answer = Answer::permitting(&[], None, Some(&spared), "12345678");
        let init: serde_json::Value =
            serde_json::from_str(&answer.timed(Some("edge;dur=1".to_owned())).init_json()).unwrap();
        assert_eq!(init.pointer("/status").unwrap(), 204);
        assert_eq!(init.pointer("/headers/x-auth-shadow").unwrap(), "forbidden");
        assert_eq!(init.pointer("/headers/server-timing").unwrap(), "edge;dur=1");
    }
}
