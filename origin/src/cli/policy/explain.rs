//! `portcullis policy explain`.

use std::io::{self, Read};
use std::path::Path;

use portcullis_edge::answer::Answer;
use portcullis_edge::browser::{Renewal, set_cookies};
use portcullis_edge::decide::RequestView as _;
use portcullis_edge::log::SHADOW;
use portcullis_edge::policy::{Destination, Policy};
use portcullis_shared::cookies::SessionCookie;
use portcullis_shared::identity;
use portcullis_shared::jwk::JwkSet;
use serde::Serialize;

use crate::kernel::clock::{Clock as _, SystemClock};
use crate::kernel::config::{Config, ConfigErrors};
use crate::kernel::time::{Timestamp, rfc3339};
use crate::tokens::Tokens;

use super::arguments::ExplainArguments;
use super::claims::complete;
use super::steps::{Step, steps};
use super::table::{Source, read_file};
use super::trial::{Judge, Outcome, Request, Trial};
use super::{Attempt, CliError, block_on, connect, say};

/// A token has 8 KiB at most; what is beyond this is not read.
const MAX_TOKEN_INPUT_BYTES: u64 = 64 * 1024;
/// What stands for the token where there are claims instead.
const CLAIMED: &str = "claimed";

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    request: String,
    at: String,
    steps: Vec<Step>,
    /// `pass`, the code of the problem, or what the edge has to do first.
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Of the edge's own answer, if it is the edge that answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    /// The headers of the edge's own answer; of a request that is forwarded, those that tell the upstream who is calling.
    headers: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
}

/// Decides, and prints how. Fails when the request is refused.
pub(super) fn run(
    load: impl FnOnce() -> Result<Config, ConfigErrors>,
    asked: &ExplainArguments,
) -> Result<(), CliError> {
    let policy = Source::read(&asked.table)?.policy()?;
    let at = asked.at.unwrap_or_else(|| SystemClock.now());
    let (request, judge) = request(load, asked, &policy, at)?;
    let trial = Trial::new(&policy, at.timestamp())?;
    let outcome = trial.decide(&request, &judge);
    let report = Report {
        request: format!("{} {}", asked.method, asked.path),
        at: rfc3339(at),
        steps: steps(&trial, &request, &judge),
        ..Report::of(&outcome, &policy, &request)
    };
    if asked.json {
        say(serde_json::to_string_pretty(&report).attempt("the explanation cannot be shown")?);
    } else {
        print(&report);
    }
    match outcome {
        Outcome::Pass { .. } | Outcome::First(_) => Ok(()),
        Outcome::Preflight(preflight) if preflight.outcome.is_ok() => Ok(()),
        Outcome::Preflight(_) | Outcome::Refuse(_) => Err(CliError::Refused),
    }
}

/// The request that is asked about, and what its token is judged by.
fn request(
    load: impl FnOnce() -> Result<Config, ConfigErrors>,
    asked: &ExplainArguments,
    policy: &Policy,
    at: Timestamp,
) -> Result<(Request, Judge), CliError> {
    let request = Request::new(&asked.method, &asked.path, asked.headers.clone());
    let (token, judge) = match (&asked.token, &asked.claims) {
        (Some(file), _) => {
            let keys = match &asked.jwks {
                Some(file) => std::fs::read(file).attempt("the key set cannot be read")?,
                None => published_keys(&load()?, at)?,
            };
            let keys = JwkSet::parse(&keys).attempt("the key set cannot be read")?;
            (read_token(file)?, Judge::Keys(keys))
        }
        (None, Some(file)) => {
            let claims = complete(read_file(file)?, &policy.issuer, &policy.audience, at.timestamp())
                .attempt("the claims are not those of a token")?;
            (CLAIMED.to_owned(), Judge::Claims(Box::new(claims)))
        }
        (None, None) => return Ok((request, Judge::Nothing)),
    };
    let request = if asked.cookie {
        let others = asked.headers.iter().find(|(name, _)| name == "cookie");
        let others = others.map_or(String::new(), |(_, value)| format!("{value}; "));
        let headers = asked.headers.iter().filter(|(name, _)| name != "cookie").cloned();
        Request::new(&asked.method, &asked.path, headers.collect()).with(
            "cookie",
            format!("{others}{}={}", SessionCookie::Access.name(), token.trim()),
        )
    } else {
        request.bearing(token.trim())
    };
    Ok((request, judge))
}

