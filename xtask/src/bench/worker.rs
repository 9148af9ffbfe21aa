//! Workers in workerd, each in a process of its own.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::feed;
use crate::{
    net,
    process::{Probe, Service, ServiceSpec, quietly},
    workspace::Workspace,
};

/// The Workers in JavaScript, as modules of `xtask/bench`.
const MODULES: [&str; 5] = [
    "noop.js",
    "jose.js",
    "proxy.js",
    "header-proxy.js",
    "jose-proxy.js",
];

/// A Worker that takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contestant {
    /// The edge.
    Edge,
    /// jose in front of the answer.
    Jose,
    /// The answer alone.
    Noop,
    /// A proxy.
    Proxy,
    /// A proxy that changes headers as the edge does.
    HeaderProxy,
    /// jose in front of the proxy.
    JoseProxy,
}

impl Contestant {
    /// Its name in the table.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Edge => "Portcullis edge",
            Self::Jose => "JS Worker, jose",
            Self::Noop => "JS Worker, no-op",
            Self::Proxy => "JS Worker, proxy",
            Self::HeaderProxy => "JS Worker, proxy, the edge's headers",
            Self::JoseProxy => "JS Worker, jose and proxy",
        }
    }

    /// File and constant of its configuration.
    const fn config(self) -> (&'static str, &'static str) {
        match self {
            Self::Edge => ("edge.capnp", "edge"),
            Self::Jose => ("bench.capnp", "jose"),
            Self::Noop => ("bench.capnp", "noop"),
            Self::Proxy => ("bench.capnp", "proxy"),
            Self::HeaderProxy => ("bench.capnp", "headerProxy"),
            Self::JoseProxy => ("bench.capnp", "joseProxy"),
        }
    }

    /// Whether it sends requests of its own.
    const fn calls_upstream(self) -> bool {
        !matches!(self, Self::Jose | Self::Noop)
    }
}

/// What the Workers need from outside.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) workspace: &'a Workspace,
    /// Folder for logs and pid files.
    pub(super) state: &'a Path,
    /// Where upstream and origin listen, for those that call one.
    pub(super) upstream_port: u16,
    pub(super) key_set: &'a str,
    /// The edge's signing keys, as it reads them.
    pub(super) signing_keys: String,
    /// The name of the one it signs with.
    pub(super) signing_key_id: String,
}

impl<'a> Surroundings<'a> {
    /// With the signing key that the bench's own origin knows, and without an upstream.
    pub(super) fn new(workspace: &'a Workspace, state: &'a Path, key_set: &'a str) -> Self {
        Self {
            workspace,
            state,
            upstream_port: 0,
            key_set,
            signing_keys: feed::signing_keys(),
            signing_key_id: feed::KEY_ID.to_owned(),
        }
    }
}

/// A Worker that serves.
#[derive(Debug)]
pub(super) struct Running {
    service: Service,
    pub(super) port: u16,
}

impl Running {
    /// Starts `contestant` and waits until it listens.
    pub(super) fn start(contestant: Contestant, around: &Surroundings<'_>) -> Result<Self> {
        let mut one = Self::launch(contestant, around)?;
        one.service.await_ready()?;
        Ok(one)
    }

    /// Starts `contestant`; it does not listen yet.
    pub(super) fn launch(contestant: Contestant, around: &Surroundings<'_>) -> Result<Self> {
        let port = net::free_port()?;
        let (file, constant) = contestant.config();
        let folder = around.workspace.root().join("xtask/bench");
        let mut args = vec![
            "serve".to_owned(),
            folder.join(file).display().to_string(),
            constant.to_owned(),
            "--socket-addr".to_owned(),
            format!("http=127.0.0.1:{port}"),
        ];
        if contestant.calls_upstream() {
            args.push("--external-addr".to_owned());
            args.push(format!("upstream=127.0.0.1:{}", around.upstream_port));
        }
        let mut service = Service::new(
            around.workspace,
            ServiceSpec {
                name: format!("workerd-{constant}"),
                program: around.workspace.npm_bin("workerd"),
                args,
                env: vec![
                    ("BENCH_JWKS".to_owned(), around.key_set.to_owned()),
                    ("BENCH_SIGNING_KEYS".to_owned(), around.signing_keys.clone()),
                    ("BENCH_SIGNING_KEY_ID".to_owned(), around.signing_key_id.clone()),
                ],
                user: None,
                stop: Signal::SIGTERM,
                grace: Duration::from_secs(5),
                probe: Probe::Port { port },
                deadline: Duration::from_secs(20),
                state_dir: around.state.to_path_buf(),
            },
        );
        service.launch()?;
        Ok(Self { service, port })
    }

    /// The process whose time is the Worker's.
    pub(super) fn pid(&self) -> Result<u32> {
        self.service.pid().context("workerd has ended")
    }
}

/// Bundles the Workers in JavaScript; workerd does not read `node_modules`.
pub(super) fn bundle(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root().join("xtask/bench");
    let mut command = workspace.command(workspace.npm_bin("esbuild"));
    command
        .args(MODULES)
        .args(["--bundle", "--format=esm", "--minify", "--outdir=build"])
        .current_dir(&folder);
    let log = workspace.root().join("target/bench/log/esbuild.log");
    quietly("bundling the Workers in JavaScript", &mut command, &log)
}
