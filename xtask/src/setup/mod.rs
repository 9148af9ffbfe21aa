//! What must be there before anything can be built or run, and how it gets there.
//!
//! Invariants: nothing is fetched that is there already in the right version; nothing outside the checkout is touched
//! except by `rustup target add` and, as root on Debian, by apt; every step says what it does while it does it.

mod apt;
mod cargo_tools;
mod node;
mod platform;
mod wasm_target;

use std::{path::PathBuf, time::Instant};

use anyhow::{Result, bail};

pub use platform::postgres_bin_dir;

use crate::{
    ui,
    workspace::{Workspace, on_path},
};

/// One thing that must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prerequisite {
    /// PostgreSQL's server programs.
    Postgres,
    /// Redis, or Valkey under its name.
    Redis,
    /// npm, to install the packages below; any that comes with Node 18 or newer.
    Npm,
    /// The load generator of the benchmarks.
    Wrk,
    /// The C implementation that the benchmarks compare with.
    Argon2,
    /// The browser of the system tests, and the server that drives it.
    Chromium,
    /// The standard library for `wasm32-unknown-unknown`.
    WasmTarget,
    /// A program that cargo builds under `.tools/`.
    CargoTool(cargo_tools::Tool),
    /// The packages of a lock file: Node 22, wrangler, esbuild, binaryen and so on, or what the benchmarks compare with.
    NodePackages(node::Packages),
}

/// What building a Worker takes.
const WORKER: &[Prerequisite] = &[
    Prerequisite::Npm,
    Prerequisite::WasmTarget,
    Prerequisite::CargoTool(cargo_tools::WORKER_BUILD),
    Prerequisite::CargoTool(cargo_tools::WASM_BINDGEN),
    Prerequisite::NodePackages(node::TOOLS),
];

impl Prerequisite {
    /// What it is called in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Redis => "Redis",
            Self::Npm => "npm",
            Self::Wrk => "wrk",
            Self::Argon2 => "argon2 (C)",
            Self::Chromium => "Chromium",
            Self::WasmTarget => "wasm32 target",
            Self::CargoTool(tool) => tool.package,
            Self::NodePackages(packages) => packages.name,
        }
    }

    /// Where it was found and in which version, or what is wrong with it.
    pub fn check(self, workspace: &Workspace) -> Result<String, String> {
        match self {
            Self::Postgres => platform::postgres_bin_dir()
                .map(|folder| folder.display().to_string())
                .ok_or_else(|| "no folder with initdb and postgres".to_owned()),
            Self::Redis => program(&["redis-server", "valkey-server"]),
            Self::Npm => program(&["npm"]),
            Self::Wrk => program(&["wrk"]),
            Self::Argon2 => program(&["argon2"]),
            Self::Chromium => program(&["chromedriver"])
                .and_then(|_| program(&["chromium", "chromium-browser", "google-chrome"])),
            Self::WasmTarget => wasm_target::check(workspace),
            Self::CargoTool(tool) => tool.check(workspace),
            Self::NodePackages(packages) => packages.check(workspace),
        }
    }

    /// The Debian packages that bring it, for what a system package brings.
    #[must_use]
    pub fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgresql"],
            Self::Redis => &["redis-server"],
            Self::Npm => &["nodejs", "npm"],
            Self::Wrk => &["wrk"],
            Self::Argon2 => &["argon2"],
            Self::Chromium => &["chromium", "chromium-driver"],
            Self::WasmTarget | Self::CargoTool(_) | Self::NodePackages(_) => &[],
        }
    }

    /// How a person installs it on any system.
    #[must_use]
    pub fn advice(self) -> String {
        match self {
            Self::Postgres => {
                "PostgreSQL 14 or newer with its server programs (initdb, postgres, createdb)".to_owned()
            }
            Self::Redis => "Redis 7 or newer, or Valkey (redis-server or valkey-server on PATH)".to_owned(),
            Self::Npm => "Node.js 18 or newer with npm".to_owned(),
            Self::Wrk => "wrk, the HTTP load generator".to_owned(),
            Self::Argon2 => "the argon2 command of the reference implementation".to_owned(),
            Self::Chromium => "Chromium or Chrome, and chromedriver of the same version".to_owned(),
            Self::WasmTarget => wasm_target::ADVICE.to_owned(),
            Self::CargoTool(tool) => tool.advice(),
            Self::NodePackages(packages) => packages.advice(),
        }
    }

    fn install(self, workspace: &Workspace) -> Result<()> {
        match self {
            Self::Postgres | Self::Redis | Self::Npm | Self::Wrk | Self::Argon2 | Self::Chromium => {
                apt::install(workspace, self.debian_packages())
            }
            Self::WasmTarget => wasm_target::install(workspace),
            Self::CargoTool(tool) => tool.install(workspace),
            Self::NodePackages(packages) => packages.install(workspace),
        }
    }
}

