//! Who may read answers in a browser, and send what (the CORS protocol, Fetch standard §3.2).
//!
//! Invariants:
//! - An origin is allowed by its exact text. There is no pattern, no `*` and no `null`, so that nothing that is read
//!   with credentials is ever for everybody.
//! - Being allowed to read is not being allowed to change: a request that cookies vouch for is judged by the rule
//!   against requests of other sites, whatever is allowed here.
//! - Where this applies, each answer varies by `Origin`, also for a request without one, so that no cache gives to
//!   one page what was meant for another.

/// The header that says where a request was made.
pub const ORIGIN: &str = "origin";
/// The header of a preflight that names the method to come.
pub const REQUEST_METHOD: &str = "access-control-request-method";
/// The header of a preflight that names the headers to come.
pub const REQUEST_HEADERS: &str = "access-control-request-headers";
/// What the answer to a preflight depends on, as `Vary` lists it.
pub const PREFLIGHT_VARY: &str = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";

/// Request headers that are allowed where the policy does not say: those of the product's own contract.
pub const DEFAULT_REQUEST_HEADERS: [&str; 10] = [
    "authorization",
    "content-type",
    "if-match",
    "if-none-match",
    "last-event-id",
    "x-csrf-token",
    "x-device-token",
    "x-request-id",
    "x-tenant",
    "x-token-delivery",
];

/// Response headers that a page may always read: what it needs to understand a refusal, and to make a conditional
/// request.
pub const ALWAYS_EXPOSED: [&str; 6] = [
    "etag",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
    "x-request-id",
];

/// What an upstream says in this matter where the edge does: two answers would break browsers, and the laxer one would
/// count where only one is there.
pub const NOT_THE_UPSTREAMS: [&str; 7] = [
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-allow-private-network",
    "access-control-expose-headers",
    "access-control-max-age",
];

/// What pages of other origins may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// The origins that are allowed, each serialised as browsers do.
    pub(crate) origins: Vec<String>,
    /// Whether they may send cookies along, and read what comes of it.
    pub(crate) credentials: bool,
    /// The request headers that they may set, in lower case.
    pub(crate) request_headers: Vec<String>,
    /// The response headers that they may read, as one header lists them.
    pub(crate) exposed: String,
    /// How long a browser may remember a preflight's answer, in seconds.
    pub(crate) max_age: u32,
}

impl Cors {
    /// Whether pages of `origin` are allowed anything.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        self.origins.iter().any(|allowed| allowed == origin)
    }

    /// Whether a request may carry these headers, as [`REQUEST_HEADERS`] lists them.
    #[must_use]
    pub fn allows_headers(&self, list: &str) -> bool {
        let mut names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.all(|name| {
            self.request_headers
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(name))
        })
    }

    /// What lets a page of `origin` read an answer; nothing where it may not.
    #[must_use]
    pub fn reading<'a>(&'a self, origin: &'a str) -> Vec<(&'static str, &'a str)> {
        if !self.allows(origin) {
            return Vec::new();
        }
        let mut headers = vec![
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", self.exposed.as_str()),
        ];
        headers.extend(self.allowing_credentials());
        headers
    }

    /// The header that allows credentials, where they are.
    pub(crate) fn allowing_credentials(&self) -> Option<(&'static str, &'static str)> {
        self.credentials
            .then_some(("access-control-allow-credentials", "true"))
    }
}

#[cfg(test)]
mod tests {
    use super::Cors;

    fn cors(credentials: bool) -> Cors {
        Cors {
            origins: vec![
                "https://app.example".to_owned(),
                "http://localhost:3000".to_owned(),
            ],
            credentials,
            request_headers: vec!["content-type".to_owned(), "x-a".to_owned()],
            exposed: "etag".to_owned(),
            max_age: 5,
        }
    }

    #[test]
    fn an_origin_is_allowed_by_its_exact_text() {
        let cors = cors(false);
        assert!(cors.allows("https://app.example") && cors.allows("http://localhost:3000"));
        for other in [
            "",
            "*",
            "null",
            "https://app.example/",
            "https://app.example:443",
            "https://APP.example",
            "http://app.example",
            "https://app.example.evil.example",
            "https://evil.example?https://app.example",
            "http://localhost:30001",
            "https://app.example, http://localhost:3000",
        ] {
            assert!(!cors.allows(other), "{other}");
            assert_eq!(cors.reading(other), [], "{other}");
        }
    }

    #[test]
    fn headers_are_allowed_by_name_without_regard_to_case() {
        let cors = cors(false);
        for list in ["", "x-a", "X-A,Content-Type", " x-a , content-type ,"] {
            assert!(cors.allows_headers(list), "{list}");
        }
        for list in ["x-b", "x-a, x-b", "*", "x-a content-type"] {
            assert!(!cors.allows_headers(list), "{list}");
        }
    }

    #[test]
    fn credentials_are_mentioned_only_where_they_are_allowed() {
        let origin = "https://app.example";
        let plain = [
            ("access-control-allow-origin", origin),
            ("access-control-expose-headers", "etag"),
        ];
        assert_eq!(cors(false).reading(origin), plain);
        let with = cors(true);
        assert_eq!(
            with.reading(origin).last(),
            Some(&("access-control-allow-credentials", "true"))
        );
    }
}
