//! The row of argon2id, and what the other rows need of it.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::{
    Plan, contest, process_time,
    report::{Goal, Row},
    sample::Sample,
};
use crate::{process, workspace::Workspace};

const OURS: &str = "Portcullis origin";
const NODE: &str = "@node-rs/argon2";
const REFERENCE: &str = "libargon2 (C, the system's)";

/// The row of argon2id at the origin's default cost. `hash_rate` is the program that runs its hasher.
pub(super) fn row(workspace: &Workspace, plan: &Plan, hash_rate: &Path) -> Result<Row> {
    let series = contest::run(
        "argon2id, all cores",
        &[OURS, NODE, REFERENCE],
        plan.rounds,
        |place, _| match place {
            0 => ours(workspace, hash_rate, plan.hashing),
            1 => node(workspace, plan.hashing),
            _ => reference(workspace, plan.hashing),
        },
    )?;
    Ok(Row::contest(
        "argon2id, 64 MiB, t = 3, p = 4, all cores",
        "hashes",
        vec![Goal::at_least_best(1.0, &[NODE, REFERENCE])],
        series,
    ))
}

/// What the origin's hasher does on all cores.
pub(super) fn ours(workspace: &Workspace, hash_rate: &Path, time: Duration) -> Result<Sample> {
    program(workspace.command(hash_rate).arg(time.as_secs().to_string()))
}

/// One thread of the pool for each core and twice as many calls, as ours.
fn node(workspace: &Workspace, time: Duration) -> Result<Sample> {
    let cores = cores();
    let mut command = workspace.command("node");
    command
        .env("UV_THREADPOOL_SIZE", cores.to_string())
        .arg(workspace.root().join("xtask/bench/hash.mjs"))
        .args([time.as_secs().to_string(), (2 * cores).to_string()]);
    program(&mut command)
}

/// Runs a program that prints how many hashes it made in how many seconds.
fn program(command: &mut std::process::Command) -> Result<Sample> {
    let before = process_time::of_children();
    let output = process::text(command)?;
    let report: Value = serde_json::from_str(&output).with_context(|| format!("{output:?} is no report"))?;
    let number = |name: &str| {
        report
            .get(name)
            .and_then(Value::as_f64)
            .with_context(|| format!("the report does not say {name}"))
    };
    Ok(sample(number("hashes")?, number("seconds")?, before))
}

/// The `argon2` command, one for each core at a time. It hashes and then verifies, which is two hashes.
fn reference(workspace: &Workspace, time: Duration) -> Result<Sample> {
    const HASHES_OF_ONE_CALL: u32 = 2;
    let before = process_time::of_children();
    let began = Instant::now();
    let calls: Vec<Result<u32>> = thread::scope(|scope| {
        let lane = || {
            let mut calls = 0;
            while began.elapsed() < time {
                call_reference(workspace)?;
                calls += 1;
            }
            Ok(calls)
        };
        let lanes: Vec<_> = (0..cores()).map(|_| scope.spawn(lane)).collect();
        lanes
            .into_iter()
            .map(|lane| lane.join().unwrap_or_else(|_| bail!("a lane ended early")))
            .collect()
    });
    let calls: u32 = calls.into_iter().sum::<Result<u32>>()?;
    Ok(sample(
        f64::from(calls * HASHES_OF_ONE_CALL),
        began.elapsed().as_secs_f64(),
        before,
    ))
}

fn call_reference(workspace: &Workspace) -> Result<()> {
    let mut child = workspace
        .command("argon2")
        .args([
            "a salt of 16 b.",
            "-id",
            "-t",
            "3",
            "-k",
            "65536",
            "-p",
            "4",
            "-l",
            "32",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .context("argon2 cannot be started")?;
    child
        .stdin
        .take()
        .context("argon2 reads no password")?
        .write_all(b"correct horse battery staple")?;
    let status = child.wait()?;
    if !status.success() {
        bail!("argon2 failed ({status})");
    }
    Ok(())
}

fn sample(hashes: f64, seconds: f64, before: Option<u64>) -> Sample {
    let used = process_time::of_children()
        .zip(before)
        .map(|(after, before)| after.saturating_sub(before));
    Sample {
        per_second: hashes / seconds,
        cpu_micros: used.and_then(|used| Some(f64::from(u32::try_from(used).ok()?) / hashes)),
    }
}

/// Cores that this program may use.
pub(super) fn cores() -> usize {
    thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// Where cargo leaves the example `name` of a release build.
pub(super) fn example(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target_dir().join("release/examples").join(name)
}
