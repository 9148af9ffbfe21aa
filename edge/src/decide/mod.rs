//! The decision: what the edge concludes about one request.
//!
//! Invariants:
//! - [`decide`] is pure: the request, the policy, what is known about tokens and revocations and the time go in, a
//!   decision comes out. The Worker and the tests run the same function.
//! - Nothing is forwarded that was not matched by a route and did not meet its gate, unless that route is in shadow; a token is never believed
//!   because of an earlier request alone, its times, its session and the gate are looked at each time.
//! - A request whose bearer a browser vouches for by cookies is believed to be theirs only if it changes nothing, or
//!   was made by our own pages.
//! - A preflight is answered before any credential is looked at; browsers send none with it.
//! - A request counts for the limits by client before its credential is looked at, and for those by subject and tenant
//!   before it is held against its gate: what is guessed or probed counts as well.
//! - A refusal tells the client no more than RFC 6750 §3.1 asks for; the reason is for the log.

mod body;
mod caller;
mod gate;
mod limits;
mod preflight;
mod refusal;
mod shadow;
#[cfg(test)]
mod tests;
mod venue;

use std::borrow::Borrow;
use std::rc::Rc;

use portcullis_shared::claims::AccessClaims;
use portcullis_shared::csrf::CsrfKey;
use portcullis_shared::error::TokenError;
use portcullis_shared::problem::ProblemCode;

use crate::browser::{CookieFate, Renewal};
use crate::credential::Credential;
use crate::deny_cache::DenyCache;
use crate::path::Target;
use crate::policy::{EDGES_OWN_PATHS, Found, Policy, Route};
use crate::revocations::Revocations;
use crate::tally::{self, Tally};
use crate::venue_roles::{Question, VenueRoles};
use caller::{Caller, Obstacle};
pub use gate::{Findings, findings, venue_of};
pub use preflight::Preflight;
pub use refusal::Refusal;
use shadow::Shadow;
pub use venue::RolesAtVenue;
use venue::{Lack, There};

/// What [`decide`] may ask of a request. A header is looked up only where it matters.
pub trait RequestView {
    /// The method as it came.
    fn method(&self) -> &str;
    /// The absolute URL as it came.
    fn url(&self) -> &str;
    /// The value of `Authorization`, repeated headers joined with `, `.
    fn authorization(&self) -> Option<&str>;
    /// The value of `Cookie`, repeated headers joined with `, `.
    fn cookie(&self) -> Option<&str>;
    /// The value of any other header, named in lower case.
    fn header(&self, name: &str) -> Option<String>;
    /// What came of refreshing its session on the way.
    fn renewal(&self) -> &Renewal;
    /// What the limits of its route have said so far.
    fn tally(&self) -> &Tally;
}

