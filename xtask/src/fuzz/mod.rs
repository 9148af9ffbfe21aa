//! `cargo xtask fuzz`: lets libFuzzer look for bytes that break what `portcullis-fuzz` says must hold.
//!
//! No nightly compiler is needed: the code has no `unsafe`, so it is built without a sanitizer, and the instrumentation
//! that libFuzzer follows is a stable option of the compiler. What is needed is a C++ compiler, for libFuzzer itself.

mod progress;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::{
    interrupt, process, setup, ui,
    workspace::{Workspace, on_path},
};
use progress::Findings;

/// The package of the programs, seen from the root.
const PROGRAMS: &str = "fuzz/libfuzzer";
/// The inputs that are kept, seen from the root: a folder for each target.
const KEPT: &str = "fuzz/corpus";
/// Longer inputs are not tried, in bytes: what a header or a table holds fits.
const LONGEST_INPUT: u32 = 4096;

/// What is kept for each target at most, in bytes.
const MOST_KEPT_BYTES: u64 = 24 * 1024;

/// What `fuzz` can be told.
#[derive(Args, Clone, Debug)]
pub struct FuzzArgs {
    /// How long each target is run, in seconds
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    seconds: u32,
    /// Run these targets only
    #[arg(long, value_delimiter = ',', value_name = "TARGET")]
    target: Vec<String>,
    /// Keep the fewest inputs that reach what was reached, up to 24 KiB for each target, in place of those that are kept
    #[arg(long)]
    keep: bool,
}

/// Builds the targets, runs one after the other, and prints what came of it. A crash is an error that names its input.
pub fn run(workspace: &Workspace, args: &FuzzArgs) -> Result<()> {
    setup::ensure(workspace, &setup::for_fuzzing())?;
    require_compiler()?;
    let targets = chosen(workspace, &args.target)?;
    build(workspace)?;
    ui::heading("Fuzzing");
    let mut findings = Vec::new();
    for target in &targets {
        interrupt::check()?;
        findings.push(fuzz(workspace, target, args.seconds)?);
        if args.keep {
            keep(workspace, target)?;
        }
    }
    ui::heading("Summary");
    ui::line(&progress::table(&findings));
    let crashes: Vec<String> = findings.iter().filter_map(Findings::crash).collect();
    if crashes.is_empty() {
        Ok(())
    } else {
        bail!(
            "what must hold does not:\n{}\nMend it, and copy the input into {KEPT}/TARGET/, where a test looks at it",
            crashes.join("\n")
        )
    }
}

fn require_compiler() -> Result<()> {
    let given = env::var("CXX").is_ok_and(|program| !program.is_empty());
    if given
        || ["c++", "g++", "clang++"]
            .iter()
            .any(|name| on_path(name).is_some())
    {
        return Ok(());
    }
    bail!(
        "libFuzzer is built from C++, and there is no C++ compiler on PATH, nor in CXX.\nPlease install one; on Debian or \
         Ubuntu that is:\n  sudo apt-get install --no-install-recommends g++\nThen run the same command again."
    )
}

/// The targets that were asked for; all, where none was.
fn chosen(workspace: &Workspace, wanted: &[String]) -> Result<Vec<String>> {
    let folder = workspace.root().join(KEPT);
    let mut all = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        all.push(entry?.file_name().to_string_lossy().into_owned());
    }
    all.sort();
    if let Some(stranger) = wanted.iter().find(|name| !all.contains(name)) {
        bail!("there is no target {stranger}; there are {}", all.join(", "));
    }
    if wanted.is_empty() {
        Ok(all)
    } else {
        Ok(wanted.to_vec())
    }
}

fn build(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.command(workspace.cargo_tool("cargo-fuzz"));
    command
        .args(["build", "--fuzz-dir", PROGRAMS, "--features", "libfuzzer"])
        .args(["--sanitizer", "none", "--target-dir"])
        .arg(folder(workspace))
        // A crash must name lines, and links must not take minutes.
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "line-tables-only")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_STRIP", "false");
    let log = folder(workspace).join("log/build.log");
    process::quietly("building the targets", &mut command, &log)
}

fn fuzz(workspace: &Workspace, target: &str, seconds: u32) -> Result<Findings> {
    let found = folder(workspace).join("corpus").join(target);
    let crashes = folder(workspace).join("crashes");
    for folder in [&found, &crashes] {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let mut command = program(workspace, target);
    command
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={LONGEST_INPUT}"))
        .arg(format!("-artifact_prefix={}/{target}-", crashes.display()))
        .arg("-print_final_stats=1")
        .arg(&found)
        .arg(workspace.root().join(KEPT).join(target));
    let log = folder(workspace).join(format!("log/{target}.log"));
    let time = ui::seconds(Duration::from_secs(seconds.into()));
    let outcome = process::quietly(&format!("{target}, for {time}"), &mut command, &log);
    let findings = Findings::read(target, &log, &found)?;
    match outcome {
        Err(error) if findings.crash().is_none() => Err(error),
        Err(_) | Ok(()) => Ok(findings),
    }
}

/// Replaces the inputs that are kept for a target by the fewest that reach as much as all that are known.
fn keep(workspace: &Workspace, target: &str) -> Result<()> {
    let kept = workspace.root().join(KEPT).join(target);
    let fewest = folder(workspace).join("fewest").join(target);
    if fewest.exists() {
        fs::remove_dir_all(&fewest).with_context(|| format!("{} cannot be emptied", fewest.display()))?;
    }
    fs::create_dir_all(&fewest).with_context(|| format!("{} cannot be made", fewest.display()))?;
    let mut command = program(workspace, target);
    // What `cargo fuzz cmin` does, but by what is reached and not by how often, so that few inputs are kept.
    command.args(["-set_cover_merge=1", "-use_counters=0"]);
    command.arg(&fewest).arg(&kept);
    command.arg(folder(workspace).join("corpus").join(target));
    let log = folder(workspace).join(format!("log/{target}-merge.log"));
    process::quietly(&format!("{target}: the fewest inputs"), &mut command, &log)?;
    fs::remove_dir_all(&kept).with_context(|| format!("{} cannot be replaced", kept.display()))?;
    fs::create_dir_all(&kept).with_context(|| format!("{} cannot be made", kept.display()))?;
    let mut inputs = Vec::new();
    for entry in fs::read_dir(&fewest).with_context(|| format!("{} cannot be read", fewest.display()))? {
        let input = entry?;
        inputs.push((input.metadata()?.len(), input.file_name()));
    }
    // The small ones first: what is long is long by chance more often than by need.
    inputs.sort();
    let mut bytes = 0;
    for (length, name) in inputs {
        bytes += length;
        if bytes > MOST_KEPT_BYTES {
            break;
        }
        let to = kept.join(&name);
        fs::copy(fewest.join(&name), &to).with_context(|| format!("{} cannot be written", to.display()))?;
    }
    Ok(())
}

fn program(workspace: &Workspace, target: &str) -> Command {
    workspace.command(programs(&folder(workspace)).join(target))
}

/// Where cargo-fuzz leaves what it builds: a folder for each platform, of which there is one here.
fn programs(folder: &Path) -> PathBuf {
    let platform = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    folder.join(platform).join("release")
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target_dir().join("fuzz")
}
