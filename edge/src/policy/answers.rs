//! What the table says about answers: `cors` and `response_headers`, for all routes and for single ones.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::Mistakes;
use super::keys::Table;
use crate::answer_rules::{AnswerRules, ResponseHeaders, is_token};
use crate::cors::{ALWAYS_EXPOSED, Cors, DEFAULT_REQUEST_HEADERS};

/// How long a preflight's answer may be remembered where the table does not say, in seconds.
const DEFAULT_MAX_AGE_SECONDS: u32 = 600;
/// No browser remembers it for longer.
const LONGEST_MAX_AGE_SECONDS: u64 = 86_400;

/// Headers that nobody may add to answers: those that frame a message or belong to its body or connection, and those
/// that the edge sets by rules of its own.
const NOT_TO_BE_ADDED: [&str; 23] = [
    "age",
    "allow",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "date",
    "etag",
    "keep-alive",
    "location",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "server-timing",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "www-authenticate",
    "x-request-id",
];
const NOT_TO_BE_ADDED_UNDER: [&str; 5] = ["access-control-", "proxy-", "sec-", "signature", "x-auth-"];

impl AnswerRules {
    /// Takes the two keys out of `table`; `base` is what holds where it has none of them.
    pub(super) fn parse(table: &mut Table, base: &Self, mistakes: &mut Mistakes) -> Self {
        let cors = match table.take("cors") {
            None => base.cors.clone(),
            Some(Value::Bool(false)) => None,
            Some(Value::Object(keys)) => {
                let place = format!("{}, cors", table.place);
                Some(parse_cors(&mut Table::new(place, keys), mistakes))
            }
            Some(_) => {
                mistakes.add(&table.place, "has a cors that is neither a table nor false");
                None
            }
        };
        let headers = match table.take("response_headers") {
            None => base.headers.clone(),
            Some(Value::Object(keys)) => {
                let place = format!("{}, response_headers", table.place);
                base.headers.with(parse_changes(&place, keys, mistakes))
            }
            Some(_) => {
                mistakes.add(&table.place, "has response_headers that are not a table");
                base.headers.clone()
            }
        };
        Self { headers, cors }
    }

    /// The same for a route; those that change nothing share what `base` has.
    pub(super) fn parse_for_route(table: &mut Table, base: &Rc<Self>, mistakes: &mut Mistakes) -> Rc<Self> {
        if table.keys.contains_key("cors") || table.keys.contains_key("response_headers") {
            Rc::new(Self::parse(table, base, mistakes))
        } else {
            Rc::clone(base)
        }
    }

    /// What holds where a table says nothing.
    pub(crate) fn strict() -> Self {
        Self {
            headers: ResponseHeaders::strict(),
            cors: None,
        }
    }
}

fn parse_cors(table: &mut Table, mistakes: &mut Mistakes) -> Cors {
    let origins = texts(table, "origins", mistakes).unwrap_or_default();
    if origins.is_empty() {
        mistakes.add(&table.place, "allows no origins; cors = false says so");
    }
    for origin in &origins {
        if let Err(why) = check_origin(origin) {
            mistakes.add(
                &table.place,
                format_args!("allows the origin {origin:?}, which {why}"),
            );
        }
    }
    let credentials = match table.take("credentials") {
        None => false,
        Some(Value::Bool(credentials)) => credentials,
        Some(_) => {
            mistakes.add(&table.place, "has credentials that are neither true nor false");
            false
        }
    };
    let request_headers = names(table, "headers", mistakes)
        .unwrap_or_else(|| DEFAULT_REQUEST_HEADERS.map(str::to_owned).to_vec());
    let mut exposed = ALWAYS_EXPOSED.map(str::to_owned).to_vec();
    for name in names(table, "expose", mistakes).unwrap_or_default() {
        if !exposed.contains(&name) {
            exposed.push(name);
        }
    }
    let max_age = table
        .whole_number("max_age", 0..=LONGEST_MAX_AGE_SECONDS, mistakes)
        .and_then(|seconds| u32::try_from(seconds).ok())
        .unwrap_or(DEFAULT_MAX_AGE_SECONDS);
    table.refuse_the_rest(mistakes);
    Cors {
        origins,
        credentials,
        request_headers,
        exposed: exposed.join(", "),
        max_age,
    }
}

