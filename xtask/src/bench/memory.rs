//! The row of the origin's memory with sessions that nobody uses.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    Plan,
    origin::Origin,
    process_time,
    report::{Figure, Row},
};
use crate::{interrupt, ui, workspace::Workspace};

/// 64 MiB.
const LIMIT: f64 = 64.0;

/// How long memory must not have fallen any further. The hasher gives its memory back after one second without work.
const QUIET: Duration = Duration::from_secs(10);

/// The row of resident memory.
pub(super) fn row(workspace: &Workspace, plan: &Plan) -> Result<Row> {
    let origin = Origin::start(workspace, &[])?;
    let before = mebibytes(origin.pid)?;
    origin.register(0)?;
    ui::heading(&format!("Memory: signing in {} times", plan.sessions));
    origin.sign_in_often(plan.sessions)?;
    let after = mebibytes(origin.pid)?;
    let mut lowest = after;
    let mut since = Instant::now();
    while since.elapsed() < QUIET {
        interrupt::check()?;
        thread::sleep(Duration::from_millis(500));
        let now = mebibytes(origin.pid)?;
        if now < lowest {
            (lowest, since) = (now, Instant::now());
        }
    }
    let idle = mebibytes(origin.pid)?;
    Ok(Row::figures(
        "origin, resident memory",
        vec![
            Figure::new(&format!("{} idle sessions", plan.sessions), idle, "MiB").below(LIMIT),
            Figure::new("just started", before, "MiB"),
            Figure::new("right after the last sign-in", after, "MiB"),
        ],
    ))
}

/// What a process has in memory.
pub(super) fn mebibytes(pid: u32) -> Result<f64> {
    let bytes =
        process_time::resident(pid).context("the system does not tell how much memory a process has")?;
    Ok(f64::from(u32::try_from(bytes / 1024)?) / 1024.0)
}
