//! The real origin on a Postgres and a Redis of its own, as the rows about it need it.

use std::{
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::{hashing, http::Client};
use crate::{
    stack::{self, Part, Stack, StackOptions, Store, Upstream},
    ui,
    workspace::Workspace,
};

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

/// A running origin.
pub(super) struct Origin {
    pub(super) stack: Stack,
    pub(super) port: u16,
    pub(super) pid: u32,
}

/// A sign-in: what the origin gave for it.
#[derive(Clone, Debug)]
pub(super) struct SignedIn {
    pub(super) session: String,
    pub(super) access_token: String,
    pub(super) refresh_token: String,
}

impl Origin {
    /// Starts it with limits that one client does not meet, and with `settings` on top of its configuration.
    pub(super) fn start(workspace: &Workspace, settings: &[(&str, &str)]) -> Result<Self> {
        let state = workspace.root().join("target/bench/stack");
        stack::clear(workspace, &state)?;
        ui::heading("Starting Postgres, Redis and the origin");
        let limits = LIMITS
            .iter()
            .map(|name| (format!("PORTCULLIS__LIMITS__{name}"), "1000000".to_owned()));
        let settings = settings
            .iter()
            .map(|(name, value)| (format!("PORTCULLIS__{name}"), (*value).to_owned()));
        let stack = Stack::start(
            workspace,
            &StackOptions {
                edge: false,
                upstream: Upstream::Absent,
                postgres: Store::Own,
                redis: Store::Own,
                binaries: workspace.target_dir().join("release"),
                // Everything costs what it costs in production, a durable commit included.
                fast_postgres: false,
                origin_settings: limits.chain(settings).collect(),
                ..StackOptions::new(workspace, &state)
            },
        )?;
        Ok(Self {
            port: port(&stack.url(Part::Origin))?,
            pid: stack.pid(Part::Origin).context("the origin has ended")?,
            stack,
        })
    }

    /// Makes the account of a caller, and signs it in.
    pub(super) fn register(&self, caller: usize) -> Result<SignedIn> {
        let account = json!({
            "email": email(caller), "password": PASSWORD, "firstName": "Bench", "lastName": "Caller",
        });
        let answer = Client::connect(self.port)?.post("/auth/register", &account.to_string())?;
        if answer.status != 201 {
            bail!(
                "the origin answers {} to a registration: {}",
                answer.status,
                answer.body
            );
        }
        SignedIn::read(&answer.body)
    }

    /// The accounts of `callers` callers, all signed in.
    pub(super) fn register_all(&self, callers: usize) -> Result<Vec<SignedIn>> {
        (0..callers).map(|caller| self.register(caller)).collect()
    }

    /// Signs the first caller in `count` times, as many at a time as the cores can bear.
    pub(super) fn sign_in_often(&self, count: usize) -> Result<Vec<SignedIn>> {
        let started = AtomicUsize::new(0);
        let lane = || {
            let mut client = Client::connect(self.port)?;
            let mut all = Vec::new();
            while started.fetch_add(1, Ordering::Relaxed) < count {
                all.push(sign_in(&mut client, &login_body(0))?);
            }
            Ok(all)
        };
        let lanes: Vec<Result<Vec<SignedIn>>> = thread::scope(|scope| {
            let lanes: Vec<_> = (0..2 * hashing::cores()).map(|_| scope.spawn(lane)).collect();
            lanes
                .into_iter()
                .map(|lane| lane.join().unwrap_or_else(|_| bail!("a caller ended early")))
                .collect()
        });
        Ok(lanes.into_iter().collect::<Result<Vec<_>>>()?.concat())
    }

    /// Runs SQL in the origin's database.
    pub(super) fn sql(&self, workspace: &Workspace, statement: &str) -> Result<()> {
        let mut command: Command =
            stack::client(workspace, "psql", "--dbname", &self.stack.url(Part::Postgres))?;
        command
            .args(["--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--command"])
            .arg(statement);
        crate::process::text(&mut command).map(|_| ())
    }
}

impl SignedIn {
    /// Reads a login result.
    fn read(body: &str) -> Result<Self> {
        let result: Value = serde_json::from_str(body).context("the login result is no JSON")?;
        let text = |pointer: &str| {
            result
                .pointer(pointer)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .with_context(|| format!("the login result has no {pointer}"))
        };
        Ok(Self {
            session: text("/session/id")?,
            access_token: text("/tokens/accessToken")?,
            refresh_token: text("/tokens/refreshToken")?,
        })
    }
}

/// The body of a caller's sign-in.
pub(super) fn login_body(caller: usize) -> String {
    json!({ "email": email(caller), "password": PASSWORD }).to_string()
}

fn sign_in(client: &mut Client, body: &str) -> Result<SignedIn> {
    let answer = client.post("/auth/login", body)?;
    if answer.status != 200 {
        bail!(
            "the origin answers {} to a sign-in: {}",
            answer.status,
            answer.body
        );
    }
    SignedIn::read(&answer.body)
}

fn email(caller: usize) -> String {
    format!("caller-{caller}@bench.example")
}

fn port(url: &str) -> Result<u16> {
    url.rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
        .with_context(|| format!("{url:?} has no port"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_origins_url() {
        assert_eq!(port("http://127.0.0.1:3001").unwrap(), 3001);
        assert!(port("http://origin").is_err());
    }

    #[test]
    fn a_login_result_without_a_session_is_refused() {
        let body = r#"{"tokens": {"accessToken": "a", "refreshToken": "r"}, "session": {"id": "s"}}"#;
        assert_eq!(SignedIn::read(body).unwrap().session, "s");
        assert!(SignedIn::read(r#"{"mfaRequired": true}"#).is_err());
    }
}
