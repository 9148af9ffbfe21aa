//! The decision: what the edge concludes about one request.
//!
//! Invariants:
//! - [`decide`] is pure: the request, the policy, what is known about the token and the time go in, a decision
//!   comes out. The Worker and the tests run the same function.
//! - Nothing is forwarded that was not matched by a route and did not meet its gate; a token is never believed
//!   because of an earlier request alone, its times and the gate are looked at each time.
//! - A refusal tells the client no more than RFC 6750 §3.1 asks for; the reason is for the log.

use std::borrow::Borrow;
use std::fmt::Write as _;
use std::rc::Rc;

use portcullis_shared::claims::{AccessClaims, Expectations};
use portcullis_shared::error::TokenError;
use portcullis_shared::problem::ProblemCode;
use portcullis_shared::roles::{grants, permissions_of};

use crate::credential::Credential;
use crate::path::Target;
use crate::policy::{Acr, Found, Gate, Policy, Requirement, Route, StepUp};
use crate::revocations::{FAILURE_PAUSE_SECONDS, Outlook, Revocations, Standing};

#[cfg(test)]
mod tests;

/// What [`decide`] may ask of a request. A header is looked up only where it matters.
pub trait RequestView {
    /// The method as it came.
    fn method(&self) -> &str;
    /// The absolute URL as it came.
    fn url(&self) -> &str;
    /// The value of `Authorization`, repeated headers joined with `, `.
    fn authorization(&self) -> Option<&str>;
    /// The value of `Content-Length`.
    fn content_length(&self) -> Option<String>;
}

/// What is known about a token whose signature somebody else verifies.
#[derive(Clone, Debug)]
pub enum TokenVerdict<I> {
    /// Nothing yet: verify it and ask again.
    Unknown,
    /// It was verified, now or earlier.
    Verified(I),
    /// It was refused.
    Refused(TokenError),
    /// It could not be verified because no keys can be had; try again after this many seconds.
    NoKeys {
        /// Seconds until another attempt makes sense.
        retry_after: u32,
    },
}

/// What to do with a request.
#[derive(Debug)]
pub enum Decision<'r, I> {
    /// Answer this; nothing goes on.
    Refuse(Refusal),
    /// The answer depends on this token: verify it, then decide again.
    Verify(&'r str),
    /// The answer depends on revocations that are not known: fetch them, report what came of it, then decide again.
    Renew,
    /// Let it pass.
    Pass(Pass<'r, I>),
}

/// A request that may pass, and what goes with it.
#[derive(Debug)]
pub struct Pass<'r, I> {
    /// The route that let it pass.
    pub route: Rc<Route>,
    /// Method, path and query to forward are those of the view and of this target.
    pub target: Target<'r>,
    /// Who is calling, where a token was presented.
    pub identity: Option<I>,
    /// How old, in seconds, the knowledge of revocations is on which it passes; where that is more than it should be.
    pub stale: Option<i64>,
}

/// An answer of the edge's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Status, title and `code` of the problem.
    pub code: ProblemCode,
    /// `WWW-Authenticate`.
    pub challenge: Option<String>,
    /// `Allow`.
    pub allow: Option<String>,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
    /// The path of the route that decided, where one did.
    pub route: Option<Rc<Route>>,
    /// Why, for the log; holds nothing that came with the request.
    pub reason: String,
}

