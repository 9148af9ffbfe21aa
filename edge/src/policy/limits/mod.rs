//! The limits that a table names, and which of them a route is under.
//!
//! Invariants: a limit has one keeper; a route counts a request once for each of its limits; a limit that nobody is
//! under, or that could not hold whom it is meant for, is a mistake.

mod bindings;
#[cfg(test)]
mod tests;

use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::rc::Rc;

use portcullis_shared::gcra::Quota;
use serde_json::Value;

use super::keys::Table;
use super::{Destination, Mistakes, Requirement};

/// The Durable Object namespace that keeps the exact limits.
pub const EXACT_LIMITS: &str = "EXACT_LIMITS";
/// The class of its objects.
const EXACT_LIMIT_CLASS: &str = "ExactLimit";
/// The most limits of one route.
pub const MOST_LIMITS: usize = 4;

const LONGEST_NAME: usize = 32;
/// The periods, in seconds, that a rate-limit binding can have.
const BINDING_PERIODS: [u32; 2] = [10, 60];
const LONGEST_WINDOW_SECONDS: u64 = 86_400;

/// A limit, as `[[vars.POLICY.limits]]` names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its place in the table, counted from 1.
    pub number: usize,
    /// Its name: lower-case letters, digits and hyphens.
    pub name: String,
    /// Who is counted.
    pub by: Counted,
    /// How much is allowed.
    pub quota: Quota,
    /// Who counts.
    pub keeper: Keeper,
}

impl Limit {
    /// How a mistake names it.
    fn place(&self) -> String {
        format!("limit {} ({})", self.number, self.name)
    }

    /// The limit as an item of `RateLimit-Policy`.
    fn policy_item(&self) -> String {
        let Quota {
            limit,
            window_seconds,
        } = self.quota;
        format!("\"{}\";q={limit};w={window_seconds}", self.name)
    }
}

/// Whose requests are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Those of one address, before anything is known about a credential.
    Client,
    /// Those of one account, once its token has proved good.
    Subject,
    /// Those of one tenant, likewise.
    Tenant,
}

impl Counted {
    fn of(name: &str) -> Option<Self> {
        match name {
            "client" => Some(Self::Client),
            "subject" => Some(Self::Subject),
            "tenant" => Some(Self::Tenant),
            _ => None,
        }
    }
}

/// Who keeps the count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeper {
    /// The platform's rate-limit binding of this name: cheap, and counted for each location by itself.
    Binding(String),
    /// A Durable Object of [`EXACT_LIMITS`]: to the request, wherever it comes in.
    Exact,
}

impl Keeper {
    /// Whether a request passes that it could not count. An exact limit stands before what must not be tried at will.
    #[must_use]
    pub const fn fails_open(&self) -> bool {
        match self {
            Self::Binding(_) => true,
            Self::Exact => false,
        }
    }
}

/// The limits of one route, in the order in which they count: by client, subject and tenant, the cheap before the exact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteLimits {
    limits: Vec<Rc<Limit>>,
    announcement: String,
    /// Whether the route itself says that clients are not counted.
    exempts_clients: bool,
}

impl RouteLimits {
    fn of(named: &[Rc<Limit>], is_stated: bool) -> Self {
        // A sort would be the largest function of this file.
        let of_turn = |by: Counted, is_exact: bool| {
            let is_next =
                move |limit: &&Rc<Limit>| limit.by == by && (limit.keeper == Keeper::Exact) == is_exact;
            named.iter().filter(is_next).cloned()
        };
        let limits: Vec<Rc<Limit>> = [Counted::Client, Counted::Subject, Counted::Tenant]
            .into_iter()
            .flat_map(|by| of_turn(by, false).chain(of_turn(by, true)))
            .collect();
        let items: Vec<String> = limits.iter().map(|limit| limit.policy_item()).collect();
        Self {
            exempts_clients: is_stated && !counts_clients(&limits),
            limits,
            announcement: items.join(", "),
        }
    }

    /// The limits.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<Limit>> {
        self.limits.iter()
    }

    /// Whether the route itself says that clients are not counted, by a `limit` that names none by client.
    #[must_use]
    pub const fn exempts_clients(&self) -> bool {
        self.exempts_clients
    }

    /// The value of `RateLimit-Policy`; `None` for a route without limits.
    #[must_use]
    pub fn announcement(&self) -> Option<&str> {
        (!self.announcement.is_empty()).then_some(&*self.announcement)
    }
}

/// What the table says about limits, while its routes are read.
pub(super) struct LimitTable {
    limits: Vec<Rc<Limit>>,
    /// Those of routes that do not say.
    defaults: Vec<Rc<Limit>>,
    /// The numbers of those that a route is under.
    used: Vec<usize>,
}

impl LimitTable {
    /// Takes `limits` and `default_limits` out of the policy's table.
    pub(super) fn take(table: &mut Table, mistakes: &mut Mistakes) -> Self {
        let mut limits: Vec<Rc<Limit>> = Vec::new();
        let tables = table.tables("limits", mistakes).unwrap_or_default();
        for (at, mut limit_table) in tables.into_iter().enumerate() {
            let number = at + 1;
            limit_table.place = format!("limit {number}");
            let Some(limit) = parse_limit(number, &mut limit_table, mistakes) else {
                continue;
            };
            if limits.iter().any(|other| other.name == limit.name) {
                mistakes.add(&limit_table.place, "has the name of another limit");
            }
            limits.push(Rc::new(limit));
        }
        let mut known = Self {
            limits,
            defaults: Vec::new(),
            used: Vec::new(),
        };
        known.defaults = known.named(table, "default_limits", mistakes).unwrap_or_default();
        known
    }

