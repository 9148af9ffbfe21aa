//! What a decision is made of, step by step.
//!
//! Invariant: each step is told by a function that the decision calls, too; none decides anything here.

use portcullis_edge::credential::Credential;
use portcullis_edge::decide::{RequestView as _, findings, venue_of};
use portcullis_edge::path::Target;
use portcullis_edge::policy::{Demand, Found, Requirement, Route};
use portcullis_shared::claims::{AccessClaims, Expectations};
use portcullis_shared::cookies::SessionCookies;
use serde::Serialize;

use crate::kernel::explanation::{Outcome, moment};
use crate::kernel::time::Timestamp;

use super::check::{extras, who};
use super::trial::{Judge, Request, Trial};

/// One step, and what came of it.
#[derive(Serialize)]
pub(super) struct Step {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
    /// What there is to add, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

/// All steps up to the first that refuses the request; of what a route demands, all.
pub(super) fn steps(trial: &Trial<'_>, request: &Request, judge: &Judge) -> Vec<Step> {
    let mut steps = Steps(Vec::new());
    // The steps end where there is nothing to tell about the next.
    let _ended = steps.tell(trial, request, judge);
    steps.0
}

struct Steps(Vec<Step>);

impl Steps {
    fn good(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, true, detail.into());
    }

    /// Ends the steps.
    fn refused<T>(&mut self, name: &'static str, detail: impl Into<String>) -> Option<T> {
        self.add(name, false, detail.into());
        None
    }

    fn add(&mut self, name: &'static str, met: bool, detail: String) {
        let outcome = if met { Outcome::Good } else { Outcome::Refused };
        self.0.push(Step {
            name,
            outcome,
            detail,
            notes: Vec::new(),
        });
    }

    /// Adds to the step that was told last.
    fn note(&mut self, notes: impl Iterator<Item = String>) {
        if let Some(last) = self.0.last_mut() {
            last.notes.extend(notes);
        }
    }

    fn tell(&mut self, trial: &Trial<'_>, request: &Request, judge: &Judge) -> Option<()> {
        let target = match Target::of_url(request.url()) {
            Ok(target) => target,
            Err(error) => return self.refused("target", error.to_string()),
        };
        let query = target.query().map_or(String::new(), |query| format!("?{query}"));
        self.good("target", format!("{}{query}", target.path()));
        let credential = request.credential();
        match credential {
            Credential::Ambiguous => return self.refused("credential", "more than one"),
            Credential::None => self.good("credential", "none"),
            Credential::Bearer(_) | Credential::Malformed => self.good("credential", "a bearer token"),
            Credential::Cookies(cookies) => self.good("credential", named(cookies)),
        }
        let route = self.tell_route(trial, request, &target)?;
        let claims = self.tell_token(trial, route, credential, judge)?;
        self.good("revocations", "taken for fresh, with nothing revoked");
        self.tell_gate(trial, route, &claims, &target);
        Some(())
    }