/// Everything that `dev` needs; what `DATABASE_URL` or `REDIS_URL` stand in for is left out.
#[must_use]
pub fn for_stack() -> Vec<Prerequisite> {
    let mut needed = stores();
    needed.extend(WORKER);
    needed
}

/// Everything that `test` needs.
#[must_use]
pub fn for_tests() -> Vec<Prerequisite> {
    // The system tests stop and kill stores of their own, whatever the shared ones are.
    let mut needed = vec![
        Prerequisite::Postgres,
        Prerequisite::Redis,
        Prerequisite::Chromium,
    ];
    needed.extend(WORKER);
    needed.push(Prerequisite::CargoTool(cargo_tools::CARGO_DENY));
    needed
}

/// Everything that `edge` needs.
#[must_use]
pub fn for_worker() -> Vec<Prerequisite> {
    WORKER.to_vec()
}

/// Everything that `fuzz` needs, beside a C++ compiler.
#[must_use]
pub fn for_fuzzing() -> Vec<Prerequisite> {
    vec![Prerequisite::CargoTool(cargo_tools::CARGO_FUZZ)]
}

/// Everything that `bench` needs.
#[must_use]
pub fn for_bench() -> Vec<Prerequisite> {
    let mut needed = for_stack();
    needed.extend([
        Prerequisite::Wrk,
        Prerequisite::Argon2,
        Prerequisite::NodePackages(node::RIVALS),
    ]);
    needed
}

/// The stores that this program has to start itself.
#[must_use]
pub fn stores() -> Vec<Prerequisite> {
    let given = |name| std::env::var(name).is_ok_and(|value| !value.is_empty());
    [
        ("DATABASE_URL", Prerequisite::Postgres),
        ("REDIS_URL", Prerequisite::Redis),
    ]
    .into_iter()
    .filter_map(|(name, store)| (!given(name)).then_some(store))
    .collect()
}

/// Brings `needed` about, or says what a person has to install first.
pub fn ensure(workspace: &Workspace, needed: &[Prerequisite]) -> Result<()> {
    let began = Instant::now();
    let missing: Vec<Prerequisite> = needed
        .iter()
        .copied()
        .filter(|one| one.check(workspace).is_err())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let from_system: Vec<Prerequisite> = missing
        .iter()
        .copied()
        .filter(|one| !one.debian_packages().is_empty())
        .collect();
    if !from_system.is_empty()
        && let Err(obstacle) = platform::can_use_apt()
    {
        bail!("{}", instructions(&from_system, &obstacle));
    }
    ui::heading("Set-up");
    if !from_system.is_empty() {
        let packages: Vec<&str> = from_system
            .iter()
            .flat_map(|one| one.debian_packages())
            .copied()
            .collect();
        apt::install(workspace, &packages)?;
    }
    for one in missing.into_iter().filter(|one| one.debian_packages().is_empty()) {
        one.install(workspace)?;
    }
    for one in needed {
        if let Err(problem) = one.check(workspace) {
            bail!("{} is still not usable after the set-up: {problem}", one.name());
        }
    }
    ui::line(&format!("  set-up complete ({})", ui::seconds(began.elapsed())));
    Ok(())
}

/// Says what to install by hand, and why this program does not do it.
fn instructions(missing: &[Prerequisite], obstacle: &str) -> String {
    let packages: Vec<&str> = missing
        .iter()
        .flat_map(|one| one.debian_packages())
        .copied()
        .collect();
    let list: Vec<String> = missing
        .iter()
        .map(|one| format!("  - {}", one.advice()))
        .collect();
    format!(
        "some programs are missing, and {obstacle}.\nPlease install:\n{}\nOn Debian or Ubuntu that is:\n  \
         sudo apt-get install --no-install-recommends {}\nThen run the same command again.",
        list.join("\n"),
        packages.join(" ")
    )
}

fn program(names: &[&str]) -> Result<String, String> {
    names
        .iter()
        .find_map(|name| on_path(name))
        .map(|path: PathBuf| path.display().to_string())
        .ok_or_else(|| format!("no {} on PATH", names.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_name_every_missing_program_and_the_command() {
        let text = instructions(
            &[Prerequisite::Postgres, Prerequisite::Redis],
            "this is not run as root",
        );
        assert!(
            text.contains("PostgreSQL 14") && text.contains("Redis 7"),
            "{text}"
        );
        assert!(
            text.contains("apt-get install --no-install-recommends postgresql redis-server"),
            "{text}"
        );
        assert!(text.contains("not run as root"), "{text}");
    }

    #[test]
    fn a_program_that_is_missing_is_named() {
        assert!(program(&["sh"]).is_ok());
        assert_eq!(
            program(&["no-such-a", "no-such-b"]),
            Err("no no-such-a or no-such-b on PATH".to_owned())
        );
    }
}
