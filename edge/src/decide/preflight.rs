//! Preflights: what a browser asks before it sends the request that a page of another origin wants (Fetch standard §4.8).

use std::rc::Rc;

use portcullis_shared::problem::ProblemCode;

use super::{Refusal, RequestView};
use crate::cors::{self, Cors};
use crate::path::Target;
use crate::policy::{Found, Policy, Route};

/// The answer to a preflight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// The route that the request to come would take.
    pub route: Rc<Route>,
    /// The origin that may send it, or why the browser is not to: for the Fetch standard (§3.2.3), a 403 that says
    /// nothing of what is allowed.
    pub outcome: Result<String, Refusal>,
}

/// Answers a preflight; `None` for any other request, and where no rule of the edge applies to the request to come.
pub(super) fn answer(view: &impl RequestView, policy: &Policy, target: &Target<'_>) -> Option<Preflight> {
    if view.method() != "OPTIONS" {
        return None;
    }
    let origin = view.header(cors::ORIGIN)?;
    let method = view.header(cors::REQUEST_METHOD)?;
    // What the table would refuse whoever asks is refused as ever.
    let Found::Route(route) = policy.find(&method, target) else {
        return None;
    };
    let cors = route.answers.cors.as_ref()?;
    let headers = view.header(cors::REQUEST_HEADERS).unwrap_or_default();
    let outcome = match objection(cors, &origin, &headers) {
        None => Ok(origin),
        Some(reason) => Err(Refusal::new(ProblemCode::Forbidden, reason).at(route)),
    };
    Some(Preflight {
        route: Rc::clone(route),
        outcome,
    })
}

fn objection(cors: &Cors, origin: &str, headers: &str) -> Option<&'static str> {
    if !cors.allows(origin) {
        Some("pages of this origin are not allowed")
    } else if !cors.allows_headers(headers) {
        Some("pages of other origins may not set one of these headers")
    } else {
        None
    }
}
