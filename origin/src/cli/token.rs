//! `portcullis token explain`.

use std::io::{self, Read};

use portcullis_shared::claims::AccessClaims;
use secrecy::SecretString;
use serde::Serialize;

use crate::kernel::clock::{Clock, SystemClock};
use crate::kernel::config::Config;
use crate::kernel::explanation::{Check, Outcome};
use crate::kernel::time::Timestamp;
use crate::sessions::{Lifetimes, Sessions, looks_like_refresh_token};
use crate::tokens::Tokens;

use super::{Attempt, CliError, block_on, connect, say};

/// A token has 8 KiB at most; what is beyond this is not read.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    kind: &'static str,
    good: bool,
    checks: Vec<Check>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<AccessClaims>,
}

/// Holds the token against each rule and prints what became of it. Fails when the token is refused.
pub(super) fn explain(config: Config, token: Option<String>, json: bool) -> Result<(), CliError> {
    let token = match token {
        Some(token) if token != "-" => token,
        Some(_) | None => {
            let mut text = String::new();
            io::stdin()
                .take(MAX_INPUT_BYTES)
                .read_to_string(&mut text)
                .attempt("the token cannot be read from the standard input")?;
            text
        }
    };
    block_on(async move {
        let report = report(&config, token.trim(), SystemClock.now()).await?;
        if json {
            say(serde_json::to_string_pretty(&report).attempt("the explanation cannot be shown")?);
        } else {
            print(&report);
        }
        if report.good {
            Ok(())
        } else {
            Err(CliError::Refused)
        }
    })
}

async fn report(config: &Config, token: &str, now: Timestamp) -> Result<Report, CliError> {
    let pool = connect(config)?;
    let (kind, checks, claims) = if looks_like_refresh_token(token) {
        let sessions = Sessions::new(config.master_key.clone(), Lifetimes::from(&config.tokens));
        let mut connection = pool.acquire().await.attempt("the database cannot be reached")?;
        let checks = sessions
            .explain(&mut connection, &SecretString::from(token), now)
            .await
            .attempt("the token cannot be looked up")?;
        ("refresh_token", checks, None)
    } else {
        let tokens = Tokens::new(&config.tokens, pool, config.master_key.clone());
        let explanation = tokens
            .explain(token, now)
            .await
            .attempt("the token cannot be looked up")?;
        ("access_token", explanation.checks, explanation.claims)
    };
    Ok(Report {
        kind,
        good: checks.iter().all(|check| check.outcome == Outcome::Good),
        checks,
        claims,
    })
}

fn print(report: &Report) {
    for check in &report.checks {
        let detail = check
            .detail
            .as_ref()
            .map_or_else(String::new, |detail| format!(": {detail}"));
        say(format_args!(
            "{:<11}  {:<10}  {} ({}){detail}",
            check.outcome.as_str(),
            check.check,
            check.rule,
            check.reference,
        ));
    }
    let kind = report.kind.replace('_', " ");
    let verdict = if report.good { "good" } else { "refused" };
    say(format_args!("the {kind} is {verdict}"));
}