    fn tell_route<'p>(
        &mut self,
        trial: &Trial<'p>,
        request: &Request,
        target: &Target<'_>,
    ) -> Option<&'p Route> {
        let candidates = || trial.policy.candidates(target);
        match trial.policy.find(request.method(), target) {
            Found::Route(route) => {
                self.good("route", described(route));
                let others = candidates().filter(|other| other.number != route.number);
                self.note(others.map(|other| {
                    let (number, path, methods) = (other.number, &other.path, other.methods().list());
                    format!("not {number} {path} ({methods}), which is wider, or for other methods")
                }));
                Some(route)
            }
            Found::OtherMethods(methods) => {
                let path = candidates().next().map_or("", |route| &route.path);
                let methods = methods.list();
                self.refused(
                    "route",
                    format!("the narrowest path that matches, {path}, is for {methods} only"),
                )
            }
            Found::Nothing => self.refused("route", "none has the path"),
            Found::TwoReadings => self.refused(
                "route",
                "the path can be read as that of another route, which demands something else",
            ),
        }
    }

    fn tell_token(
        &mut self,
        trial: &Trial<'_>,
        route: &Route,
        credential: Credential<'_>,
        judge: &Judge,
    ) -> Option<AccessClaims> {
        let token = match credential {
            Credential::Bearer(token) => Some(token),
            Credential::Cookies(cookies) => cookies.access.value(),
            Credential::Malformed => return self.refused("token", "it is empty, or too long for a token"),
            Credential::None | Credential::Ambiguous => None,
        };
        let Some(token) = token else {
            if route.gate.requirement == Requirement::Public {
                self.good("token", "none is needed");
                return None;
            }
            return self.refused("token", "there is none");
        };
        let judged = trial.judge(token, judge).and_then(|claims| {
            claims.recheck_time(Expectations::DEFAULT_LEEWAY_SECONDS, trial.now)?;
            Ok(claims)
        });
        match judged {
            Ok(claims) => {
                let believed = match judge {
                    Judge::Claims(_) => "believed without a signature",
                    Judge::Keys(_) | Judge::Nothing => "verified",
                };
                let expires = when(claims.exp, trial.now);
                self.good("token", format!("{believed}; of {}, until {expires}", claims.sub));
                Some(claims)
            }
            Err(error) => self.refused("token", error.to_string()),
        }
    }

    fn tell_gate(&mut self, trial: &Trial<'_>, route: &Route, claims: &AccessClaims, target: &Target<'_>) {
        let gate = &route.gate;
        let found = findings(gate, claims, target, trial.now);
        let venue = venue_of(gate, target);
        self.add("require", found.requirement, who(route));
        self.note(found.demands.iter().map(|(demand, met)| {
            let verdict = if *met { "has" } else { "lacks" };
            format!("it {verdict} the {}", demanded(demand, claims, venue))
        }));
        if let Some((seconds, met)) = found.max_age {
            let then = claims
                .auth_time
                .map_or("never".to_owned(), |then| when(then, trial.now));
            self.add(
                "max_age",
                met,
                format!("authenticated within {seconds} s: {then}"),
            );
        }
        if let Some((acr, met)) = found.acr {
            let has = claims.acr.as_deref().unwrap_or("none");
            self.add("acr", met, format!("at least {}: {has}", acr.as_str()));
        }
    }
}

fn described(route: &Route) -> String {
    let mut described = vec![format!("{} {}, for {}", route.number, route.path, who(route))];
    described.extend(extras(route));
    described.join(", ")
}

fn named(cookies: SessionCookies<'_>) -> &'static str {
    match (cookies.access.value(), cookies.refresh.value()) {
        (Some(_), Some(_)) => "session cookies: access and refresh",
        (Some(_), None) => "session cookies: access",
        (None, Some(_)) => "session cookies: refresh",
        (None, None) => "session cookies without a value",
    }
}

/// What is demanded, and what the token has of its kind.
fn demanded(demand: &Demand, claims: &AccessClaims, venue: Option<&str>) -> String {
    let none = Vec::new();
    let has = match (demand, venue) {
        (_, Some(venue)) => claims.venues.get(venue).unwrap_or(&none).join(", "),
        (Demand::Permission(_), None) => claims.permissions.join(", "),
        (Demand::Role(_), None) => claims.role.clone().unwrap_or_default(),
    };
    let has = if has.is_empty() { "nothing" } else { &has };
    match venue {
        Some(venue) => format!("{demand} at {venue}; of roles there it has: {has}"),
        None => format!("{demand}; of its kind it has: {has}"),
    }
}

/// A moment in seconds since the epoch, and how far it is.
fn when(seconds: i64, now: i64) -> String {
    match (
        Timestamp::from_timestamp(seconds, 0),
        Timestamp::from_timestamp(now, 0),
    ) {
        (Some(then), Some(now)) => moment(then, now),
        _ => seconds.to_string(),
    }
}
