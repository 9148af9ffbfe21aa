//! The table as `wrangler.toml` spells it, turned into a [`Policy`] or into a list of everything wrong with it.

use std::fmt;
use std::rc::Rc;

use serde_json::Value;

use super::keys::Table;
use super::limits::LimitTable;
use super::pattern::Relation;
use super::requirement::{parse_requirement, parse_step_up, parse_venue};
use super::{Destination, Entry, Gate, Methods, Mode, Pattern, Policy, Requirement, Route, reach};
use crate::answer_rules::AnswerRules;

/// How long an upstream may take to answer where the route does not say, in seconds.
const DEFAULT_TIMEOUT_SECONDS: u32 = 30;
const LONGEST_TIMEOUT_SECONDS: u64 = 600;

/// Everything that is wrong with a configuration, each a sentence without its full stop.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl Mistakes {
    pub(crate) fn add(&mut self, place: &str, what: impl fmt::Display) {
        self.0.push(format!("{place} {what}"));
    }

    pub(super) fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for Mistakes {}

impl Policy {
    /// Parses the JSON of the `POLICY` variable: `{issuer, audience, limits: […], default_limits: […], routes: […]}`.
    pub fn parse(json: &str) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let policy = Self::read(json, &mut mistakes);
        match policy {
            Some(policy) if mistakes.0.is_empty() => {
                // What can be reached is only known of routes that are right.
                reach::report(&policy, &mut mistakes);
                if mistakes.0.is_empty() {
                    Ok(policy)
                } else {
                    Err(mistakes)
                }
            }
            Some(_) | None => Err(mistakes),
        }
    }

    /// Reads the routes that are right by themselves, and reports everything but whether they can be reached.
    pub(super) fn read(json: &str, mistakes: &mut Mistakes) -> Option<Self> {
        let table = match serde_json::from_str(json) {
            Ok(Value::Object(table)) => table,
            Ok(_) => {
                mistakes.add("POLICY", "is not a table");
                return None;
            }
            Err(error) => {
                mistakes.add("POLICY", format_args!("is not JSON: {error}"));
                return None;
            }
        };
        let mut table = Table::new("POLICY".to_owned(), table);
        let issuer = table.required_text("issuer", mistakes);
        let audience = table.required_text("audience", mistakes);
        let server_timing = table.flag("server_timing", mistakes);
        let mut limits = LimitTable::take(&mut table, mistakes);
        let routes = match table.take("routes") {
            Some(Value::Array(routes)) if !routes.is_empty() => routes,
            Some(Value::Array(_)) | None => {
                mistakes.add("POLICY", "has no routes");
                Vec::new()
            }
            Some(_) => {
                mistakes.add("POLICY.routes", "is not an array of tables");
                Vec::new()
            }
        };
        let answers = Rc::new(AnswerRules::parse(&mut table, &AnswerRules::strict(), mistakes));
        table.refuse_the_rest(mistakes);

        let mut parsed = Vec::new();
        for (at, route) in routes.into_iter().enumerate() {
            let number = at + 1;
            let place = format!("route {number}");
            match route {
                Value::Object(keys) => {
                    let table = &mut Table::new(place, keys);
                    parsed.extend(parse_route(number, table, &mut limits, &answers, mistakes));
                }
                _ => mistakes.add(&place, "is not a table"),
            }
        }
        let limits = limits.finish(mistakes);
        let entries = arrange(parsed, mistakes);
        Some(Self {
            issuer: issuer?,
            audience: audience?,
            server_timing,
            limits,
            answers,
            entries,
        })
    }
}

/// Puts the routes into entries, narrower first, and reports those that overlap.
fn arrange(routes: Vec<(String, Pattern, Route)>, mistakes: &mut Mistakes) -> Vec<Entry> {
    let mut placed: Vec<(String, Entry)> = Vec::new();
    for (place, pattern, route) in routes {
        let mut shared = None;
        for (at, (other_place, other)) in placed.iter().enumerate() {
            match pattern.relation(&other.pattern) {
                Relation::Same => shared = Some(at),
                Relation::Crossing => mistakes.add(
                    &place,
                    format_args!(
                        "overlaps {other_place}: a path can match both, and neither is the narrower"
                    ),
                ),
                Relation::Disjoint | Relation::Narrower | Relation::Wider => {}
            }
        }
        match shared.and_then(|at| placed.get_mut(at)) {
            Some((other_place, entry)) => {
                for other in &entry.routes {
                    let both = other.methods.common(route.methods);
                    if !both.is_empty() {
                        mistakes.add(
                            &place,
                            format_args!("can never match {}: {other_place} does", both.list()),
                        );
                    }
                }
                entry.routes.push(Rc::new(route));
            }
            None => placed.push((
                place,
                Entry {
                    pattern,
                    routes: vec![Rc::new(route)],
                },
            )),
        }
    }
    placed.sort_by_cached_key(|(_, entry)| entry.pattern.rank());
    placed.into_iter().map(|(_, entry)| entry).collect()
}

