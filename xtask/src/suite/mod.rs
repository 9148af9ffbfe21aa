//! `cargo xtask test`: everything that must hold before a change goes in, in one run.

mod steps;
mod tally;

use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::{interrupt, process::pidfile, setup, ui, workspace::Workspace};
use steps::Step;
use tally::Tally;

/// Where the stack of the tests, and the stacks that tests start themselves, keep what they write.
const STATE: &str = ".dev/test";

/// What `test` can be told.
#[derive(Args, Clone, Debug)]
pub struct TestArgs {
    /// Run these steps only, in their usual order
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STEP")]
    only: Vec<Step>,
    /// What follows goes to `cargo test`: a filter, `-p CRATE`, `-- --nocapture`
    #[arg(last = true, value_name = "ARGS")]
    cargo_test: Vec<String>,
}

/// What the steps share.
struct Run<'a> {
    workspace: &'a Workspace,
    cargo_test: &'a [String],
    tally: Tally,
}

/// Runs the steps, and stops at the first that fails.
pub fn run(workspace: &Workspace, args: &TestArgs) -> Result<()> {
    let began = Instant::now();
    setup::ensure(workspace, &setup::for_tests())?;
    let mut run = Run {
        workspace,
        cargo_test: &args.cargo_test,
        tally: Tally::default(),
    };
    let chosen = Step::value_variants()
        .iter()
        .filter(|step| args.only.is_empty() || args.only.contains(step));
    let mut times = Vec::new();
    for step in chosen {
        interrupt::check()?;
        ui::heading(step.title());
        let step_began = Instant::now();
        let result = step.run(&mut run);
        let took = ui::seconds(step_began.elapsed());
        if let Err(error) = result {
            ui::line(&format!("  {}: failed ({took})", step.title()));
            sweep(workspace);
            if run.tally.failed() > 0 {
                ui::line(&run.tally.to_string());
            }
            return Err(error).with_context(|| format!("the step \"{}\" failed", step.title()));
        }
        ui::line(&format!("  {}: ok ({took})", step.title()));
        times.push(format!("  {:<36} {took}", step.title()));
    }
    sweep(workspace);
    ui::heading("Summary");
    ui::line(&times.join("\n"));
    ui::line(&format!("  {:<36} {}", "all steps", ui::seconds(began.elapsed())));
    ui::line("");
    if run.tally.ignored() > 0 {
        ui::line(&format!("{} ignored", run.tally.ignored()));
    }
    if run.tally.counted() {
        ui::line(&run.tally.to_string());
    }
    if run.tally.failed() > 0 {
        bail!("{} tests failed", run.tally.failed());
    }
    Ok(())
}

/// Stops what tests started and could not stop themselves.
fn sweep(workspace: &Workspace) {
    for name in pidfile::sweep_below(&workspace.root().join(STATE)) {
        ui::line(&format!("  stopped {name}, which a test left behind"));
    }
}
