//! What the Worker is told by its variables and secrets.
//!
//! Invariant: either everything is right, or the Worker answers 500 and logs all that is wrong. Secrets are read
//! once and not kept as text.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use portcullis_shared::claims::Expectations;
use portcullis_shared::csrf::CsrfKey;
use portcullis_shared::limited::LimitKey;
use portcullis_shared::request_signature::SigningKey;
use serde_json::Value;

use crate::log::Verbosity;
use crate::policy::{Mistakes, Policy};

/// The upstream that is ours: it alone sees the product's cookies, and publishes the key set.
pub const ORIGIN: &str = "origin";

/// Where the origin publishes its key set.
pub const KEY_SET_PATH: &str = "/.well-known/jwks.json";

/// Who is told of requests.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    /// The log.
    pub log: Verbosity,
    /// The client, by `Server-Timing`.
    pub server_timing: bool,
}

impl Watch {
    /// For a configuration with mistakes: the log is told of everything.
    pub const FAULT: Self = Self {
        log: Verbosity::All,
        server_timing: false,
    };
}

/// A configuration without mistakes.
#[derive(Debug)]
pub struct Config {
    /// The route table.
    pub policy: Policy,
    /// What every token must say.
    pub expectations: Expectations,
    /// The key that signs forwarded requests.
    pub signing_key: SigningKey,
    /// The keys that CSRF tokens may have been made under: one for each signing key that edge and origin share.
    pub csrf_keys: Vec<CsrfKey>,
    /// The key under which counts have their names: that of the key that signs, so a change of it begins all counts anew.
    pub limit_key: LimitKey,
    /// Our own server.
    pub origin: Upstream,
    /// Which requests are logged.
    pub log_requests: Verbosity,
    /// The others.
    upstreams: Vec<Upstream>,
}

/// Where an upstream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    name: String,
    /// Scheme and authority, without a slash at the end.
    pub base: String,
    /// Host, and port where it is not the scheme's own, in lower case: `@authority` of the request signature.
    pub authority: String,
}

impl Upstream {
    /// What its URL has to be, as the end of a sentence.
    pub const URL_RULE: &str = "is not http:// or https:// with a host and perhaps a port, and nothing else";

    /// The variable that has the URL of the upstream `name`: `origin` is at `ORIGIN_URL`, any other at `UPSTREAM_<NAME>`.
    #[must_use]
    pub fn variable(name: &str) -> String {
        if name == ORIGIN {
            "ORIGIN_URL".to_owned()
        } else {
            format!("UPSTREAM_{}", name.to_ascii_uppercase())
        }
    }

    /// Reads the URL of the upstream `name`; `None` where it breaks [`Self::URL_RULE`].
    #[must_use]
    pub fn parse(name: &str, url: &str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let default_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return None,
        };
        let is_host =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'[' | b']');
        if authority.is_empty() || authority.starts_with(':') || !authority.bytes().all(is_host) {
            return None;
        }
        let authority = authority
            .strip_suffix(default_port)
            .unwrap_or(authority)
            .to_ascii_lowercase();
        Some(Upstream {
            name: name.to_owned(),
            base: format!("{scheme}://{authority}"),
            authority,
        })
    }

    /// Whether this is the origin.
    #[must_use]
    pub fn is_origin(&self) -> bool {
        self.name == ORIGIN
    }
}

