//! Answers that the edge gives itself.
//!
//! Invariants: every answer names its request id; none may be cached; a refusal is a problem (RFC 9457) of the
//! catalogue that the origin uses too.

use std::borrow::Cow;

use portcullis_shared::identity;
use portcullis_shared::problem::{PROBLEM_CONTENT_TYPE, Problem};

use crate::answer_rules::AnswerRules;
use crate::cors::PREFLIGHT_VARY;
use crate::decide::{Preflight, Refusal};
use crate::server_timing;
use crate::tally::{RATE_LIMIT, RATE_LIMIT_POLICY};

/// A response, before the platform's types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// Header names, in lower case, and values.
    pub headers: Vec<(&'a str, Cow<'a, str>)>,
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
        headers.extend(refusal.allow.map(|methods| ("allow", Cow::Owned(methods.list()))));
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

    /// The answer to a preflight: 204 with what the request to come may be, or the refusal without any of it.
    #[must_use]
    pub fn to_preflight(preflight: &'a Preflight, request_id: &'a str, is_secure: bool) -> Self {
        let mut answer = match &preflight.outcome {
            Err(refusal) => Self::refusing(refusal, request_id),
            Ok(origin) => {
                let mut headers = vec![
                    ("cache-control", Cow::Borrowed("no-store")),
                    (identity::REQUEST_ID, Cow::Borrowed(request_id)),
                    ("access-control-allow-origin", Cow::Borrowed(origin.as_str())),
                    (
                        "access-control-allow-methods",
                        Cow::Owned(preflight.route.methods.list()),
                    ),
                ];
                if let Some(cors) = &preflight.route.answers.cors {
                    let max_age = cors.max_age.to_string();
                    headers.push((
                        "access-control-allow-headers",
                        Cow::Owned(cors.request_headers.join(", ")),
                    ));
                    headers.push(("access-control-max-age", Cow::Owned(max_age)));
                    let credentials = cors.allowing_credentials();
                    headers.extend(credentials.map(|(name, value)| (name, Cow::Borrowed(value))));
                }
                Self {
                    status: 204,
                    headers,
                    body: None,
                    set_cookies: Vec::new(),
                }
            }
        };
        answer.headers.push(("vary", Cow::Borrowed(PREFLIGHT_VARY)));
        answer.add_missing(&preflight.route.answers, is_secure);
        answer
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

    /// The same answer with what goes with it by `rules`: security headers, and the leave of pages of `origin` to read it.
    #[must_use]
    pub fn under(mut self, rules: &'a AnswerRules, origin: Option<&'a str>, is_secure: bool) -> Self {
        self.add_missing(rules, is_secure);
        if let Some(cors) = &rules.cors {
            let reading = origin.map(|origin| cors.reading(origin)).unwrap_or_default();
            let reading = reading.into_iter().chain([("vary", "Origin")]);
            self.headers
                .extend(reading.map(|(name, value)| (name, Cow::Borrowed(value))));
        }
        self
    }

    fn add_missing(&mut self, rules: &'a AnswerRules, is_secure: bool) {
        for (name, value) in rules.headers.over(is_secure) {
            if self.headers.iter().all(|(own, _)| *own != name) {
                self.headers.push((name, Cow::Borrowed(value)));
            }
        }
    }

    /// The headers as one text, which is cheaper to hand to the platform than a call for each: names and values in turn,
    /// with line breaks between, which no header holds.
    #[must_use]
    pub fn header_text(&self) -> String {
        let mut text = String::with_capacity(512);
        for (name, value) in &self.headers {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(name);
            text.push('\n');
            text.push_str(value);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::Answer;
    use crate::decide::Refusal;
    use crate::policy::Methods;
    use crate::policy::Policy;
    use portcullis_shared::problem::ProblemCode;

    #[test]
    fn a_refusal_becomes_a_problem_with_its_headers() {
        let refusal = Refusal {
            retry_after: Some(7),
            allow: Methods::of("GET"),
            ..Refusal::new(ProblemCode::Unavailable, "x")
        };
        let answer = Answer::refusing(&refusal, "12345678");
        assert_eq!(answer.status, 503);
        assert_eq!(
            answer.header_text(),
            "content-type\napplication/problem+json\ncache-control\nno-store\nx-request-id\n12345678\nallow\nGET\n\
             retry-after\n7"
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
    fn a_refusal_for_a_limit_names_it_in_headers_and_body() {
        let policy = Policy::parse(
            r#"{"issuer": "i", "audience": "a",
                "limits": [{"name": "client", "by": "client", "limit": 100, "window_seconds": 60, "binding": "B"}],
                "routes": [{"path": "/x", "upstream": "app", "public": true, "limit": "client"}]}"#,
        )
        .unwrap();
        let refusal = Refusal {
            retry_after: Some(7),
            route: policy.routes().next().cloned(),
            violated: policy.limits().next().cloned(),
            rate_limit: Some("\"client\";r=0;t=7".into()),
            ..Refusal::new(ProblemCode::RateLimited, "x")
        };
        let answer = Answer::refusing(&refusal, "12345678");
        let header = |name: &str| {
            let found = answer.headers.iter().find(|(own, _)| *own == name);
            found.map(|(_, value)| value.to_string()).unwrap_or_default()
        };
        assert_eq!(answer.status, 429);
        assert_eq!(header("retry-after"), "7");
        assert_eq!(header("ratelimit-policy"), "\"client\";q=100;w=60");
        assert_eq!(header("ratelimit"), "\"client\";r=0;t=7");
        let body: serde_json::Value = serde_json::from_str(answer.body.as_deref().unwrap()).unwrap();
        assert_eq!(
            body.get("violated-policies").unwrap(),
            &serde_json::json!(["client"])
        );
    }

    #[test]
    fn a_permission_carries_the_identity_and_no_body() {
        let identity = [
            ("x-auth-subject", "user-1".to_owned()),
            ("x-auth-venue-roles", r#"{"v":["\u00e9"]}"#.to_owned()),
        ];
        let answer = Answer::permitting(&identity, None, None, "12345678");
        assert_eq!(answer.status, 204);
        let text = answer.header_text();
        let texts: Vec<&str> = text.split('\n').collect();
        for (name, value) in &identity {
            let place = texts.iter().step_by(2).position(|text| text == name).unwrap();
            assert_eq!(texts[2 * place + 1], value);
        }
        assert_eq!(answer.body, None);
        assert!(!text.contains("x-auth-shadow"));
    }

    #[test]
    fn a_permission_of_a_route_in_shadow_and_the_time_it_took_are_told() {
        let spared = Refusal::new(ProblemCode::Forbidden, "x");
        let answer = Answer::permitting(&[], None, Some(&spared), "12345678");
        assert_eq!(answer.status, 204);
        let text = answer.timed(Some("edge;dur=1".to_owned())).header_text();
        assert!(
            text.contains("x-auth-shadow\nforbidden\nserver-timing\nedge;dur=1"),
            "{text}"
        );
    }
}