fn parse_route(
    number: usize,
    table: &mut Table,
    limits: &mut LimitTable,
    answers: &Rc<AnswerRules>,
    mistakes: &mut Mistakes,
) -> Option<(String, Pattern, Route)> {
    let path = table.required_text("path", mistakes);
    if let Some(path) = &path {
        table.place = format!("{} ({path})", table.place);
    }
    let pattern = path.as_deref().and_then(|path| match Pattern::parse(path) {
        Ok(pattern) => Some(pattern),
        Err(what) => {
            mistakes.add(&table.place, what);
            None
        }
    });
    let methods = parse_methods(table, mistakes);
    let destination = parse_destination(table, mistakes);
    let requirement = parse_requirement(table, mistakes);
    let venue = parse_venue(table, requirement.as_ref(), pattern.as_ref(), mistakes);
    let step_up = parse_step_up(table, requirement.as_ref(), mistakes);
    let sensitive = table.flag("sensitive", mistakes);
    if sensitive && requirement == Some(Requirement::Public) {
        mistakes.add(&table.place, "is public, so sensitive does nothing");
    }
    let mode = Mode::read(table.text("mode", mistakes).as_deref(), &table.place, mistakes);
    let timeout_seconds = table
        .whole_number("timeout_seconds", 1..=LONGEST_TIMEOUT_SECONDS, mistakes)
        .map(|seconds| u32::try_from(seconds).unwrap_or(DEFAULT_TIMEOUT_SECONDS));
    let max_body_bytes = table.whole_number("max_body_bytes", 1..=u64::MAX, mistakes);
    if destination == Some(Destination::ForwardAuth)
        && (timeout_seconds.is_some() || max_body_bytes.is_some())
    {
        mistakes.add(
            &table.place,
            "is answered by the edge, so timeout_seconds and max_body_bytes do nothing",
        );
    }
    let limits = limits.of_route(table, requirement.as_ref(), destination.as_ref(), mistakes);
    let answers = AnswerRules::parse_for_route(table, answers, mistakes);
    table.refuse_the_rest(mistakes);
    let gate = Gate {
        requirement: requirement?,
        venue,
        step_up,
        sensitive,
        mode,
    };
    let route = Route {
        number,
        path: path?,
        methods: methods?,
        gate,
        destination: destination?,
        timeout_seconds: timeout_seconds.unwrap_or(DEFAULT_TIMEOUT_SECONDS),
        max_body_bytes,
        limits,
        answers,
    };
    Some((table.place.clone(), pattern?, route))
}

fn parse_methods(table: &mut Table, mistakes: &mut Mistakes) -> Option<Methods> {
    let names = match table.take("methods") {
        None => return Some(Methods::ALL),
        Some(Value::Array(names)) if !names.is_empty() => names,
        Some(_) => {
            mistakes.add(
                &table.place,
                "has methods that are not an array with a name in it",
            );
            return None;
        }
    };
    let mut methods = Methods::default();
    for name in &names {
        let Some(method) = name.as_str().and_then(Methods::of) else {
            mistakes.add(
                &table.place,
                format_args!("has the method {name}, which the edge does not know"),
            );
            return None;
        };
        if !methods.common(method).is_empty() {
            mistakes.add(&table.place, format_args!("lists {name} twice"));
        }
        methods = methods.with(method);
    }
    // Where a resource may be read, its headers may be (RFC 9110 §9.3.2).
    let (get, head) = (Methods::of("GET")?, Methods::of("HEAD")?);
    Some(if methods.common(get).is_empty() {
        methods
    } else {
        methods.with(head)
    })
}

fn parse_destination(table: &mut Table, mistakes: &mut Mistakes) -> Option<Destination> {
    match (
        table.text("upstream", mistakes),
        table.flag("forward_auth", mistakes),
    ) {
        (Some(name), false) if is_upstream_name(&name) => Some(Destination::Upstream(name)),
        (Some(name), false) => {
            mistakes.add(
                &table.place,
                format_args!("names the upstream {name:?}: not lower-case letters, digits and _"),
            );
            None
        }
        (None, true) => Some(Destination::ForwardAuth),
        (Some(_), true) => {
            mistakes.add(&table.place, "has both upstream and forward_auth");
            None
        }
        (None, false) => {
            mistakes.add(&table.place, "has neither upstream nor forward_auth = true");
            None
        }
    }
}

fn is_upstream_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}
