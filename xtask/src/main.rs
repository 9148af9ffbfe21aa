//! `cargo xtask`: sets up, runs, checks and measures Portcullis.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::{
    bench::{self, BenchArgs},
    dev::{self, DevArgs},
    doctor,
    fuzz::{self, FuzzArgs},
    interrupt::{self, Interrupted},
    pictures, setup, sqlx,
    suite::{self, TestArgs},
    ui,
    worker::{self, Worker},
    workspace::Workspace,
};

/// Sets up, runs, checks and measures Portcullis
///
/// Every command installs what it needs first: on Debian as root all of it, elsewhere what needs no rights, and says
/// what remains to be installed by hand. Postgres and Redis are started in folders of this checkout, unless
/// `DATABASE_URL` and `REDIS_URL` point at others.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole system until Ctrl-C
    Dev(DevArgs),
    /// Check everything and run every test
    #[command(visible_alias = "ci")]
    Test(TestArgs),
    /// Measure how fast it is beside what one would use instead
    Bench(BenchArgs),
    /// Look for bytes that break what must hold for any
    Fuzz(FuzzArgs),
    /// Build the Worker for release, unless it is up to date
    Edge,
    /// Report every prerequisite
    Doctor,
    /// Make the pictures of `docs/mail` anew
    Pictures,
    /// Write `.sqlx` anew, from a database that is migrated for it
    Sqlx,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let Err(error) = interrupt::listen().and_then(|()| run(&cli.command)) else {
        return ExitCode::SUCCESS;
    };
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        ui::complain(&format!("\n{interrupted}"));
        return ExitCode::from(interrupted.signal.saturating_add(128));
    }
    ui::complain(&format!("\nerror: {error:#}"));
    ExitCode::FAILURE
}

fn run(command: &Command) -> Result<()> {
    let workspace = Workspace::find()?;
    match command {
        Command::Dev(args) => dev::run(&workspace, args),
        Command::Test(args) => suite::run(&workspace, args),
        Command::Bench(args) => bench::run(&workspace, args),
        Command::Fuzz(args) => fuzz::run(&workspace, args),
        Command::Edge => {
            setup::ensure(&workspace, &setup::for_worker())?;
            worker::build(&workspace, Worker::Edge)
        }
        Command::Doctor => doctor::run(&workspace),
        Command::Pictures => {
            setup::ensure(&workspace, &[setup::Prerequisite::Chromium])?;
            pictures::run(&workspace)
        }
        Command::Sqlx => {
            setup::ensure(&workspace, &[setup::Prerequisite::Postgres])?;
            sqlx::run(&workspace)
        }
    }
}