/// An array of texts, each there once; `None` where the key is not there.
fn texts(table: &mut Table, key: &'static str, mistakes: &mut Mistakes) -> Option<Vec<String>> {
    let value = table.take(key)?;
    let texts: Option<Vec<String>> = value.as_array().and_then(|values| {
        let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
        texts.collect()
    });
    let Some(texts) = texts else {
        mistakes.add(
            &table.place,
            format_args!("has {key} that are not an array of texts"),
        );
        return Some(Vec::new());
    };
    for (at, text) in texts.iter().enumerate() {
        if texts.iter().take(at).any(|other| other == text) {
            mistakes.add(&table.place, format_args!("lists {text:?} twice in {key}"));
        }
    }
    Some(texts)
}

/// An array of header names, in lower case.
fn names(table: &mut Table, key: &'static str, mistakes: &mut Mistakes) -> Option<Vec<String>> {
    let names = texts(table, key, mistakes)?;
    for name in &names {
        // With credentials a browser takes `*` for a name, without them for all there are.
        if name == "*" || !is_name(name) {
            mistakes.add(
                &table.place,
                format_args!("has {name:?} in {key}, which is no name of a header"),
            );
        }
    }
    Some(names.iter().map(|name| name.to_ascii_lowercase()).collect())
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(is_token)
}

/// Whether browsers would serialise an origin like this (HTML §7.1.1): anything else would never be equal to what they
/// send. The error is a clause that says what is wrong.
fn check_origin(origin: &str) -> Result<(), &'static str> {
    if origin == "*" || origin == "null" {
        return Err("is nobody in particular");
    }
    let (scheme, authority) = origin.split_once("://").ok_or("has no scheme and ://")?;
    if !scheme.starts_with(|first: char| first.is_ascii_lowercase())
        || !scheme
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte))
    {
        return Err("has a scheme that is not in lower case");
    }
    if authority.contains(['/', '?', '#']) {
        return Err("has more than scheme, host and port");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        Some(_) | None => (authority, None),
    };
    let is_literal = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .is_some_and(|address| {
            address
                .parse::<std::net::Ipv6Addr>()
                .is_ok_and(|parsed| parsed.to_string() == address)
        });
    let is_host_byte =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    if !is_literal && (host.is_empty() || !host.bytes().all(is_host_byte)) {
        return Err("has a host that is not in lower-case ASCII");
    }
    let default_port = match scheme {
        "http" => Some("80"),
        "https" => Some("443"),
        _ => None,
    };
    match port {
        Some(port) if Some(port) == default_port => Err("names the port that its scheme has anyway"),
        Some(port) if port.parse::<u16>().is_ok_and(|number| number.to_string() == port) => Ok(()),
        Some(_) => Err("has a port that is no number"),
        None => Ok(()),
    }
}

/// Names of headers with what becomes of each: another value, or `false`.
fn parse_changes(
    place: &str,
    keys: Map<String, Value>,
    mistakes: &mut Mistakes,
) -> Vec<(String, Option<String>)> {
    let mut changes: Vec<(String, Option<String>)> = Vec::new();
    for (spelled, value) in keys {
        let name = spelled.to_ascii_lowercase();
        if !is_name(&name) {
            mistakes.add(
                place,
                format_args!("has {spelled:?}, which is no name of a header"),
            );
        } else if NOT_TO_BE_ADDED.contains(&name.as_str())
            || NOT_TO_BE_ADDED_UNDER.iter().any(|start| name.starts_with(start))
        {
            mistakes.add(
                place,
                format_args!("has {spelled}, which is not for a policy to set"),
            );
        } else if changes.iter().any(|(other, _)| *other == name) {
            mistakes.add(place, format_args!("has {name} twice"));
        }
        let value = match value {
            Value::String(value) if is_value(&value) => Some(value),
            Value::Bool(false) => None,
            _ => {
                mistakes.add(
                    place,
                    format_args!("has a value for {spelled} that is neither visible ASCII nor false"),
                );
                None
            }
        };
        changes.push((name, value));
    }
    changes
}

fn is_value(value: &str) -> bool {
    !value.is_empty() && value.trim() == value && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

#[cfg(test)]
mod tests;
