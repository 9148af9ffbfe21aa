//! `cargo xtask bench`: how fast this is, beside what one would use instead.
//!
//! Invariants: what is compared runs on the same machine in the same run, in turns; a rate counts only if every answer
//! was right; a missed goal is printed and fails nothing, because a machine is not a test.

mod check;
mod comparison;
mod contest;
mod drive;
mod edge;
mod enumeration;
mod feed;
mod flood;
mod hashing;
mod histogram;
mod http;
mod isolate;
mod load;
mod login;
mod machine;
mod memory;
mod origin;
mod process_time;
mod refresh;
mod report;
mod revocation;
mod rivals;
mod sample;
mod size;
mod tokens;
mod upstream;
mod worker;

use std::{
    fs,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::{process, setup, ui, workspace::Workspace};

/// How much is measured.
#[derive(Args, Clone, Debug, Default)]
pub struct BenchArgs {
    /// Few and short rounds: whether it works, and roughly how fast
    #[arg(long)]
    quick: bool,
    /// Only these rows
    #[arg(long, value_enum)]
    only: Vec<Part>,
}

/// Rows that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Decisions and proxying of the edge
    Edge,
    /// Size of the edge
    Size,
    /// How soon an isolate of the edge gives its first answer
    Start,
    /// Memory of an isolate of the edge
    Isolate,
    /// argon2id
    Hash,
    /// Sign-ins at the origin
    Login,
    /// Refreshes at the origin
    Refresh,
    /// Token checks at the origin
    Check,
    /// Introspections at the origin
    Introspect,
    /// The revocation feed at many entries
    Feed,
    /// How soon a revocation reaches the edge
    Revocation,
    /// Memory of the origin
    Memory,
    /// Hostile requests, and people among them
    Flood,
    /// Whether times tell who has an account
    Enumeration,
}

impl Part {
    const ALL: [Self; 14] = [
        Self::Edge,
        Self::Size,
        Self::Start,
        Self::Isolate,
        Self::Hash,
        Self::Login,
        Self::Refresh,
        Self::Check,
        Self::Introspect,
        Self::Feed,
        Self::Revocation,
        Self::Memory,
        Self::Flood,
        Self::Enumeration,
    ];
}

/// How long everything is measured. wrk counts in whole seconds.
#[derive(Clone, Copy, Debug)]
struct Plan {
    rounds: usize,
    /// Of one contestant that does not hash, in one round.
    round: Duration,
    /// Before the first round that counts.
    warm_up: Duration,
    /// Of one contestant that hashes, in one round.
    hashing: Duration,
    /// Fresh isolates of each kind.
    starts: usize,
    /// Requests after which it is looked what an isolate has in memory.
    requests: usize,
    /// Answers of the feed, of each kind.
    answers: usize,
    /// Revocations that are followed to the edge.
    trials: usize,
    /// Sessions that lie idle.
    sessions: usize,
    /// Hostile requests of a flood, at least.
    flood: usize,
    /// Requests of each kind about addresses that have an account, and about others.
    guesses: usize,
}

impl Plan {
    const QUICK: Self = Self {
        rounds: 3,
        round: Duration::from_secs(2),
        warm_up: Duration::from_secs(1),
        hashing: Duration::from_secs(2),
        starts: 3,
        requests: 100_000,
        answers: 10,
        trials: 40,
        sessions: 100,
        flood: 2_000,
        guesses: 50,
    };
    const FULL: Self = Self {
        rounds: 7,
        round: Duration::from_secs(4),
        warm_up: Duration::from_secs(2),
        hashing: Duration::from_secs(6),
        starts: 7,
        requests: 1_000_000,
        answers: 50,
        trials: 200,
        sessions: 1_000,
        flood: 20_000,
        guesses: 200,
    };
}

/// Measures, prints the table, and leaves it in `target/bench/latest.json`.
pub fn run(workspace: &Workspace, args: &BenchArgs) -> Result<()> {
    let began = Instant::now();
    setup::ensure(workspace, &setup::for_bench())?;
    let plan = if args.quick { Plan::QUICK } else { Plan::FULL };
    let parts = if args.only.is_empty() {
        Part::ALL.to_vec()
    } else {
        args.only.clone()
    };
    let described = format!(
        "{} rounds in turns, {} s each and {} s where passwords are hashed; medians, ratios round by round",
        plan.rounds,
        plan.round.as_secs(),
        plan.hashing.as_secs()
    );
    build_programs(workspace)?;
    let facts = machine::facts(workspace, &described);
    let hash_rate = hashing::example(workspace, "hash_rate");
    let mint = hashing::example(workspace, "bench_tokens");

    let mut rows = Vec::new();
    for part in parts {
        match part {
            Part::Edge => rows.extend(edge::rows(workspace, &plan, &mint)?),
            Part::Size => rows.push(size::row(workspace)?),
            Part::Start => rows.push(isolate::start_up(workspace, &plan, &mint)?),
            Part::Isolate => rows.push(isolate::memory(workspace, &plan, &mint)?),
            Part::Hash => rows.push(hashing::row(workspace, &plan, &hash_rate)?),
            Part::Login => rows.push(login::row(workspace, &plan, &hash_rate)?),
            Part::Refresh => rows.push(refresh::row(workspace, &plan)?),
            Part::Check => rows.push(check::row(workspace, &plan)?),
            Part::Introspect => rows.push(check::introspection(workspace, &plan)?),
            Part::Feed => {
                rows.push(feed::at_origin(workspace, &plan)?);
                rows.extend(feed::at_edge(workspace, &plan, &mint)?);
            }
            Part::Revocation => rows.extend(revocation::rows(workspace, &plan)?),
            Part::Memory => rows.push(memory::row(workspace, &plan)?),
            Part::Flood => rows.push(flood::row(workspace, &plan)?),
            Part::Enumeration => rows.push(enumeration::row(workspace, &plan)?),
        }
    }

    let file = workspace.root().join("target/bench/latest.json");
    let document = serde_json::to_string_pretty(&report::document(&facts, &rows))?;
    fs::write(&file, document + "\n").with_context(|| format!("{} cannot be written", file.display()))?;
    ui::line(&format!("\n{}", report::table(&facts, &rows)));
    ui::line(&format!(
        "Written to target/bench/latest.json ({})",
        ui::seconds(began.elapsed())
    ));
    Ok(())
}

/// The origin, and the two programs that measure with its code, as they are released.
fn build_programs(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo();
    command
        .args(["build", "--locked", "--release", "--package", "portcullis-origin"])
        .args([
            "--bin",
            "portcullis",
            "--example",
            "hash_rate",
            "--example",
            "bench_tokens",
        ]);
    let log = workspace.root().join("target/bench/log/cargo.log");
    process::quietly("origin (release)", &mut command, &log)
}