impl Refusal {
    /// A refusal with no headers of its own.
    pub fn new(code: ProblemCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            challenge: None,
            allow: None,
            retry_after: None,
            route: None,
            reason: reason.into(),
        }
    }

    fn no_token() -> Self {
        let challenge = Some("Bearer".to_owned());
        Self {
            challenge,
            ..Self::new(ProblemCode::InvalidToken, "no token was presented")
        }
    }

    fn bad_token(error: TokenError) -> Self {
        let challenge = if error.is_expired() {
            r#"Bearer error="invalid_token", error_description="expired""#
        } else {
            r#"Bearer error="invalid_token""#
        };
        Self {
            challenge: Some(challenge.to_owned()),
            ..Self::new(ProblemCode::InvalidToken, error.to_string())
        }
    }

    fn ended_session() -> Self {
        let challenge = Some(r#"Bearer error="invalid_token""#.to_owned());
        Self {
            challenge,
            ..Self::new(ProblemCode::InvalidToken, "the session has ended")
        }
    }

    /// To the client it is as good as expired: it has to refresh.
    fn outdated_token() -> Self {
        Self {
            reason: "the account has changed since the token was made".to_owned(),
            ..Self::bad_token(TokenError::expired())
        }
    }

    fn unavailable(reason: &'static str, retry_after: u32) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(ProblemCode::Unavailable, reason)
        }
    }

    fn malformed_token() -> Self {
        let challenge = Some(r#"Bearer error="invalid_token""#.to_owned());
        Self {
            challenge,
            ..Self::new(ProblemCode::InvalidToken, "the bearer credential is no token")
        }
    }

    fn forbidden(reason: &'static str) -> Self {
        let challenge = Some(r#"Bearer error="insufficient_scope""#.to_owned());
        Self {
            challenge,
            ..Self::new(ProblemCode::Forbidden, reason)
        }
    }

    fn step_up(wanted: &StepUp, reason: &'static str) -> Self {
        let mut challenge = r#"Bearer error="insufficient_user_authentication""#.to_owned();
        if let Some(acr) = wanted.acr {
            challenge.push_str(", acr_values=\"");
            challenge.push_str(acr.as_str());
            challenge.push('"');
        }
        if let Some(max_age) = wanted.max_age {
            // Writing to a String does not fail.
            let _ = write!(challenge, ", max_age={max_age}");
        }
        Self {
            challenge: Some(challenge),
            ..Self::new(ProblemCode::StepUpRequired, reason)
        }
    }

    fn at(self, route: &Rc<Route>) -> Self {
        Self {
            route: Some(Rc::clone(route)),
            ..self
        }
    }
}

/// Decides on one request. `known` says what is known about the token it presents; it is asked at most once.
/// `now` is in seconds since the epoch.
///
/// What is known about revocations must be of use before a token is looked at: it may say that the keys are not.
pub fn decide<'r, I: Borrow<AccessClaims>>(
    view: &'r impl RequestView,
    policy: &Policy,
    revocations: &Revocations,
    known: impl FnOnce(&str) -> TokenVerdict<I>,
    now: i64,
) -> Decision<'r, I> {
    let target = match Target::of_url(view.url()) {
        Ok(target) => target,
        Err(error) => return Decision::Refuse(Refusal::new(ProblemCode::MalformedPath, error.to_string())),
    };
    let credential = Credential::of(view.authorization());
    if credential == Credential::Ambiguous {
        let reason = "more than one Authorization";
        return Decision::Refuse(Refusal::new(ProblemCode::AmbiguousCredentials, reason));
    }
    let route = match find(policy, view.method(), &target) {
        Ok(route) => route,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    let refuse = |refusal: Refusal| Decision::Refuse(refusal.at(route));
    let outlook = revocations.outlook(now);
    let identity = match credential {
        Credential::Bearer(_) if outlook == Outlook::Due => return Decision::Renew,
        Credential::Bearer(token) => match known(token) {
            TokenVerdict::Verified(identity) => Some(identity),
            TokenVerdict::Unknown => return Decision::Verify(token),
            TokenVerdict::Refused(error) => return refuse(Refusal::bad_token(error)),
            TokenVerdict::NoKeys { retry_after } => {
                return refuse(Refusal::unavailable(
                    "no keys to verify the token with",
                    retry_after,
                ));
            }
        },
        Credential::Malformed => return refuse(Refusal::malformed_token()),
        Credential::None | Credential::Ambiguous => None,
    };
    let claims = identity.as_ref().map(Borrow::borrow);
    let stale = match claims.map(|claims| stand(revocations, outlook, &route.gate, claims, now)) {
        None => None,
        Some(Ok(stale)) => stale,
        Some(Err(refusal)) => return refuse(refusal),
    };
    if let Err(refusal) = pass_gate(&route.gate, claims, &target, now) {
        return refuse(refusal);
    }
    if let Some(most) = route.max_body_bytes
        && view
            .content_length()
            .is_some_and(|length| length.parse::<u64>().is_ok_and(|length| length > most))
    {
        return refuse(Refusal::new(
            ProblemCode::PayloadTooLarge,
            "the declared length is over the route's limit",
        ));
    }
    Decision::Pass(Pass {
        route: Rc::clone(route),
        target,
        identity,
        stale,
    })
}

