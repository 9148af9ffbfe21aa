//! The steps of `cargo xtask test`, in their order: what is quick to fail comes first.

use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::{Run, STATE};
use crate::{
    process, sqlx,
    stack::{self, Part, Stack, StackOptions, Store},
    worker::{self, Worker},
};

/// What proptest draws its cases from.
const PROPERTY_SEED: &str = "PROPTEST_RNG_SEED";

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Step {
    /// rustfmt has nothing to change
    Fmt,
    /// Clippy has nothing to say, natively
    Clippy,
    /// Clippy has nothing to say about what goes into a Worker
    ClippyWasm,
    /// Dependencies keep to deny.toml
    Deny,
    /// Documentation builds without a warning
    Docs,
    /// Everything builds
    Build,
    /// The Workers build
    Workers,
    /// All tests pass, over a stack that this step starts
    Tests,
}

impl Step {
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Fmt => "Formatting",
            Self::Clippy => "Clippy",
            Self::ClippyWasm => "Clippy for wasm32",
            Self::Deny => "Dependencies",
            Self::Docs => "Documentation",
            Self::Build => "Build",
            Self::Workers => "Workers",
            Self::Tests => "Tests",
        }
    }

    pub(super) fn run(self, run: &mut Run<'_>) -> Result<()> {
        match self {
            Self::Fmt => process::openly(&mut run.cargo(&["fmt", "--all", "--check"])),
            Self::Clippy => process::openly(&mut run.cargo(&[
                "clippy",
                "--locked",
                "--workspace",
                "--all-targets",
                "--",
                "--deny",
                "warnings",
            ])),
            Self::ClippyWasm => {
                let words = "clippy --locked --target wasm32-unknown-unknown --package portcullis-shared --package portcullis-edge \
                             --package portcullis-vector-worker --package portcullis-bare-wasm --features portcullis-shared/reference,portcullis-shared/webcrypto \
                             -- --deny warnings";
                process::openly(&mut run.cargo(&words.split_whitespace().collect::<Vec<_>>()))
            }
            Self::Deny => {
                // It reads every crate of the lock file, also those that only other systems build.
                let log = run.workspace.target_dir().join("xtask/fetch.log");
                process::quietly(
                    "fetching every crate of the lock file",
                    &mut run.cargo(&["fetch", "--locked"]),
                    &log,
                )?;
                let mut deny = run.workspace.command(run.workspace.cargo_tool("cargo-deny"));
                process::openly(deny.args(["--offline", "--locked", "check", "bans", "licenses", "sources"]))
            }
            Self::Docs => process::openly(
                run.cargo(&["doc", "--locked", "--workspace", "--no-deps"])
                    .env("RUSTDOCFLAGS", "--deny warnings"),
            ),
            Self::Build => {
                process::openly(&mut run.cargo(&["build", "--locked", "--workspace", "--all-targets"]))
            }
            Self::Workers => {
                worker::build(run.workspace, Worker::Edge)?;
                worker::build(run.workspace, Worker::EdgeThatPanics)?;
                worker::build(run.workspace, Worker::Vectors)
            }
            Self::Tests => tests(run),
        }
    }
}

impl Run<'_> {
    fn cargo(&self, words: &[&str]) -> Command {
        let mut command = self.workspace.cargo();
        command.args(words);
        command
    }
}

/// Starts what the tests need, checks `.sqlx` against it, and runs them.
fn tests(run: &mut Run<'_>) -> Result<()> {
    let workspace = run.workspace;
    let state = workspace.root().join(STATE);
    stack::clear(workspace, &state)?;
    let mut options = StackOptions::new(workspace, &state);
    options.postgres = Store::from_env("DATABASE_URL");
    options.redis = Store::from_env("REDIS_URL");
    options.binaries = workspace.target_dir().join("debug");
    let stack = Stack::start(workspace, &options)?;
    sqlx::check(workspace, &stack.url(Part::Postgres))?;

    let mut cargo = workspace.cargo();
    cargo
        .args(["test", "--locked", "--workspace", "--no-fail-fast"])
        .args(run.cargo_test);
    for (name, part) in [
        ("PORTCULLIS_TEST_EDGE", Part::Edge),
        ("PORTCULLIS_TEST_ORIGIN", Part::Origin),
        ("PORTCULLIS_TEST_UPSTREAM", Part::Upstream),
        ("DATABASE_URL", Part::Postgres),
        ("REDIS_URL", Part::Redis),
    ] {
        cargo.env(name, stack.url(part));
    }
    cargo.env("PORTCULLIS_TEST_STATE", &state);
    // The same commit passes or fails each time; `cargo test` without this explores with a new seed each run.
    if std::env::var_os(PROPERTY_SEED).is_none() {
        cargo.env(PROPERTY_SEED, "20261126");
    }
    let tally = &mut run.tally;
    process::observed(&mut cargo, |line| tally.see(line))
        .with_context(|| format!("logs of the parts are in {}", state.display()))
}
