//! `cargo xtask bench`: how fast this is, beside what one would use instead.
//!
//! Invariants: what is compared runs on the same machine in the same run, in turns; a rate counts only if every answer
//! was right; a missed goal is printed and fails nothing, because a machine is not a test.

mod contest;
mod edge;
mod hashing;
mod http;
mod load;
mod login;
mod machine;
mod process_time;
mod report;
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
    /// argon2id
    Hash,
    /// Sign-ins at the origin
    Login,
}

impl Part {
    const ALL: [Self; 4] = [Self::Edge, Self::Size, Self::Hash, Self::Login];
}

/// How long everything is measured. wrk counts in whole seconds.
#[derive(Clone, Copy, Debug)]
struct Plan {
    rounds: usize,
    /// Of one contestant of the edge, in one round.
    round: Duration,
    /// Before the first round that counts.
    warm_up: Duration,
    /// Of one contestant that hashes, in one round.
    hashing: Duration,
}

impl Plan {
    const fn new(quick: bool) -> Self {
        let (rounds, round, warm_up, hashing) = if quick { (3, 2, 1, 2) } else { (7, 4, 2, 6) };
        Self {
            rounds,
            round: Duration::from_secs(round),
            warm_up: Duration::from_secs(warm_up),
            hashing: Duration::from_secs(hashing),
        }
    }
}

/// Measures, prints the table, and leaves it in `target/bench/latest.json`.
pub fn run(workspace: &Workspace, args: &BenchArgs) -> Result<()> {
    let began = Instant::now();
    setup::ensure(workspace, &setup::for_bench())?;
    let plan = Plan::new(args.quick);
    let parts = if args.only.is_empty() {
        Part::ALL.to_vec()
    } else {
        args.only.clone()
    };
    let described = format!(
        "{} rounds in turns, {} s each at the edge and {} s where passwords are hashed; medians, ratios round by round",
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
            Part::Hash => rows.push(hashing::row(workspace, &plan, &hash_rate)?),
            Part::Login => rows.push(login::row(workspace, &plan, &hash_rate)?),
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
