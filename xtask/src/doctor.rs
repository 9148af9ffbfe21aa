//! `cargo xtask doctor`: what is there, and what is not.

use anyhow::{Result, bail};

use crate::{process, setup, ui, workspace::Workspace};

/// Reports every prerequisite, and fails where one is missing.
pub fn run(workspace: &Workspace) -> Result<()> {
    let mut missing = 0_usize;
    for (name, arg) in [
        ("rustc", "--version"),
        ("cargo", "--version"),
        ("rustup", "--version"),
    ] {
        match process::text(workspace.command(name).arg(arg)) {
            Ok(version) => report("ok", name, version.lines().next().unwrap_or_default()),
            Err(_) => report("absent", name, "not on PATH"),
        }
    }
    for one in setup::for_tests() {
        match one.check(workspace) {
            Ok(found) => report("ok", one.name(), &found),
            Err(problem) => {
                missing += 1;
                report(
                    "MISSING",
                    one.name(),
                    &format!("{problem}; to install: {}", one.advice()),
                );
            }
        }
    }
    for one in setup::for_bench()
        .into_iter()
        .filter(|one| !setup::for_tests().contains(one))
    {
        match one.check(workspace) {
            Ok(found) => report("ok", one.name(), &found),
            Err(problem) => report(
                "absent",
                one.name(),
                &format!("{problem}; only the benchmarks want it"),
            ),
        }
    }
    for (name, meaning) in [("DATABASE_URL", "Postgres"), ("REDIS_URL", "Redis")] {
        let given = std::env::var(name).is_ok_and(|value| !value.is_empty());
        let text = if given {
            format!("set: no {meaning} is started")
        } else {
            format!("not set: a {meaning} is started")
        };
        report("note", name, &text);
    }
    if missing > 0 {
        bail!("{missing} missing; `cargo xtask dev` and `cargo xtask test` install what they can");
    }
    Ok(())
}

fn report(verdict: &str, name: &str, text: &str) {
    ui::line(&format!("{verdict:<8} {name:<17} {text}"));
}
