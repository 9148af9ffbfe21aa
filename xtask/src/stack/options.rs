//! What a stack is made of.

use std::{env, path::PathBuf};

use crate::workspace::Workspace;

/// One of the programs of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The truth.
    Postgres,
    /// What may be lost.
    Redis,
    /// `portcullis serve`.
    Origin,
    /// The example behind the edge.
    Upstream,
    /// The Worker, in `wrangler dev`.
    Edge,
}

impl Part {
    /// All of them, in the order in which they start.
    pub const ALL: [Self; 5] = [
        Self::Postgres,
        Self::Redis,
        Self::Origin,
        Self::Upstream,
        Self::Edge,
    ];

    /// Its name in messages, and of its pid file and log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Origin => "origin",
            Self::Upstream => "upstream",
            Self::Edge => "edge",
        }
    }

    /// The option of `cargo xtask dev` that moves its port.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Postgres => "--postgres-port",
            Self::Redis => "--redis-port",
            Self::Origin => "--origin-port",
            Self::Upstream => "--upstream-port",
            Self::Edge => "--edge-port",
        }
    }
}

/// The port of each part; `None`: one that is free.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// Of Postgres.
    pub postgres: Option<u16>,
    /// Of Redis.
    pub redis: Option<u16>,
    /// Of the origin.
    pub origin: Option<u16>,
    /// Of the upstream.
    pub upstream: Option<u16>,
    /// Of the edge.
    pub edge: Option<u16>,
}

/// Where a store comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Store {
    /// The stack starts one, in its state folder.
    Own,
    /// It runs already, at this URL.
    Given(String),
}

impl Store {
    /// The store that the environment variable `name` points at, or one of the stack's own.
    #[must_use]
    pub fn from_env(name: &str) -> Self {
        env::var(name)
            .ok()
            .filter(|url| !url.is_empty())
            .map_or(Self::Own, Self::Given)
    }
}

/// What the edge forwards to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// The example, started by the stack.
    Own,
    /// Something else, at this URL.
    Given(String),
    /// Nothing: the edge points at a port where nobody listens.
    Absent,
}

/// What a stack is made of.
#[derive(Clone, Debug)]
pub struct StackOptions {
    /// The folder of everything that this stack writes.
    pub state_dir: PathBuf,
    /// The ports.
    pub ports: Ports,
    /// Where Postgres comes from.
    pub postgres: Store,
    /// Where Redis comes from.
    pub redis: Store,
    /// What the edge forwards to.
    pub upstream: Upstream,
    /// Whether the Worker runs.
    pub edge: bool,
    /// Environment of the origin, on top of its configuration file.
    pub origin_settings: Vec<(String, String)>,
    /// Plain variables of the Worker, on top of `wrangler.toml`.
    pub worker_vars: Vec<(String, String)>,
    /// The configuration of the Worker, where it is not `wrangler.toml`.
    pub worker_config: Option<PathBuf>,
    /// The folder with the programs `portcullis` and `venue-api`.
    pub binaries: PathBuf,
    /// Whether Postgres may lose everything at a power cut, and is faster for it.
    pub fast_postgres: bool,
    /// The file for the Worker's secrets; `wrangler dev` without options reads `.dev.vars` at the root.
    pub worker_secrets: PathBuf,
}

impl StackOptions {
    /// Everything of its own, on free ports, with what was built beside the running program.
    pub fn new(workspace: &Workspace, state_dir: impl Into<PathBuf>) -> Self {
        let state_dir = workspace.root().join(state_dir.into());
        Self {
            worker_secrets: state_dir.join("worker.vars"),
            state_dir,
            ports: Ports::default(),
            postgres: Store::Own,
            redis: Store::Own,
            upstream: Upstream::Own,
            edge: true,
            origin_settings: Vec::new(),
            worker_vars: Vec::new(),
            worker_config: None,
            binaries: workspace.bin_dir(),
            fast_postgres: true,
        }
    }
}