fn read_token(file: &Path) -> Result<String, CliError> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        io::stdin().take(MAX_TOKEN_INPUT_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MAX_TOKEN_INPUT_BYTES).read_to_string(&mut text))
    };
    read.attempt("the token cannot be read")?;
    Ok(text)
}

/// The key set of the running system.
fn published_keys(config: &Config, at: Timestamp) -> Result<Vec<u8>, CliError> {
    let mut json = Vec::new();
    block_on(async {
        let pool = connect(config)?;
        let tokens = Tokens::new(&config.tokens, pool, config.master_key.clone());
        let set = tokens
            .key_set(at)
            .await
            .attempt("the published keys cannot be read")?;
        json.extend_from_slice(&set.json);
        Ok(())
    })?;
    Ok(json)
}

impl Report {
    fn of(outcome: &Outcome, policy: &Policy, request: &Request) -> Self {
        let origin = request.header("origin");
        let (origin, is_secure) = (origin.as_deref(), request.url().starts_with("https:"));
        let report = Self {
            request: String::new(),
            at: String::new(),
            steps: Vec::new(),
            decision: "pass",
            reason: None,
            status: None,
            headers: Vec::new(),
            upstream: None,
        };
        match outcome {
            Outcome::Pass {
                route,
                told,
                shadow: Some(spared),
            } => Self {
                decision: SHADOW,
                reason: Some(format!("{}: {}", spared.code.as_str(), spared.reason)),
                headers: owned(told),
                upstream: match &route.destination {
                    Destination::Upstream(name) => Some(name.clone()),
                    Destination::ForwardAuth => None,
                },
                ..report
            },
            Outcome::Pass {
                route,
                told,
                shadow: None,
            } => match &route.destination {
                Destination::Upstream(name) => Self {
                    headers: owned(told),
                    upstream: Some(name.clone()),
                    ..report
                },
                Destination::ForwardAuth => {
                    let answer = Answer::permitting(told, None, None, "");
                    report.answered(&answer.under(&route.answers, origin, is_secure))
                }
            },
            Outcome::Preflight(preflight) => {
                let refusal = preflight.outcome.as_ref().err();
                Self {
                    decision: refusal.map_or("preflight", |refusal| refusal.code.as_str()),
                    reason: refusal.map(|refusal| refusal.reason.clone()),
                    ..report.answered(&Answer::to_preflight(preflight, "", is_secure))
                }
            }
            Outcome::Refuse(refusal) => {
                let rules = refusal
                    .route
                    .as_ref()
                    .map_or(&policy.answers, |route| &route.answers);
                let answer = Answer::refusing(refusal, "")
                    .setting(set_cookies(refusal.cookies, &Renewal::Untried))
                    .under(rules, origin, is_secure);
                Self {
                    decision: refusal.code.as_str(),
                    reason: Some(refusal.reason.clone()),
                    ..report.answered(&answer)
                }
            }
            Outcome::First(what) => Self {
                decision: what,
                ..report
            },
        }
    }

    fn answered(self, answer: &Answer<'_>) -> Self {
        // The id of a request that nobody makes is of no interest.
        let headers = answer
            .headers
            .iter()
            .filter(|(name, _)| *name != identity::REQUEST_ID);
        let cookies = answer
            .set_cookies
            .iter()
            .map(|line| ("set-cookie".to_owned(), line.clone()));
        Self {
            status: Some(answer.status),
            headers: headers
                .map(|(name, value)| ((*name).to_owned(), value.to_string()))
                .chain(cookies)
                .collect(),
            ..self
        }
    }
}

fn owned(headers: &[(&str, String)]) -> Vec<(String, String)> {
    let headers = headers.iter();
    headers
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect()
}

fn print(report: &Report) {
    say(format_args!("{} at {}", report.request, report.at));
    for step in &report.steps {
        say(format_args!(
            "{:<8} {:<11}  {}",
            step.outcome.as_str(),
            step.name,
            step.detail
        ));
        for note in &step.notes {
            say(format_args!("{:22}{note}", ""));
        }
    }
    let reason = report
        .reason
        .as_ref()
        .map_or(String::new(), |reason| format!(": {reason}"));
    say(format_args!("decision: {}{reason}", report.decision));
    match (&report.upstream, report.status) {
        (Some(name), _) => say(format_args!(
            "it is forwarded to the upstream {name}, which is told:"
        )),
        (None, Some(status)) => say(format_args!("the edge answers {status}:")),
        (None, None) => say("the edge does this first, and decides again"),
    }
    for (name, value) in &report.headers {
        say(format_args!("  {name}: {value}"));
    }
}
