//! The row of signing in: the real origin on its own Postgres and Redis, against its hasher alone.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{
    Plan, contest, hashing,
    http::Client,
    process_time,
    report::{Goal, Row},
    sample::Sample,
};
use crate::{
    stack::{self, Part, Stack, StackOptions, Store, Upstream},
    ui,
    workspace::Workspace,
};

const OURS: &str = "Portcullis origin, POST /auth/login";
const IDEAL: &str = "cores / one hash: its hasher alone";

const PASSWORD: &str = "quiet harbour lantern 94";

/// The limits that one client meets long before the machine does.
const LIMITS: [&str; 6] = [
    "LOGIN_PER_MINUTE_PAIR",
    "LOGIN_PER_MINUTE_CLIENT",
    "REGISTER_PER_5_MINUTES",
    "REGISTER_PER_HOUR",
    "DEFAULT_PER_MINUTE",
    "REFRESH_PER_MINUTE_SESSION",
];

/// The row of sign-ins per second; both contestants run in turns, on the same cores.
pub(super) fn row(workspace: &Workspace, plan: &Plan, hash_rate: &Path) -> Result<Row> {
    let state = workspace.root().join("target/bench/stack");
    stack::clear(workspace, &state)?;
    ui::heading("Starting Postgres, Redis and the origin");
    let stack = Stack::start(
        workspace,
        &StackOptions {
            edge: false,
            upstream: Upstream::Absent,
            postgres: Store::Own,
            redis: Store::Own,
            binaries: workspace.target_dir().join("release"),
            // A sign-in costs what it costs in production, a durable commit included.
            fast_postgres: false,
            origin_settings: LIMITS
                .iter()
                .map(|name| (format!("PORTCULLIS__LIMITS__{name}"), "1000000".to_owned()))
                .collect(),
            ..StackOptions::new(workspace, &state)
        },
    )?;
    let port = port(&stack.url(Part::Origin))?;
    let pid = stack.pid(Part::Origin).context("the origin has ended")?;
    let callers = 2 * hashing::cores();
    for caller in 0..callers {
        register(port, caller)?;
    }
    sign_in(port, pid, callers, plan.warm_up)?;
    let series = contest::run("Sign-ins", &[OURS, IDEAL], plan.rounds, |place, _| match place {
        0 => sign_in(port, pid, callers, plan.hashing),
        _ => hashing::ours(workspace, hash_rate, plan.hashing),
    })?;
    Ok(Row::contest(
        &format!("origin sign-in, {callers} callers"),
        "sign-ins",
        Goal::at_least(0.95, IDEAL),
        series,
    ))
}

fn port(url: &str) -> Result<u16> {
    url.rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
        .with_context(|| format!("{url:?} has no port"))
}

fn email(caller: usize) -> String {
    format!("caller-{caller}@bench.example")
}

fn register(port: u16, caller: usize) -> Result<()> {
    let account = json!({
        "email": email(caller), "password": PASSWORD, "firstName": "Bench", "lastName": "Caller",
    });
    let answer = Client::connect(port)?.post("/auth/register", &account.to_string())?;
    if answer.status != 201 {
        bail!(
            "the origin answers {} to a registration: {}",
            answer.status,
            answer.body
        );
    }
    Ok(())
}

/// Every caller signs in to an account of its own, again and again, until `time` is over.
fn sign_in(port: u16, pid: u32, callers: usize, time: Duration) -> Result<Sample> {
    let before = process_time::micros(pid);
    let began = Instant::now();
    let counts: Vec<Result<u32>> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..callers)
            .map(|caller| {
                scope.spawn(move || {
                    let mut client = Client::connect(port)?;
                    let body = json!({ "email": email(caller), "password": PASSWORD }).to_string();
                    let mut count = 0;
                    while began.elapsed() < time {
                        let answer = client.post("/auth/login", &body)?;
                        if answer.status != 200 {
                            bail!(
                                "the origin answers {} to a sign-in: {}",
                                answer.status,
                                answer.body
                            );
                        }
                        count += 1;
                    }
                    Ok(count)
                })
            })
            .collect();
        lanes
            .into_iter()
            .map(|lane| lane.join().unwrap_or_else(|_| bail!("a caller ended early")))
            .collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    let count = f64::from(counts.into_iter().sum::<Result<u32>>()?);
    let used = process_time::micros(pid)
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before));
    Ok(Sample {
        per_second: count / seconds,
        cpu_micros: used.and_then(|used| Some(f64::from(u32::try_from(used).ok()?) / count)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_origins_url() {
        assert_eq!(port("http://127.0.0.1:3001").unwrap(), 3001);
        assert!(port("http://origin").is_err());
    }
}
