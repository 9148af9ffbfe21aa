//! The facts without which a number means nothing.

use std::{env::consts, fs, thread};

use serde_json::Value;

use crate::{process, workspace::Workspace};

/// The packages that the contestants are made of.
const COMPARED: [&str; 7] = [
    "jose",
    "@node-rs/argon2",
    "better-auth",
    "fastify",
    "jsonwebtoken",
    "ioredis",
    "pg",
];

/// What was measured, on what, with what.
pub(super) fn facts(workspace: &Workspace, plan: &str) -> Vec<(&'static str, String)> {
    let cores = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let said = |program: &str, argument: &str| {
        process::text(workspace.command(program).arg(argument))
            .ok()
            .and_then(|text| Some(text.lines().next()?.to_owned()))
            .unwrap_or_else(|| "unknown".to_owned())
    };
    let packages: Vec<String> = COMPARED
        .iter()
        .map(|name| format!("{name} {}", package(workspace, name)))
        .collect();
    vec![
        ("revision", process::text(workspace.command("git").args(["describe", "--always", "--dirty"])).unwrap_or_default()),
        ("machine", format!("{cores} cores, {}, {} {}", cpu(), consts::OS, consts::ARCH)),
        ("load", format!("{} before the start", load().unwrap_or_else(|| "unknown".to_owned()))),
        (
            "versions",
            format!(
                "{}, node {}, {}, {}",
                said("workerd", "--version"),
                said("node", "--version"),
                packages.join(", "),
                said("rustc", "--version"),
            ),
        ),
        ("plan", plan.to_owned()),
        (
            "caveat",
            "load generator, contestant, upstream and stores share the cores; CPU µs is the contestant's own processes"
                .to_owned(),
        ),
    ]
}

/// The load average over one minute: other work makes every number worse, and the small ones noisier.
fn load() -> Option<String> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    Some(text.split(' ').next()?.to_owned())
}

fn cpu() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or_else(|| "unknown processor".to_owned(), |(_, name)| name.to_owned())
}

fn package(workspace: &Workspace, name: &str) -> String {
    let file = workspace
        .root()
        .join("xtask/bench/node_modules")
        .join(name)
        .join("package.json");
    fs::read_to_string(file)
        .ok()
        .and_then(|text| serde_json::from_str::<Value>(&text).ok())
        .and_then(|package| Some(package.get("version")?.as_str()?.to_owned()))
        .unwrap_or_else(|| "unknown".to_owned())
}
