//! What a route demands, held against what a token proves.

use portcullis_shared::claims::AccessClaims;
use portcullis_shared::roles::{grants, permissions_of};

use super::refusal::Refusal;
use crate::policy::{Acr, Gate, Requirement, StepUp};

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
    meet(gate, claims, there)?;
    gate.step_up
        .as_ref()
        .map_or(Ok(()), |wanted| step_up(wanted, claims, now))
}

fn meet(gate: &Gate, claims: &AccessClaims, there: &[String]) -> Result<(), Refusal> {
    let (met, reason) = match (&gate.requirement, gate.venue) {
        (Requirement::Public | Requirement::Authenticated, _) => return Ok(()),
        (Requirement::Permission(wanted), None) => (
            grants(claims.permissions.iter().map(String::as_str), wanted),
            "the permission is missing",
        ),
        (Requirement::Permission(wanted), Some(_)) => {
            let granted = |role: &String| {
                permissions_of(role).is_some_and(|permissions| grants(permissions.iter().copied(), wanted))
            };
            (
                there.iter().any(granted),
                "the permission is missing at the venue",
            )
        }
        (Requirement::Role(wanted), None) => (claims.role.as_ref() == Some(wanted), "the role is missing"),
        (Requirement::Role(wanted), Some(_)) => (there.contains(wanted), "the role is missing at the venue"),
    };
    if met {
        Ok(())
    } else {
        Err(Refusal::forbidden(reason))
    }
}

fn step_up(wanted: &StepUp, claims: &AccessClaims, now: i64) -> Result<(), Refusal> {
    if let Some(max_age) = wanted.max_age {
        let is_fresh = claims
            .auth_time
            .is_some_and(|at| now.saturating_sub(at) <= max_age);
        if !is_fresh {
            return Err(Refusal::step_up(wanted, "the authentication is too old"));
        }
    }
    if wanted.acr > claims.acr.as_deref().and_then(Acr::of) {
        return Err(Refusal::step_up(wanted, "the authentication is too weak"));
    }
    Ok(())
}
