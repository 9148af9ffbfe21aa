//! The load generator: wrk, with a script that presents tokens of a pool.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{process_time, sample::Sample};
use crate::{process, workspace::Workspace};

/// Enough that a Worker always has a request waiting; it runs on one thread.
const CONNECTIONS: u32 = 32;

/// A part of the pool of tokens.
#[derive(Clone, Debug)]
pub(super) struct Tokens {
    /// One token a line.
    pub(super) file: PathBuf,
    /// How many are skipped.
    pub(super) first: usize,
    /// How many are presented in turn: 1 for the same token each time.
    pub(super) count: usize,
    /// Whether it matters that none is presented twice.
    pub(super) once: bool,
    /// In which request.
    pub(super) as_what: Presented,
}

/// How a line of the pool becomes a request.
#[derive(Clone, Debug)]
pub(super) enum Presented {
    /// GET with a bearer token.
    Bearer,
    /// GET with the line as its cookies.
    Cookie,
    /// POST of an access token to be introspected (RFC 7662), with this `Authorization`. An answer that calls it
    /// inactive is a refusal.
    Introspection { authorization: String },
}

impl Presented {
    /// What the script of wrk is told.
    fn arguments(&self) -> Vec<&str> {
        match self {
            Self::Bearer => vec!["bearer"],
            Self::Cookie => vec!["cookie"],
            Self::Introspection { authorization } => vec!["introspection", authorization],
        }
    }
}

/// Sends requests to `http://127.0.0.1:port/path` for `time`; `pid` leads the processes whose time is
/// counted.
pub(super) fn run(
    workspace: &Workspace,
    port: u16,
    path: &str,
    tokens: &Tokens,
    time: Duration,
    pid: u32,
) -> Result<Sample> {
    let mut command = workspace.command("wrk");
    command
        .args(["--threads", "1", "--timeout", "10s"])
        .args(["--connections", &CONNECTIONS.to_string()])
        .args(["--duration", &format!("{}s", time.as_secs().max(1))])
        .arg("--script")
        .arg(workspace.root().join("xtask/bench/load.lua"))
        .arg(format!("http://127.0.0.1:{port}{path}"))
        .arg("--")
        .arg(&tokens.file)
        .args([tokens.first.to_string(), tokens.count.to_string()])
        .args(tokens.as_what.arguments());
    let before = process_time::of_group(pid);
    let output = process::text(&mut command)?;
    let used = process_time::of_group(pid)
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before));
    let outcome = Outcome::read(&output)?;
    outcome.check(tokens)?;
    Ok(Sample {
        per_second: outcome.requests / (outcome.micros / 1e6),
        cpu_micros: used.and_then(|used| Some(f64::from(u32::try_from(used).ok()?) / outcome.requests)),
    })
}

/// What the script prints when wrk is done.
#[derive(Debug, PartialEq)]
struct Outcome {
    requests: f64,
    micros: f64,
    refused: f64,
    broken: f64,
    repeated: f64,
}

impl Outcome {
    fn read(output: &str) -> Result<Self> {
        let line = output
            .lines()
            .rfind(|line| line.starts_with('{'))
            .with_context(|| format!("wrk did not report:\n{output}"))?;
        let report: Value = serde_json::from_str(line).context("what wrk reports is not JSON")?;
        let number = |name: &str| {
            report
                .get(name)
                .and_then(Value::as_f64)
                .with_context(|| format!("wrk did not report {name}"))
        };
        Ok(Self {
            requests: number("requests")?,
            micros: number("micros")?,
            refused: number("refused")?,
            broken: number("broken")?,
            repeated: number("repeated")?,
        })
    }

    /// A rate counts only if every request was answered as it should be.
    fn check(&self, tokens: &Tokens) -> Result<()> {
        if self.requests < 1.0 || self.micros < 1.0 {
            bail!("wrk got no answer");
        }
        if self.refused > 0.0 || self.broken > 0.0 {
            bail!(
                "{} requests were refused and {} broke off",
                self.refused,
                self.broken
            );
        }
        if tokens.once && self.repeated > 0.0 {
            bail!(
                "the pool of {} tokens was used up; it has to be larger",
                tokens.count
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"Requests/sec: 2
{"requests": 30, "micros": 1500000, "refused": 0, "broken": 0, "repeated": 4, "p50_micros": 1, "p99_micros": 2}"#;

    fn tokens(once: bool) -> Tokens {
        Tokens {
            file: PathBuf::new(),
            first: 0,
            count: 26,
            once,
            as_what: Presented::Bearer,
        }
    }

    #[test]
    fn the_report_is_found_among_what_wrk_prints() {
        let outcome = Outcome::read(REPORT).unwrap();
        assert!((outcome.requests - 30.0).abs() < 1e-9);
        assert!(Outcome::read("unable to connect").is_err());
    }

    #[test]
    fn a_run_with_refused_requests_does_not_count() {
        let outcome = Outcome::read(&REPORT.replace(r#""refused": 0"#, r#""refused": 1"#)).unwrap();
        assert!(outcome.check(&tokens(false)).is_err());
    }

    #[test]
    fn a_pool_that_went_round_counts_only_where_repeats_are_wanted() {
        let outcome = Outcome::read(REPORT).unwrap();
        assert!(outcome.check(&tokens(false)).is_ok());
        let message = outcome.check(&tokens(true)).unwrap_err().to_string();
        assert!(message.contains("used up"), "{message}");
    }
}