/// What the edge goes by, beside the request and its token.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'k> {
    /// The route table.
    pub policy: &'k Policy,
    /// What was revoked lately.
    pub revocations: &'k Revocations,
    /// What the origin has said lately about venues that tokens do not name.
    pub venue_roles: &'k VenueRoles,
    /// The keys that CSRF tokens may have been made under.
    pub csrf_keys: &'k [CsrfKey],
    /// Who was found to be over a limit lately.
    pub denials: &'k DenyCache,
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
    /// The answer depends on whether a limit has a place left: ask its keeper, note what it says, then decide again.
    Count(tally::Question),
    /// Tell a browser what the request to come may be; nothing goes on.
    Preflight(Preflight),
    /// The answer depends on this token: verify it, then decide again.
    Verify(&'r str),
    /// The answer depends on revocations that are not known: fetch them, report what came of it, then decide again.
    FetchRevocations,
    /// The answer depends on the session of this refresh token: refresh it, then decide again.
    Refresh(&'r str),
    /// The answer depends on roles at a venue that the token does not name: ask for them, report what came of it, then
    /// decide again.
    AskVenueRoles(Question),
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
    /// Who is calling, where a good token was presented.
    pub identity: Option<I>,
    /// What the caller holds at the venue of the route, where the token does not say it.
    pub venue_roles: Option<RolesAtVenue>,
    /// How old, in seconds, the knowledge of revocations is on which it passes; where that is more than it should be.
    pub stale: Option<i64>,
    /// What becomes of its session cookies.
    pub cookies: CookieFate,
    /// What it would have been refused for, where the route is in shadow.
    pub shadow: Option<Refusal>,
    /// Whether `Authorization` ends here: it has a bearer token that is not known to be good.
    pub withholds_bearer: bool,
}

/// Decides on one request. `known` says what is known about the token it presents; it is asked at most once.
/// `now` is in seconds since the epoch.
pub fn decide<'r, I: Borrow<AccessClaims>>(
    view: &'r impl RequestView,
    knowledge: &Knowledge<'_>,
    known: impl FnOnce(&str) -> TokenVerdict<I>,
    now: i64,
) -> Decision<'r, I> {
    let target = match Target::of_url(view.url()) {
        Ok(target) => target,
        Err(error) => return Decision::Refuse(Refusal::new(ProblemCode::MalformedPath, error.to_string())),
    };
    if EDGES_OWN_PATHS.contains(&target.path()) {
        let reason = "what the origin tells the edge is for the edge alone";
        return Decision::Refuse(Refusal::new(ProblemCode::NotFound, reason));
    }
    if let Some(preflight) = preflight::answer(view, knowledge.policy, &target) {
        return Decision::Preflight(preflight);
    }
    let route = match find(knowledge.policy, view.method(), &target) {
        Ok(route) => route,
        Err(refusal) => return Decision::Refuse(refusal),
    };
    let refuse = |refusal: Refusal| Decision::Refuse(refusal.at(route).counting(view.tally()));
    let mut shadow = Shadow::of(route);
    match limits::before_credential(view, knowledge, route, now) {
        Ok(()) => {}
        Err(limits::Obstacle::Count(question)) => return Decision::Count(question),
        Err(limits::Obstacle::Refuse(refusal)) => {
            if let Err(refusal) = shadow.spare(refusal) {
                return refuse(refusal);
            }
        }
    }
    let credential = Credential::of(view.authorization(), view.cookie());
    if credential == Credential::Ambiguous {
        let reason = "more than one Authorization, or cookies beside it, or two of one name";
        return refuse(Refusal::new(ProblemCode::AmbiguousCredentials, reason));
    }
    let caller = match caller::find(view, credential, route, knowledge, known, now) {
        Ok(caller) => caller,
        Err(Obstacle::Verify(token)) => return Decision::Verify(token),
        Err(Obstacle::FetchRevocations) => return Decision::FetchRevocations,
        Err(Obstacle::Refresh(token)) => return Decision::Refresh(token),
        Err(Obstacle::Refuse(refusal)) => {
            let nobody = Caller::nobody(refusal.cookies);
            match shadow.spare(refusal) {
                Ok(()) => nobody,
                Err(refusal) => return refuse(refusal),
            }
        }
    };
    let Caller {
        identity,
        stale,
        cookies,
    } = caller;
    let claims = identity.as_ref().map(Borrow::borrow);
    if let Some(claims) = claims {
        match limits::after_token(view, knowledge, route, claims, now) {
            Ok(()) => {}
            Err(limits::Obstacle::Count(question)) => return Decision::Count(question),
            Err(limits::Obstacle::Refuse(refusal)) => {
                if let Err(refusal) = shadow.spare(refusal) {
                    return refuse(refusal);
                }
            }
        }
    }
    let there = match venue::roles_there(&route.gate, claims, &target, knowledge.venue_roles, now) {
        Ok(there) => there,
        Err(Lack::Ask(question)) => return Decision::AskVenueRoles(question),
        Err(Lack::NotNow(refusal)) => match shadow.spare(refusal) {
            Ok(()) => There::Nothing,
            Err(refusal) => return refuse(refusal),
        },
    };
    if let Err(refusal) = gate::pass(&route.gate, claims, there.roles(), now)
        && let Err(refusal) = shadow.spare(refusal)
    {
        return refuse(refusal);
    }
    let venue_roles = there.asked();
    if let Err(refusal) = body::pass(route, view) {
        return refuse(refusal);
    }
    Decision::Pass(Pass {
        route: Rc::clone(route),
        target,
        withholds_bearer: identity.is_none() && credential.is_bearer(),
        identity,
        venue_roles,
        stale,
        cookies,
        shadow: shadow.noted(),
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
                allow: Some(methods),
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
