//! `portcullis policy test`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use portcullis_edge::credential::Credential;
use portcullis_edge::policy::{Destination, Policy, Route};
use portcullis_shared::problem::ProblemCode;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::arguments::TableArguments;
use super::claims::complete;
use super::table::{Source, read_file};
use super::trial::{Judge, Outcome, Request, Trial};
use super::{Attempt, CliError, say};

/// The moment for which a file is decided, so that it says the same tomorrow: 2026-01-01T00:00:00Z.
const NOW: i64 = 1_767_225_600;
/// What stands for the token of a caller.
const CLAIMED: &str = "claimed";
const PASS: &str = "pass";
/// The other outcomes that are no problems.
const PREFLIGHT: &str = "preflight";
const REFRESH: &str = "refresh";
const ASK_VENUE_ROLES: &str = "ask_venue_roles";

/// A file of requests.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    /// Claims, by the name that cases call them by.
    #[serde(default)]
    callers: BTreeMap<String, Map<String, Value>>,
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

/// A request, and what is to become of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "get")]
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    claims: Option<Map<String, Value>>,
    #[serde(rename = "as")]
    caller: Option<String>,
    expect: String,
    route: Option<String>,
    status: Option<u16>,
    challenge: Option<String>,
}

fn get() -> String {
    "GET".to_owned()
}

/// What became of a case, in the words of the file.
struct Came {
    decision: &'static str,
    /// The number and the path of the route that decided, where one did.
    route: Option<(usize, String)>,
    /// The status and the challenge of the edge's own answer, where it gives one.
    status: Option<u16>,
    challenge: Option<String>,
    reason: Option<String>,
}

/// Decides on every case, and prints what is not as expected.
pub(super) fn run(file: &Path, table: &TableArguments) -> Result<(), CliError> {
    let policy = Source::read(table)?.policy()?;
    let suite: Suite =
        serde_json::from_value(Value::Object(read_file(file)?)).attempt("the cases cannot be read")?;
    let mistakes: Vec<String> = suite
        .cases
        .iter()
        .filter_map(|case| suite.mistake(case, &policy))
        .collect();
    for mistake in &mistakes {
        say(format_args!("mistake: {mistake}"));
    }
    if !mistakes.is_empty() {
        return Err(CliError::Refused);
    }
    let trial = Trial::new(&policy, NOW)?;
    let (mut failed, mut touched) = (0, BTreeSet::new());
    for case in &suite.cases {
        let came = suite.decide(case, &trial)?;
        touched.extend(came.route.as_ref().map(|(number, _)| *number));
        let differences = case.differences(&came);
        let verdict = if differences.is_empty() { "ok" } else { "FAILED" };
        say(format_args!("{verdict:<6}  {}", case.name));
        for difference in &differences {
            say(format_args!("        {difference}"));
        }
        failed += usize::from(!differences.is_empty());
    }
    for route in policy.routes().filter(|route| !touched.contains(&route.number)) {
        say(format_args!(
            "no case is about route {} ({})",
            route.number, route.path
        ));
    }
    let count = suite.cases.len();
    if failed == 0 {
        say(format_args!("{count} cases, all as expected"));
        Ok(())
    } else {
        say(format_args!("{count} cases, {failed} not as expected"));
        Err(CliError::Refused)
    }
}

impl Suite {
    /// What is wrong with a case, before anything is decided.
    fn mistake(&self, case: &Case, policy: &Policy) -> Option<String> {
        let expected = case.expect.as_str();
        let is_known = [PASS, PREFLIGHT, REFRESH, ASK_VENUE_ROLES].contains(&expected)
            || ProblemCode::ALL.iter().any(|code| code.as_str() == expected);
        let mistake = if is_known {
            self.judge(case, policy).err()?
        } else {
            format!(
                "expects {expected:?}, which is neither pass, preflight, refresh, ask_venue_roles nor the code of a problem"
            )
        };
        Some(format!("case {:?} {mistake}", case.name))
    }

    /// Who makes the request.
    fn judge(&self, case: &Case, policy: &Policy) -> Result<Judge, String> {
        let claims = match (&case.claims, &case.caller) {
            (None, None) => return Ok(Judge::Nothing),
            (Some(_), Some(_)) => return Err("has both claims and as".to_owned()),
            (Some(claims), None) => claims,
            (None, Some(caller)) => self
                .callers
                .get(caller)
                .ok_or_else(|| format!("is as {caller:?}, who is not among the callers"))?,
        };
        complete(claims.clone(), &policy.issuer, &policy.audience, NOW)
            .map(|claims| Judge::Claims(Box::new(claims)))
            .map_err(|what| format!("has claims that are not those of a token: {what}"))
    }

    fn decide(&self, case: &Case, trial: &Trial<'_>) -> Result<Came, CliError> {
        let judge = self
            .judge(case, trial.policy)
            .attempt("the claims cannot be read")?;
        let headers = case
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
        let request = Request::new(&case.method, &case.path, headers.collect());
        let request = match (&judge, request.credential()) {
            (Judge::Claims(_), Credential::None) => request.bearing(CLAIMED),
            (Judge::Claims(_) | Judge::Keys(_) | Judge::Nothing, _) => request,
        };
        Ok(Came::of(&trial.decide(&request, &judge)))
    }
}

impl Case {
    /// What is not as expected, a line each.
    fn differences(&self, came: &Came) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |what: &str, expected: Option<&str>, came: Option<&str>| {
            if let Some(expected) = expected
                && came != Some(expected)
            {
                let came = came.unwrap_or("nothing");
                differences.push(format!("{what}: expected {expected}, came {came}"));
            }
        };
        let route = came.route.as_ref().map(|(_, path)| path.as_str());
        let status = |status: Option<u16>| status.map(|status| status.to_string());
        compare("decision", Some(&self.expect), Some(came.decision));
        compare("route", self.route.as_deref(), route);
        compare(
            "status",
            status(self.status).as_deref(),
            status(came.status).as_deref(),
        );
        compare("challenge", self.challenge.as_deref(), came.challenge.as_deref());
        if let (false, Some(reason)) = (differences.is_empty(), &came.reason) {
            differences.push(format!("because: {reason}"));
        }
        differences
    }
}

impl Came {
    fn of(outcome: &Outcome) -> Self {
        let named = |route: &Route| (route.number, route.path.clone());
        match outcome {
            Outcome::Pass { route, .. } => Self {
                decision: PASS,
                route: Some(named(route)),
                status: match route.destination {
                    Destination::ForwardAuth => Some(204),
                    Destination::Upstream(_) => None,
                },
                challenge: None,
                reason: None,
            },
            Outcome::Refuse(refusal) => Self {
                decision: refusal.code.as_str(),
                route: refusal.route.as_deref().map(named),
                status: Some(refusal.code.status()),
                challenge: refusal.challenge.clone(),
                reason: Some(refusal.reason.clone()),
            },
            Outcome::Preflight(preflight) => {
                let refusal = preflight.outcome.as_ref().err();
                Self {
                    decision: refusal.map_or(PREFLIGHT, |refusal| refusal.code.as_str()),
                    route: Some(named(&preflight.route)),
                    status: Some(refusal.map_or(204, |refusal| refusal.code.status())),
                    challenge: None,
                    reason: refusal.map(|refusal| refusal.reason.clone()),
                }
            }
            Outcome::First(what) => Self {
                decision: what,
                route: None,
                status: None,
                challenge: None,
                reason: None,
            },
        }
    }
}
