//! What a route demands, held against what a token proves.

use std::fmt;

use portcullis_shared::claims::AccessClaims;
use portcullis_shared::roles::{grants, permissions_of};

use super::refusal::Refusal;
use crate::path::Target;
use crate::policy::{Acr, Demand, Gate, Requirement, StepUp};

/// Whether a request may pass: by nobody known where `claims` are absent. `there` are the roles that are held at the venue
/// of the gate, if it has one.
pub(super) fn pass(
    gate: &Gate,
    claims: Option<&AccessClaims>,
    there: &[String],
    now: i64,
) -> Result<(), Refusal> {
    let Some(claims) = claims else {
        return if gate.requirement == Requirement::Public {
            Ok(())
        } else {
            Err(Refusal::no_token())
        };
    };
    meet(&gate.requirement, &Held::of(gate, claims, there))?;
    gate.step_up
        .as_ref()
        .map_or(Ok(()), |wanted| step_up(wanted, claims, now))
}

/// What a gate asks of a token, and whether the token has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings<'g> {
    /// Whether the requirement as a whole is met.
    pub requirement: bool,
    /// Each demand of the requirement: globally, or at the venue that the path names.
    pub demands: Vec<(&'g Demand, bool)>,
    /// An authentication no older than this, in seconds.
    pub max_age: Option<(i64, bool)>,
    /// An authentication at least as strong.
    pub acr: Option<(Acr, bool)>,
}

/// All that a gate asks of a token, held against it by the rules of the decision: also what the decision has no need to
/// look at any more. For explanations.
#[must_use]
pub fn findings<'g>(gate: &'g Gate, claims: &AccessClaims, target: &Target<'_>, now: i64) -> Findings<'g> {
    let there = venue_of(gate, target).and_then(|venue| claims.venues.get(venue));
    let held = Held::of(gate, claims, there.map_or(&[], Vec::as_slice));
    let demands = gate.requirement.demands().iter();
    let step_up = gate.step_up.as_ref();
    let max_age = step_up.and_then(|wanted| wanted.max_age);
    let acr = step_up.and_then(|wanted| wanted.acr);
    Findings {
        requirement: meet(&gate.requirement, &held).is_ok(),
        demands: demands.map(|demand| (demand, held.meets(demand))).collect(),
        max_age: max_age.map(|max_age| (max_age, is_fresh(max_age, claims, now))),
        acr: acr.map(|acr| (acr, is_strong(acr, claims))),
    }
}

/// The segment of a path that names the venue of its route, where the route has one.
#[must_use]
pub fn venue_of<'t>(gate: &Gate, target: &'t Target<'_>) -> Option<&'t str> {
    target.path().split('/').nth(gate.venue?.saturating_add(1))
}

/// What a token says of its holder where a gate looks.
enum Held<'c> {
    /// By itself.
    Globally(&'c AccessClaims),
    /// At a venue: the roles held there.
    AtVenue(&'c [String]),
}

impl<'c> Held<'c> {
    const fn of(gate: &Gate, claims: &'c AccessClaims, there: &'c [String]) -> Self {
        if gate.venue.is_none() {
            Self::Globally(claims)
        } else {
            Self::AtVenue(there)
        }
    }

    fn meets(&self, demand: &Demand) -> bool {
        match (self, demand) {
            (Self::Globally(claims), Demand::Permission(wanted)) => {
                grants(claims.permissions.iter().map(String::as_str), wanted)
            }
            (Self::Globally(claims), Demand::Role(wanted)) => claims.role.as_ref() == Some(wanted),
            (Self::AtVenue(roles), Demand::Permission(wanted)) => roles.iter().any(|role| {
                permissions_of(role).is_some_and(|permissions| grants(permissions.iter().copied(), wanted))
            }),
            (Self::AtVenue(roles), Demand::Role(wanted)) => roles.contains(wanted),
        }
    }
}

/// Where it was looked, as the end of a sentence.
impl fmt::Display for Held<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Globally(_) => Ok(()),
            Self::AtVenue(_) => f.write_str(" at the venue"),
        }
    }
}

fn meet(requirement: &Requirement, held: &Held<'_>) -> Result<(), Refusal> {
    let lacked = match requirement {
        Requirement::Public | Requirement::Authenticated => return Ok(()),
        Requirement::Any(demands) if demands.iter().any(|demand| held.meets(demand)) => return Ok(()),
        Requirement::Any(_) => requirement,
        Requirement::All(demands) if demands.iter().all(|demand| held.meets(demand)) => return Ok(()),
        Requirement::All(demands) => {
            let lacked = demands.iter().filter(|demand| !held.meets(demand));
            &Requirement::All(lacked.cloned().collect())
        }
    };
    Err(Refusal::forbidden(format!("missing{held}: {lacked}")))
}

fn step_up(wanted: &StepUp, claims: &AccessClaims, now: i64) -> Result<(), Refusal> {
    if wanted
        .max_age
        .is_some_and(|max_age| !is_fresh(max_age, claims, now))
    {
        return Err(Refusal::step_up(wanted, "the authentication is too old"));
    }
    if wanted.acr.is_some_and(|acr| !is_strong(acr, claims)) {
        return Err(Refusal::step_up(wanted, "the authentication is too weak"));
    }
    Ok(())
}

fn is_fresh(max_age: i64, claims: &AccessClaims, now: i64) -> bool {
    claims
        .auth_time
        .is_some_and(|at| now.saturating_sub(at) <= max_age)
}

fn is_strong(wanted: Acr, claims: &AccessClaims) -> bool {
    claims.acr.as_deref().and_then(Acr::of) >= Some(wanted)
}
