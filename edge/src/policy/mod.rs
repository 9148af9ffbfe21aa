//! The edge's route table: which requests are known, and what each must prove.
//!
//! Invariants:
//! - Deny by default. A request that no route names is a 404, and a route that does not say what it requires is
//!   a mistake, not an open door.
//! - The narrowest path decides alone: a method it does not list is a 405, never a fall-back to a wider route.
//! - Every route can be reached: one that narrower ones leave nothing for is a mistake.
//! - A table with a mistake is no table. All mistakes are reported together.

mod answers;
mod keys;
mod limits;
mod mode;
mod parse;
mod pattern;
mod reach;
mod requirement;
mod table;
#[cfg(test)]
mod tests;

pub use limits::{Counted, EXACT_LIMITS, Keeper, Limit, MOST_LIMITS, RouteLimits};
pub use mode::Mode;
pub use parse::Mistakes;
pub(crate) use reach::EDGES_OWN_PATHS;
pub use reach::UnlikeItsFolder;
pub use requirement::{Demand, Requirement};

use std::rc::Rc;

use crate::answer_rules::AnswerRules;
use pattern::Pattern;

/// The methods the edge knows; anything else is a 405 wherever the path is known.
pub const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// A set of [`METHODS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Methods(u8);

impl Methods {
    const ALL: Self = Self((1 << METHODS.len()) - 1);

    /// The set that holds just `name`; `None` for a method the edge does not know (methods are case-sensitive).
    pub(crate) fn of(name: &str) -> Option<Self> {
        METHODS
            .iter()
            .position(|method| *method == name)
            .map(|at| Self(1 << at))
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names, as an `Allow` header lists them (RFC 9110 §10.2.1).
    #[must_use]
    pub fn list(self) -> String {
        let names: Vec<&str> = METHODS
            .iter()
            .enumerate()
            .filter(|(at, _)| self.0 & (1 << at) != 0)
            .map(|(_, name)| *name)
            .collect();
        names.join(", ")
    }
}

/// How recently and how strongly the user must have proved who they are (RFC 9470). At least one is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepUp {
    /// The greatest age of `auth_time`, in seconds.
    pub max_age: Option<i64>,
    /// The least authentication context.
    pub acr: Option<Acr>,
}

/// Authentication context classes, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acr {
    /// One factor.
    Aal1,
    /// Two factors.
    Aal2,
}

impl Acr {
    /// Reads the claim's or the policy's value.
    #[must_use]
    pub fn of(value: &str) -> Option<Self> {
        match value {
            "aal1" => Some(Self::Aal1),
            "aal2" => Some(Self::Aal2),
            _ => None,
        }
    }

    /// The value as the claim and the challenge spell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Aal1 => "aal1",
            Self::Aal2 => "aal2",
        }
    }
}

/// Everything a route demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// What must be proved.
    pub requirement: Requirement,
    /// The path segment (counted from 0) that names the venue at which the requirement is looked up.
    pub venue: Option<usize>,
    /// A fresh or stronger authentication on top.
    pub step_up: Option<StepUp>,
    /// Nothing passes while it is not known what was revoked lately.
    pub sensitive: bool,
    /// Whether all of this is enforced.
    pub mode: Mode,
}

/// What happens to a request that passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// It is forwarded to the upstream of this name.
    Upstream(String),
    /// The edge itself answers 204 with the identity headers, for a proxy that asks before it forwards.
    ForwardAuth,
}

/// One route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its place in the table, counted from 1.
    pub number: usize,
    /// The path pattern as the table spells it; the name of the route in logs.
    pub path: String,
    /// The methods that it takes.
    pub methods: Methods,
    /// What it demands.
    pub gate: Gate,
    /// Where it leads.
    pub destination: Destination,
    /// How long the upstream may take until its response headers, in seconds (1 to 600).
    pub timeout_seconds: u32,
    /// The longest body that passes, in bytes. A body whose length is not declared does not pass: it could only be
    /// counted on its way, when the upstream has begun to act on it.
    pub max_body_bytes: Option<u64>,
    /// What it counts.
    pub limits: RouteLimits,
    /// What it adds to its answers.
    pub answers: Rc<AnswerRules>,
}

impl Route {
    /// The methods that it is for.
    #[must_use]
    pub const fn methods(&self) -> Methods {
        self.methods
    }

    /// Whether a browser's session is refreshed on the way. A public route needs no identity, and on one that exempts clients
    /// from being counted an invented refresh token would cost the origin a question each time.
    #[must_use]
    pub fn refreshes_sessions(&self) -> bool {
        self.gate.requirement != Requirement::Public || !self.limits.exempts_clients()
    }
}

/// What the table says about a method and a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<'p> {
    /// This route decides.
    Route(&'p Rc<Route>),
    /// The path is known, with these methods only.
    OtherMethods(Methods),
    /// No route names the path.
    Nothing,
    /// An upstream that decodes, folds case or drops `;` parameters would read the path as that of another
    /// route, which demands something else.
    TwoReadings,
}

/// A table without mistakes.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The `iss` every token must have.
    pub issuer: String,
    /// The `aud` every token must have, or contain.
    pub audience: String,
    /// Whether responses tell how long edge and upstream took (`Server-Timing`).
    pub server_timing: bool,
    limits: Vec<Rc<Limit>>,
    /// What is added to answers that no route made.
    pub answers: Rc<AnswerRules>,
    /// One entry for each set of paths, narrower before wider.
    entries: Vec<Entry>,
}

/// The routes that share their paths and divide the methods.
#[derive(Clone, Debug)]
struct Entry {
    pattern: Pattern,
    routes: Vec<Rc<Route>>,
}