impl Config {
    /// Reads everything. `policy` is the JSON of the `POLICY` variable; `variable` looks up any other variable or
    /// secret by its name.
    pub fn read(policy: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let policy = match policy.map(Policy::parse) {
            Some(Ok(policy)) => Some(policy),
            Some(Err(found)) => {
                mistakes.0.extend(found.0);
                None
            }
            None => {
                mistakes.add("POLICY", "is not set");
                None
            }
        };
        let origin = read_upstream(ORIGIN, &variable, &mut mistakes);
        let upstreams: Vec<Upstream> = policy
            .iter()
            .flat_map(Policy::upstreams)
            .filter(|name| *name != ORIGIN)
            .filter_map(|name| read_upstream(name, &variable, &mut mistakes))
            .collect();
        let keys = read_shared_keys(&variable, &mut mistakes);
        let log_requests = match variable("LOG_REQUESTS") {
            None => Verbosity::default(),
            Some(value) => Verbosity::of(&value).unwrap_or_else(|| {
                mistakes.add("LOG_REQUESTS", "is none of all, refused and none");
                Verbosity::default()
            }),
        };
        match (policy, keys, origin) {
            (Some(policy), Some(keys), Some(origin)) if mistakes.0.is_empty() => Ok(Self {
                expectations: Expectations::new(policy.issuer.as_str(), policy.audience.as_str()),
                policy,
                limit_key: LimitKey::of(&keys.signing),
                signing_key: keys.signing,
                csrf_keys: keys.all.iter().map(CsrfKey::of).collect(),
                origin,
                log_requests,
                upstreams,
            }),
            _ => Err(mistakes),
        }
    }

    /// Who is told of requests.
    #[must_use]
    pub const fn watch(&self) -> Watch {
        Watch {
            log: self.log_requests,
            server_timing: self.policy.server_timing,
        }
    }

    /// The upstream of a route.
    #[must_use]
    pub fn upstream(&self, name: &str) -> Option<&Upstream> {
        if name == ORIGIN {
            return Some(&self.origin);
        }
        self.upstreams.iter().find(|upstream| upstream.name == name)
    }
}

fn read_upstream(
    name: &str,
    variable: impl Fn(&str) -> Option<String>,
    mistakes: &mut Mistakes,
) -> Option<Upstream> {
    let place = Upstream::variable(name);
    let Some(url) = variable(&place) else {
        mistakes.add(&place, "is not set");
        return None;
    };
    let upstream = Upstream::parse(name, &url);
    if upstream.is_none() {
        mistakes.add(&place, Upstream::URL_RULE);
    }
    upstream
}

/// The keys that edge and origin share: the one that signs here, and those that the other end may use.
struct SharedKeys {
    signing: SigningKey,
    all: Vec<SigningKey>,
}

/// `EDGE_SIGNING_KEYS` is a JSON object of key ids and base64 secrets, `EDGE_SIGNING_KEY_ID` names the one that signs.
fn read_shared_keys(
    variable: impl Fn(&str) -> Option<String>,
    mistakes: &mut Mistakes,
) -> Option<SharedKeys> {
    const KEYS: &str = "EDGE_SIGNING_KEYS";
    const KEY_ID: &str = "EDGE_SIGNING_KEY_ID";
    let (keys, key_id) = (variable(KEYS), variable(KEY_ID));
    if keys.is_none() {
        mistakes.add(KEYS, "is not set");
    }
    if key_id.is_none() {
        mistakes.add(KEY_ID, "is not set");
    }
    let (keys, key_id) = (keys?, key_id?);
    let Ok(Value::Object(keys)) = serde_json::from_str(&keys) else {
        mistakes.add(KEYS, "is not a JSON object of key ids and secrets");
        return None;
    };
    if !keys.contains_key(&key_id) {
        mistakes.add(KEY_ID, "names no key of EDGE_SIGNING_KEYS");
        return None;
    }
    let all: Option<Vec<SigningKey>> = keys
        .iter()
        .map(|(id, secret)| read_key(id, secret).map_err(|what| mistakes.add(KEYS, what)).ok())
        .collect();
    let all = all?;
    let signing = all.iter().find(|key| key.keyid == key_id).cloned()?;
    Some(SharedKeys { signing, all })
}

fn read_key(id: &str, secret: &Value) -> Result<SigningKey, String> {
    let decode = |text: &str| {
        STANDARD
            .decode(text)
            .or_else(|_| URL_SAFE_NO_PAD.decode(text))
            .ok()
    };
    let decoded = secret
        .as_str()
        .and_then(decode)
        .map(zeroize::Zeroizing::new)
        .ok_or("has a secret that is not base64")?;
    SigningKey::new(id, &decoded).map_err(|error| format!("is of no use: {error}"))
}

#[cfg(test)]
mod tests {
    use super::{Config, Upstream};
    use crate::log::Verbosity;

