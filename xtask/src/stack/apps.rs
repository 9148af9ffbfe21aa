//! The programs of this project: the origin, the example upstream, and the Worker in `wrangler dev`.

use std::{path::Path, time::Duration};

use anyhow::{Result, bail};
use nix::sys::signal::Signal;

use super::state::State;
use crate::{
    net,
    process::{Probe, ServiceSpec},
    workspace::Workspace,
};

/// `portcullis serve` on `port`.
pub(super) fn origin(
    state: &State,
    binaries: &Path,
    name: &str,
    port: u16,
    env: &[(String, String)],
) -> ServiceSpec {
    let mut env = env.to_vec();
    env.push(("PORTCULLIS__HTTP__LISTEN".to_owned(), format!("127.0.0.1:{port}")));
    ServiceSpec {
        name: name.to_owned(),
        program: binaries.join("portcullis"),
        args: vec!["serve".to_owned()],
        env,
        user: None,
        stop: Signal::SIGTERM,
        // More than it gives requests in flight.
        grace: Duration::from_secs(10),
        probe: Probe::Http { port, path: "/ready" },
        deadline: Duration::from_mins(1),
        state_dir: state.dir().to_path_buf(),
    }
}

/// The example upstream on `port`.
pub(super) fn upstream(state: &State, binaries: &Path, port: u16) -> ServiceSpec {
    ServiceSpec {
        name: "upstream".to_owned(),
        program: binaries.join("venue-api"),
        args: Vec::new(),
        env: vec![("VENUE_API_LISTEN".to_owned(), format!("127.0.0.1:{port}"))],
        user: None,
        stop: Signal::SIGTERM,
        grace: Duration::from_secs(5),
        probe: Probe::Http {
            port,
            path: "/health",
        },
        deadline: Duration::from_secs(30),
        state_dir: state.dir().to_path_buf(),
    }
}

/// What a Worker is started with.
pub(super) struct Worker<'a> {
    /// Where it listens.
    pub(super) port: u16,
    /// Its plain variables.
    pub(super) vars: Vec<(String, String)>,
    /// The file of its secrets.
    pub(super) secrets: &'a Path,
    /// Its configuration, where it is not `wrangler.toml`.
    pub(super) config: Option<&'a Path>,
}

/// `wrangler dev` as configured by `wrangler.toml`, offline and without questions.
pub(super) fn edge(workspace: &Workspace, state: &State, worker: &Worker<'_>) -> Result<ServiceSpec> {
    let wrangler = workspace.root().join("node_modules/wrangler/bin/wrangler.js");
    if !wrangler.is_file() {
        bail!("wrangler is not installed in node_modules");
    }
    let path = |path: &Path| path.display().to_string();
    let mut args = vec![
        path(&wrangler),
        "dev".to_owned(),
        "--show-interactive-dev-session=false".to_owned(),
    ];
    for (name, value) in [
        ("--ip", "127.0.0.1".to_owned()),
        ("--port", worker.port.to_string()),
        ("--inspector-ip", "127.0.0.1".to_owned()),
        ("--inspector-port", net::free_port()?.to_string()),
        ("--persist-to", path(&state.dir().join("worker"))),
        ("--env-file", path(worker.secrets)),
    ] {
        args.extend([name.to_owned(), value]);
    }
    if let Some(config) = worker.config {
        args.extend(["--config".to_owned(), path(config)]);
    }
    for (name, value) in &worker.vars {
        args.extend(["--var".to_owned(), format!("{name}:{value}")]);
    }
    let env = [
        // Both would ask the network for something that only a deployment needs.
        ("CLOUDFLARE_CF_FETCH_ENABLED", "false".to_owned()),
        ("WRANGLER_SEND_METRICS", "false".to_owned()),
        ("WRANGLER_SEND_ERROR_REPORTS", "false".to_owned()),
        ("WRANGLER_HIDE_BANNER", "true".to_owned()),
        ("X_LOCAL_EXPLORER", "false".to_owned()),
        ("X_LOCAL_OBSERVABILITY", "false".to_owned()),
        // Its own corner, so that two stacks do not find each other, and none writes into the home folder.
        (
            "WRANGLER_REGISTRY_PATH",
            path(&state.dir().join("worker/registry")),
        ),
        ("WRANGLER_LOG_PATH", path(&state.dir().join("log"))),
        ("XDG_CONFIG_HOME", path(&state.dir().join("worker/config"))),
        ("CI", "true".to_owned()),
    ];
    Ok(ServiceSpec {
        name: "edge".to_owned(),
        program: workspace.npm_bin("node"),
        args,
        env: env
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        user: None,
        stop: Signal::SIGTERM,
        grace: Duration::from_secs(5),
        // Answered by the origin, so that it passes once requests pass.
        probe: Probe::Http {
            port: worker.port,
            path: "/live",
        },
        deadline: Duration::from_mins(2),
        state_dir: state.dir().to_path_buf(),
    })
}
