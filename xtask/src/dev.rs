//! `cargo xtask dev`: the whole system on this machine, until it is told to stop.

use std::{
    path::{Path, PathBuf},
    process::ExitStatus,
    thread,
    time::Duration,
};

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    interrupt,
    process::{self, was_stopped},
    setup,
    stack::{Part, Ports, Stack, StackOptions, Store},
    ui,
    worker::{self, Worker},
    workspace::Workspace,
};

/// How often the parts are looked at.
const WATCH: Duration = Duration::from_millis(100);

/// What `dev` can be told.
#[derive(Args, Clone, Debug)]
pub struct DevArgs {
    /// Port of the edge, where browsers and apps go
    #[arg(long, default_value_t = 8787, value_name = "PORT")]
    edge_port: u16,
    /// Port of the origin
    #[arg(long, default_value_t = 3001, value_name = "PORT")]
    origin_port: u16,
    /// Port of the example upstream
    #[arg(long, default_value_t = 3002, value_name = "PORT")]
    upstream_port: u16,
    /// Port of Postgres [default: a free one]
    #[arg(long, value_name = "PORT")]
    postgres_port: Option<u16>,
    /// Port of Redis [default: a free one]
    #[arg(long, value_name = "PORT")]
    redis_port: Option<u16>,
    /// Folder of everything that is written: data, keys, configuration, logs
    #[arg(long, default_value = DEFAULT_STATE, value_name = "FOLDER")]
    state_dir: PathBuf,
    /// Run what is built, without looking whether it is up to date
    #[arg(long)]
    no_build: bool,
}

const DEFAULT_STATE: &str = ".dev";

/// Runs the system until a signal, or until a part fails.
pub fn run(workspace: &Workspace, args: &DevArgs) -> Result<()> {
    let options = options(workspace, args);
    // Said before minutes go into building, and again when it counts.
    Stack::preflight(workspace, &options)?;
    setup::ensure(workspace, &setup::for_stack())?;
    if !args.no_build {
        ui::heading("Build");
        build_programs(workspace)?;
        worker::build(workspace, Worker::Edge)?;
    }
    ui::heading("Start");
    let mut stack = Stack::start(workspace, &options)?;
    ui::line(&table(&stack, &options));
    ui::line(&format!("ready: {}", stack.url(Part::Edge)));
    let end = watch(&mut stack, args);
    ui::line("stopping …");
    drop(stack);
    ui::line("stopped");
    end
}

fn options(workspace: &Workspace, args: &DevArgs) -> StackOptions {
    let mut options = StackOptions::new(workspace, &args.state_dir);
    options.ports = Ports {
        postgres: args.postgres_port,
        redis: args.redis_port,
        origin: Some(args.origin_port),
        upstream: Some(args.upstream_port),
        edge: Some(args.edge_port),
    };
    options.postgres = Store::from_env("DATABASE_URL");
    options.redis = Store::from_env("REDIS_URL");
    options.binaries = workspace.target_dir().join("debug");
    options.fast_postgres = false;
    if options.state_dir == workspace.root().join(DEFAULT_STATE) {
        // Where `wrangler dev` finds it when it is called without options.
        options.worker_secrets = workspace.root().join(".dev.vars");
    }
    options
}

/// Builds the programs that a stack starts.
pub(crate) fn build_programs(workspace: &Workspace) -> Result<()> {
    let mut cargo = workspace.cargo();
    // All of the workspace's, so that what they depend on is built with the features it has in the tests.
    cargo.args(["build", "--workspace", "--bins"]);
    process::quietly(
        "origin and example upstream",
        &mut cargo,
        &workspace.target_dir().join("xtask/build.log"),
    )
}

/// What listens where.
fn table(stack: &Stack, options: &StackOptions) -> String {
    let given = |store: &Store| if *store == Store::Own { "" } else { " (yours)" };
    let mut lines = vec![String::new()];
    for part in [
        Part::Edge,
        Part::Origin,
        Part::Upstream,
        Part::Postgres,
        Part::Redis,
    ] {
        let note = match part {
            Part::Postgres => given(&options.postgres),
            Part::Redis => given(&options.redis),
            Part::Origin | Part::Upstream | Part::Edge => "",
        };
        lines.push(format!(
            "  {:<10} {}{note}",
            part.name(),
            without_password(&stack.url(part))
        ));
    }
    lines.push(format!("  {:<10} {}", "state", stack.state_dir().display()));
    lines.push(format!(
        "  {:<10} {}",
        "logs",
        stack.state_dir().join("log").display()
    ));
    lines.push(String::new());
    lines.join("\n")
}

fn without_password(url: &str) -> String {
    let hidden = || {
        let (scheme, rest) = url.split_once("://")?;
        let (login, place) = rest.rsplit_once('@')?;
        let user = login.split(':').next().unwrap_or_default();
        Some(if user.is_empty() {
            format!("{scheme}://{place}")
        } else {
            format!("{scheme}://{user}@{place}")
        })
    };
    hidden().unwrap_or_else(|| url.to_owned())
}

/// Waits for a signal, which is how this ends well, or for a part that fails.
///
/// A part that somebody stops on purpose is missed aloud and nothing more: how the rest does without it is what one
/// wants to see.
fn watch(stack: &mut Stack, args: &DevArgs) -> Result<()> {
    while interrupt::check().is_ok() {
        for (part, service) in stack.services_mut() {
            let Some(status) = service.ended() else { continue };
            if !was_stopped(status) {
                bail!("{} failed ({status}); {}", part.name(), service.shown());
            }
            ui::complain(&farewell(
                part,
                status,
                args.state_dir == Path::new(DEFAULT_STATE),
            ));
        }
        thread::sleep(WATCH);
    }
    Ok(())
}

fn farewell(part: Part, status: ExitStatus, default_state: bool) -> String {
    // The command reads the configuration of the default state folder.
    let again = if part == Part::Origin && default_state {
        "; `cargo run -q -p portcullis-origin -- serve` starts it again"
    } else {
        ""
    };
    format!(
        "{} was stopped ({status}); everything else goes on{again}",
        part.name()
    )
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn passwords_do_not_reach_the_table() {
        assert_eq!(
            without_password("postgres://me:secret@127.0.0.1:1/db"),
            "postgres://me@127.0.0.1:1/db"
        );
        assert_eq!(
            without_password("redis://:secret@127.0.0.1:1/"),
            "redis://127.0.0.1:1/"
        );
        assert_eq!(without_password("http://127.0.0.1:8787"), "http://127.0.0.1:8787");
    }

    #[test]
    fn a_part_that_was_stopped_has_not_failed() {
        assert!(was_stopped(ExitStatus::from_raw(0)));
        assert!(was_stopped(ExitStatus::from_raw(9)));
        assert!(was_stopped(ExitStatus::from_raw(15)));
        // Exit code 1, and SIGSEGV.
        assert!(!was_stopped(ExitStatus::from_raw(1 << 8)));
        assert!(!was_stopped(ExitStatus::from_raw(11)));
    }
}