    const POLICY: &str = r#"{"issuer": "https://issuer", "audience": "app", "routes": [
        {"path": "/auth/*", "upstream": "origin", "public": true},
        {"path": "/api/*", "upstream": "venue", "authenticated": true}
    ]}"#;
    const KEYS: &str = r#"{"one": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}"#;

    fn variable(name: &str) -> Option<String> {
        let value = match name {
            "ORIGIN_URL" => "http://127.0.0.1:3001",
            "UPSTREAM_VENUE" => "https://Venue.example:443/",
            "EDGE_SIGNING_KEYS" => KEYS,
            "EDGE_SIGNING_KEY_ID" => "one",
            "LOG_REQUESTS" => "all",
            _ => return None,
        };
        Some(value.to_owned())
    }

    fn mistakes(name: &'static str, value: Option<&'static str>) -> Vec<String> {
        let altered = |asked: &str| {
            if asked == name {
                value.map(str::to_owned)
            } else {
                variable(asked)
            }
        };
        Config::read(Some(POLICY), altered).unwrap_err().0
    }

    #[test]
    fn a_complete_configuration_is_read() {
        let config = Config::read(Some(POLICY), variable).unwrap();
        assert_eq!(config.origin.base, "http://127.0.0.1:3001");
        assert_eq!(config.upstream("venue").unwrap().base, "https://venue.example");
        assert!(config.upstream("origin").unwrap().is_origin());
        assert!(!config.upstream("venue").unwrap().is_origin());
        assert_eq!(config.upstream("nobody"), None);
        assert_eq!(config.log_requests, Verbosity::All);
        assert_eq!(config.signing_key.keyid, "one");
        assert_eq!(config.expectations.issuer, "https://issuer");
    }

    #[test]
    fn all_mistakes_are_reported_together_and_secrets_are_not() {
        let found = Config::read(Some("{}"), |_| None).unwrap_err();
        for name in [
            "issuer",
            "audience",
            "routes",
            "ORIGIN_URL",
            "EDGE_SIGNING_KEYS",
            "EDGE_SIGNING_KEY_ID",
        ] {
            assert!(found.to_string().contains(name), "{name}: {found}");
        }
        assert_eq!(Config::read(None, variable).unwrap_err().0, ["POLICY is not set"]);
        let found = mistakes("EDGE_SIGNING_KEYS", Some(r#"{"one": "secret!"}"#)).join(" ");
        assert!(!found.contains("secret!"), "{found}");
    }

    #[test]
    fn each_variable_is_checked() {
        for (name, value) in [
            ("ORIGIN_URL", None),
            ("ORIGIN_URL", Some("ftp://x")),
            ("UPSTREAM_VENUE", None),
            ("UPSTREAM_VENUE", Some("http://h/path")),
            ("UPSTREAM_VENUE", Some("http://user@h")),
            ("UPSTREAM_VENUE", Some("http://")),
            ("EDGE_SIGNING_KEYS", None),
            ("EDGE_SIGNING_KEYS", Some("[]")),
            ("EDGE_SIGNING_KEY_ID", None),
            ("EDGE_SIGNING_KEY_ID", Some("two")),
            (
                "EDGE_SIGNING_KEYS",
                Some(r#"{"one": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "short": "c2hvcnQ="}"#),
            ),
            (
                "EDGE_SIGNING_KEYS",
                Some(r#"{"one": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "text": "!"}"#),
            ),
            ("LOG_REQUESTS", Some("some")),
        ] {
            assert_eq!(mistakes(name, value).len(), 1, "{name} {value:?}");
        }
    }

    #[test]
    fn the_authority_has_no_default_port() {
        let authority = |url| Upstream::parse("x", url).map(|Upstream { authority, .. }| authority);
        assert_eq!(authority("http://Host:80/").as_deref(), Some("host"));
        assert_eq!(authority("http://host:443").as_deref(), Some("host:443"));
        assert_eq!(authority("https://[::1]:8443").as_deref(), Some("[::1]:8443"));
        assert_eq!(authority("http://:80"), None);
    }
}