    /// Takes `limit` out of a route's table.
    pub(super) fn of_route(
        &mut self,
        table: &mut Table,
        requirement: Option<&Requirement>,
        destination: Option<&Destination>,
        mistakes: &mut Mistakes,
    ) -> RouteLimits {
        let stated = self.named(table, "limit", mistakes);
        let is_stated = stated.is_some();
        let limits = match stated {
            Some(limits) => {
                if requirement == Some(&Requirement::Public) && !limits.is_empty() && !counts_clients(&limits)
                {
                    mistakes.add(
                        &table.place,
                        "is public, so limits by subject or tenant alone hold nobody who leaves the token out",
                    );
                }
                limits
            }
            None => self.defaults.clone(),
        };
        if destination == Some(&Destination::ForwardAuth) && counts_clients(&limits) {
            mistakes.add(
                &table.place,
                "is asked by a proxy, which a limit by client would count for all behind it; name others, or limit = []",
            );
        }
        self.used.extend(limits.iter().map(|limit| limit.number));
        RouteLimits::of(&limits, is_stated)
    }

    /// Takes the name of a limit, or an array of names, out of `table`; `None` where it says nothing.
    fn named(&self, table: &mut Table, key: &'static str, mistakes: &mut Mistakes) -> Option<Vec<Rc<Limit>>> {
        let names = match table.take(key)? {
            Value::Array(names) => names,
            name => vec![name],
        };
        if names.len() > MOST_LIMITS {
            mistakes.add(&table.place, format_args!("has more than {MOST_LIMITS} in {key}"));
        }
        let mut meant: Vec<Rc<Limit>> = Vec::new();
        for name in &names {
            let known = self.limits.iter().find(|limit| *name == limit.name);
            match known {
                Some(limit) if meant.contains(limit) => {
                    mistakes.add(&table.place, format_args!("names the limit {name} twice"));
                }
                Some(limit) => meant.push(Rc::clone(limit)),
                None => mistakes.add(
                    &table.place,
                    format_args!("names the limit {name}, which the policy does not have"),
                ),
            }
        }
        Some(meant)
    }

    /// All limits, once the routes are read; reports those that no route is under.
    pub(super) fn finish(self, mistakes: &mut Mistakes) -> Vec<Rc<Limit>> {
        for limit in &self.limits {
            if !self.used.contains(&limit.number) {
                mistakes.add(&limit.place(), "is the limit of no route");
            }
        }
        self.limits
    }
}

fn counts_clients(limits: &[Rc<Limit>]) -> bool {
    limits.iter().any(|limit| limit.by == Counted::Client)
}

fn parse_limit(number: usize, table: &mut Table, mistakes: &mut Mistakes) -> Option<Limit> {
    let name = table.required_text("name", mistakes);
    if let Some(name) = &name {
        table.place = format!("{} ({name})", table.place);
        if !is_limit_name(name) {
            mistakes.add(
                &table.place,
                format_args!(
                    "has a name that is not 1 to {LONGEST_NAME} lower-case letters, digits and hyphens"
                ),
            );
        }
    }
    let by = table.required_text("by", mistakes);
    let counted = by.as_deref().and_then(Counted::of);
    if by.is_some() && counted.is_none() {
        mistakes.add(&table.place, "is by none of client, subject and tenant");
    }
    let limit = table.required_number("limit", 1..=u64::from(u32::MAX), mistakes);
    let window = table.required_number("window_seconds", 1..=LONGEST_WINDOW_SECONDS, mistakes);
    let keeper = parse_keeper(table, mistakes);
    if let (Some(Keeper::Binding(_)), Some(window)) = (&keeper, window)
        && !BINDING_PERIODS.contains(&window.get())
    {
        mistakes.add(
            &table.place,
            "has a binding, whose window_seconds can be 10 or 60 only",
        );
    }
    table.refuse_the_rest(mistakes);
    Some(Limit {
        number,
        name: name?,
        by: counted?,
        quota: Quota {
            limit: limit?,
            window_seconds: window?,
        },
        keeper: keeper?,
    })
}

fn parse_keeper(table: &mut Table, mistakes: &mut Mistakes) -> Option<Keeper> {
    let has_binding = table.keys.contains_key("binding");
    match (table.text("binding", mistakes), table.flag("exact", mistakes)) {
        (Some(binding), false) => Some(Keeper::Binding(binding)),
        (None, true) if !has_binding => Some(Keeper::Exact),
        (None, false) if has_binding => None,
        (Some(_) | None, _) => {
            mistakes.add(
                &table.place,
                "does not have exactly one of binding and exact = true",
            );
            None
        }
    }
}

fn is_limit_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

impl Table {
    fn required_number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        mistakes: &mut Mistakes,
    ) -> Option<NonZeroU32> {
        if !self.keys.contains_key(key) {
            mistakes.add(&self.place, format_args!("has no {key}"));
        }
        let number = self.whole_number(key, range, mistakes)?;
        u32::try_from(number).ok().and_then(NonZeroU32::new)
    }
}
