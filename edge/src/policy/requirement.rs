//! Who may pass a route: what the table says about it, and how it is written there.

use std::fmt;

use super::keys::Table;
use super::pattern::Pattern;
use super::{Acr, Mistakes, StepUp};

const LONGEST_MAX_AGE_SECONDS: u64 = 31_536_000;

/// What a request must prove to pass a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Nothing. A token that is presented all the same must be good, and then attaches an identity.
    Public,
    /// Any valid access token.
    Authenticated,
    /// One of these, of which there is at least one.
    Any(Vec<Demand>),
    /// Each of these, of which there is at least one.
    All(Vec<Demand>),
}

/// One thing that a token can prove of its holder: globally, or with a venue by the roles held there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// The permission: among the token's own, or among those of a role at the venue.
    Permission(String),
    /// The role: the token's global one, or one held at the venue.
    Role(String),
}

impl Requirement {
    /// What is demanded of a token's holder; nothing where any holder passes.
    #[must_use]
    pub fn demands(&self) -> &[Demand] {
        match self {
            Self::Public | Self::Authenticated => &[],
            Self::Any(demands) | Self::All(demands) => demands,
        }
    }
}

/// As a policy's reader would say it: `public`, `authenticated`, `permission a and role b`.
impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (demands, link) = match self {
            Self::Public => return f.write_str("public"),
            Self::Authenticated => return f.write_str("authenticated"),
            Self::Any(demands) => (demands, " or "),
            Self::All(demands) => (demands, " and "),
        };
        for (at, demand) in demands.iter().enumerate() {
            if at > 0 {
                f.write_str(link)?;
            }
            demand.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permission(name) => write!(f, "permission {name}"),
            Self::Role(name) => write!(f, "role {name}"),
        }
    }
}

pub(super) fn parse_requirement(table: &mut Table, mistakes: &mut Mistakes) -> Option<Requirement> {
    let mut stated = Vec::new();
    if table.flag("public", mistakes) {
        stated.push(Requirement::Public);
    }
    if table.flag("authenticated", mistakes) {
        stated.push(Requirement::Authenticated);
    }
    let has_require = table.keys.contains_key("require");
    if let Some(mut require) = table.table("require", mistakes) {
        stated.extend(parse_require(&mut require, mistakes));
    }
    match stated.len() {
        0 if has_require => {}
        0 => mistakes.add(
            &table.place,
            "states no requirement: public = true, authenticated = true or require",
        ),
        1 => {}
        _ => mistakes.add(
            &table.place,
            "states more than one of public, authenticated and require",
        ),
    }
    if stated.len() == 1 { stated.pop() } else { None }
}

/// `{permission = …}`, `{role = …}`, `{any = […]}` or `{all = […]}`.
fn parse_require(require: &mut Table, mistakes: &mut Mistakes) -> Option<Requirement> {
    let count = require.keys.len();
    let any = parse_demands(require, "any", mistakes).map(Requirement::Any);
    let all = parse_demands(require, "all", mistakes).map(Requirement::All);
    let single = take_demand(require, mistakes).map(|demand| Requirement::All(vec![demand]));
    let stated = count - require.keys.len();
    require.refuse_the_rest(mistakes);
    if stated == 1 {
        return any.or(all).or(single);
    }
    mistakes.add(
        &require.place,
        "does not have exactly one of permission, role, any and all",
    );
    None
}

fn parse_demands(require: &mut Table, key: &'static str, mistakes: &mut Mistakes) -> Option<Vec<Demand>> {
    let mut demands = Vec::new();
    for mut table in require.tables(key, mistakes)? {
        let count = table.keys.len();
        let demand = take_demand(&mut table, mistakes);
        let stated = count - table.keys.len();
        table.refuse_the_rest(mistakes);
        if stated != 1 {
            mistakes.add(&table.place, "does not have exactly one of permission and role");
        }
        match demand {
            Some(demand) if demands.contains(&demand) => {
                mistakes.add(&table.place, format_args!("demands the {demand} once more"));
            }
            demand => demands.extend(demand),
        }
    }
    (!demands.is_empty()).then_some(demands)
}

fn take_demand(table: &mut Table, mistakes: &mut Mistakes) -> Option<Demand> {
    let permission = take_name(table, "permission", mistakes).map(Demand::Permission);
    let role = take_name(table, "role", mistakes).map(Demand::Role);
    permission.or(role)
}

fn take_name(table: &mut Table, key: &'static str, mistakes: &mut Mistakes) -> Option<String> {
    let name = table.text(key, mistakes)?;
    if is_name(&name) {
        return Some(name);
    }
    mistakes.add(
        &table.place,
        format_args!("names the {key} {name:?}: not letters, digits and : . _ -"),
    );
    None
}

/// What a permission or a role may be called. `*` is not for the table: whoever holds it has every permission, and
/// `tickets:*` would look like a pattern, which there are none of.
fn is_name(name: &str) -> bool {
    name.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'.' | b'_' | b'-'))
}

pub(super) fn parse_venue(
    table: &mut Table,
    requirement: Option<&Requirement>,
    pattern: Option<&Pattern>,
    mistakes: &mut Mistakes,
) -> Option<usize> {
    let name = table.text("venue", mistakes)?;
    if matches!(
        requirement,
        Some(Requirement::Public | Requirement::Authenticated)
    ) {
        mistakes.add(&table.place, "has a venue but no require that is looked up there");
    }
    let segment = pattern?.parameter(&name);
    if segment.is_none() {
        mistakes.add(
            &table.place,
            format_args!("has the venue {name:?}, which is no parameter of its path"),
        );
    }
    segment
}

pub(super) fn parse_step_up(
    table: &mut Table,
    requirement: Option<&Requirement>,
    mistakes: &mut Mistakes,
) -> Option<StepUp> {
    let mut step_up = table.table("step_up", mistakes)?;
    if requirement == Some(&Requirement::Public) {
        mistakes.add(&table.place, "is public, so step_up does nothing");
    }
    let max_age = step_up
        .whole_number("max_age", 1..=LONGEST_MAX_AGE_SECONDS, mistakes)
        .and_then(|seconds| i64::try_from(seconds).ok());
    let has_acr = step_up.keys.contains_key("acr");
    let acr = step_up.text("acr", mistakes).and_then(|value| Acr::of(&value));
    if has_acr && acr.is_none() {
        mistakes.add(&step_up.place, "has an acr that is neither aal1 nor aal2");
    }
    step_up.refuse_the_rest(mistakes);
    if max_age.is_none() && acr.is_none() {
        mistakes.add(&step_up.place, "has neither max_age nor acr");
    }
    Some(StepUp { max_age, acr })
}
