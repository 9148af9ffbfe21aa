//! A route table as an operator could spell it, and paths as strangers could: the last line is a method and a path, what
//! stands before it is the table.

use portcullis_edge::browser::Renewal;
use portcullis_edge::decide::{Decision, Knowledge, RequestView, TokenVerdict, decide};
use portcullis_edge::deny_cache::DenyCache;
use portcullis_edge::path::Target;
use portcullis_edge::policy::{Found, Policy, Requirement};
use portcullis_edge::revocations::Revocations;
use portcullis_edge::tally::Tally;
use portcullis_edge::venue_roles::VenueRoles;
use portcullis_shared::claims::AccessClaims;

use crate::NOW;

/// A table without mistakes has bounded routes, and lets nobody pass without a token but where a route says so.
pub fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let (table, line) = text.rsplit_once('\n').unwrap_or((text, "GET /"));
    let policy = match Policy::parse(table) {
        Ok(policy) => policy,
        Err(mistakes) => {
            assert!(!mistakes.0.is_empty() && !mistakes.to_string().is_empty());
            return;
        }
    };
    let mut numbers: Vec<usize> = policy.routes().map(|route| route.number).collect();
    numbers.sort_unstable();
    assert!(!numbers.is_empty() && numbers.iter().copied().eq(1..=numbers.len()));
    for route in policy.routes() {
        assert!((1..=600).contains(&route.timeout_seconds), "{route:?}");
    }
    let (method, path) = line.split_once(' ').unwrap_or((line, "/"));
    let url = format!("https://edge.example{path}");
    if let Ok(target) = Target::of_url(&url) {
        match policy.find(method, &target) {
            Found::Route(route) => assert!(policy.routes().any(|own| own == route)),
            Found::OtherMethods(methods) => {
                assert!(!methods.list().split(", ").any(|other| other == method));
                assert!(!methods.list().is_empty());
            }
            Found::Nothing | Found::TwoReadings => {}
        }
    }
    ask_as_nobody(&policy, method, url);
}

fn ask_as_nobody(policy: &Policy, method: &str, url: String) {
    let nobody = Nobody {
        tally: Tally::default(),
        method: method.to_owned(),
        url,
    };
    let (revocations, venue_roles) = (Revocations::default(), VenueRoles::default());
    let knowledge = Knowledge {
        policy,
        revocations: &revocations,
        venue_roles: &venue_roles,
        csrf_keys: &[],
        denials: &DenyCache::default(),
    };
    let known = |_: &str| -> TokenVerdict<AccessClaims> { unreachable!("there is no token") };
    match decide(&nobody, &knowledge, known, NOW) {
        Decision::Refuse(refusal) => assert!(refusal.code.status() < 500, "{refusal:?}"),
        // Whoever keeps the limit has the next word.
        Decision::Count(_) => {}
        Decision::Preflight(_) => assert_eq!(method, "OPTIONS"),
        Decision::Pass(pass) => assert_eq!(pass.route.gate.requirement, Requirement::Public),
        other @ (Decision::Verify(_)
        | Decision::FetchRevocations
        | Decision::Refresh(_)
        | Decision::AskVenueRoles(_)) => {
            unreachable!("nothing was presented: {other:?}")
        }
    }
}

struct Nobody {
    tally: Tally,
    method: String,
    url: String,
}

impl RequestView for Nobody {
    fn method(&self) -> &str {
        &self.method
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn authorization(&self) -> Option<&str> {
        None
    }

    fn cookie(&self) -> Option<&str> {
        None
    }

    fn header(&self, _: &str) -> Option<String> {
        None
    }

    fn renewal(&self) -> &Renewal {
        &Renewal::Untried
    }

    fn tally(&self) -> &Tally {
        &self.tally
    }
}