fn find<'p>(policy: &'p Policy, method: &str, target: &Target<'_>) -> Result<&'p Rc<Route>, Refusal> {
    match policy.find(method, target) {
        Found::Route(route) => Ok(route),
        Found::OtherMethods(methods) => {
            let refusal = Refusal::new(
                ProblemCode::MethodNotAllowed,
                "no route of the path has the method",
            );
            Err(Refusal {
                allow: Some(methods.list()),
                ..refusal
            })
        }
        Found::Nothing => Err(Refusal::new(ProblemCode::NotFound, "no route has the path")),
        Found::TwoReadings => {
            let reason = "a lenient upstream would read it as the path of another route";
            Err(Refusal::new(ProblemCode::MalformedPath, reason))
        }
    }
}

/// Looks at what may have changed since a token was verified. The result is how old the knowledge is that it stands
/// on, where that is more than it should be.
fn stand(
    revocations: &Revocations,
    outlook: Outlook,
    gate: &Gate,
    claims: &AccessClaims,
    now: i64,
) -> Result<Option<i64>, Refusal> {
    claims
        .recheck_time(Expectations::DEFAULT_LEEWAY_SECONDS, now)
        .map_err(Refusal::bad_token)?;
    match revocations.standing(claims) {
        Standing::Good => {}
        Standing::Ended => return Err(Refusal::ended_session()),
        Standing::Outdated => return Err(Refusal::outdated_token()),
    }
    match outlook {
        Outlook::Fresh | Outlook::Ageing => Ok(None),
        Outlook::Stale(Some(age)) if !gate.sensitive && age <= revocations.longest_stale_age() => {
            Ok(Some(age))
        }
        Outlook::Stale(_) | Outlook::Due => Err(Refusal::unavailable(
            "what was revoked lately is not known",
            FAILURE_PAUSE_SECONDS,
        )),
    }
}

fn pass_gate(
    gate: &Gate,
    claims: Option<&AccessClaims>,
    target: &Target<'_>,
    now: i64,
) -> Result<(), Refusal> {
    let Some(claims) = claims else {
        return if gate.requirement == Requirement::Public {
            Ok(())
        } else {
            Err(Refusal::no_token())
        };
    };
    meet(gate, claims, target)?;
    gate.step_up
        .as_ref()
        .map_or(Ok(()), |wanted| step_up(wanted, claims, now))
}

fn meet(gate: &Gate, claims: &AccessClaims, target: &Target<'_>) -> Result<(), Refusal> {
    let roles_there = || {
        let venue = target.path().split('/').nth(gate.venue?.saturating_add(1))?;
        claims.venues.get(venue)
    };
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
                roles_there().is_some_and(|roles| roles.iter().any(granted)),
                "the permission is missing at the venue",
            )
        }
        (Requirement::Role(wanted), None) => (claims.role.as_ref() == Some(wanted), "the role is missing"),
        (Requirement::Role(wanted), Some(_)) => (
            roles_there().is_some_and(|roles| roles.contains(wanted)),
            "the role is missing at the venue",
        ),
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
