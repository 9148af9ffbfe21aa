//! The whole system on this machine: Postgres, Redis, the origin, the example upstream and the edge.
//!
//! Invariants: one stack for one state folder, held by a lock; every port is checked before anything starts; everything
//! listens on the loopback interface only; dropping a [`Stack`] stops all it started, whatever the reason.

mod apps;
mod config;
mod postgres;
mod redis;
mod state;

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

pub use config::{AUDIENCE, ISSUER};
pub use postgres::{client, create_database};
pub use state::Secrets;

use crate::{
    net,
    process::{Service, pidfile, quietly},
    ui,
    workspace::Workspace,
};
use state::State;

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
            binaries: workspace.bin_dir(),
            fast_postgres: true,
        }
    }
}

/// A running stack.
#[derive(Debug)]
pub struct Stack {
    // Dropped in this order: what depends on others first, the lock last.
    services: Vec<(Part, Service)>,
    urls: Vec<(Part, String)>,
    origin_settings: Vec<(String, String)>,
    binaries: PathBuf,
    workspace: Workspace,
    state: State,
}

impl Stack {
    /// Starts everything, and waits until all of it serves.
    ///
    /// Fails before anything is started where another stack runs in the state folder or a port is taken, and after
    /// stopping everything again where a part does not come up.
    pub fn start(workspace: &Workspace, options: &StackOptions) -> Result<Self> {
        let state = State::open(workspace, &options.state_dir)?;
        let ports = settle_ports(options)?;
        let mut stack = Self {
            services: Vec::new(),
            urls: Vec::new(),
            origin_settings: options.origin_settings.clone(),
            binaries: options.binaries.clone(),
            workspace: workspace.clone(),
            state,
        };
        stack.start_stores(options, ports)?;
        stack.start_apps(options, ports)?;
        Ok(stack)
    }

    /// Fails where [`Stack::start`] would before it starts anything.
    pub fn preflight(workspace: &Workspace, options: &StackOptions) -> Result<()> {
        let _state = State::open(workspace, &options.state_dir)?;
        settle_ports(options).map(|_| ())
    }

    fn start_stores(&mut self, options: &StackOptions, ports: Settled) -> Result<()> {
        let (workspace, state) = (&self.workspace, &self.state);
        if options.postgres == Store::Own {
            postgres::prepare(workspace, state, options.fast_postgres)?;
            let mut service = Service::new(
                workspace,
                postgres::spec(state, ports.postgres, options.fast_postgres)?,
            );
            service.launch()?;
            self.services.push((Part::Postgres, service));
        }
        if options.redis == Store::Own {
            let mut service = Service::new(workspace, redis::spec(state, ports.redis)?);
            service.launch()?;
            self.services.push((Part::Redis, service));
        }
        for (_, service) in &mut self.services {
            service.await_ready()?;
        }
        let postgres = match &options.postgres {
            Store::Own => postgres::ensure_database(workspace, state, ports.postgres)?,
            Store::Given(url) => url.clone(),
        };
        let redis = match &options.redis {
            Store::Own => redis::url(state, ports.redis),
            Store::Given(url) => url.clone(),
        };
        self.urls
            .extend([(Part::Postgres, postgres), (Part::Redis, redis)]);
        Ok(())
    }

    fn start_apps(&mut self, options: &StackOptions, ports: Settled) -> Result<()> {
        let upstream = match &options.upstream {
            Upstream::Own | Upstream::Absent => loopback(ports.upstream),
            Upstream::Given(url) => url.clone(),
        };
        self.urls
            .extend([(Part::Origin, loopback(ports.origin)), (Part::Upstream, upstream)]);
        if options.edge {
            self.urls.push((Part::Edge, loopback(ports.edge)));
        }
        config::write(
            &self.state,
            &self.url(Part::Postgres),
            &self.url(Part::Redis),
            ports.origin,
        )?;
        config::write_worker_secrets(&self.state, &options.worker_secrets)?;
        self.migrate()?;

        let mut apps = vec![(Part::Origin, self.origin_spec("origin", ports.origin))];
        if options.upstream == Upstream::Own {
            apps.push((
                Part::Upstream,
                apps::upstream(&self.state, &self.binaries, ports.upstream),
            ));
        }
        if options.edge {
            let mut vars = vec![
                ("ORIGIN_URL".to_owned(), self.url(Part::Origin)),
                ("UPSTREAM_VENUE".to_owned(), self.url(Part::Upstream)),
            ];
            vars.extend(options.worker_vars.iter().cloned());
            let worker = apps::Worker {
                port: ports.edge,
                vars,
                secrets: &options.worker_secrets,
            };
            apps.push((Part::Edge, apps::edge(&self.workspace, &self.state, &worker)?));
        }
        let first = self.services.len();
        for (part, spec) in apps {
            let mut service = Service::new(&self.workspace, spec);
            service.launch()?;
            self.services.push((part, service));
        }
        for (_, service) in self.services.iter_mut().skip(first) {
            service.await_ready()?;
        }
        Ok(())
    }

    fn origin_spec(&self, name: &str, port: u16) -> crate::process::ServiceSpec {
        apps::origin(&self.state, &self.binaries, name, port, &self.origin_env())
    }

    /// The environment in which the programs of the origin find their configuration.
    fn origin_env(&self) -> Vec<(String, String)> {
        let mut env = config::origin_env(&self.state, &self.url(Part::Postgres), &self.url(Part::Redis));
        env.extend(self.origin_settings.iter().cloned());
        env
    }

    fn migrate(&self) -> Result<()> {
        let mut command = self.workspace.command(self.binaries.join("portcullis"));
        command.arg("migrate").envs(self.origin_env());
        quietly(
            "migrating the database",
            &mut command,
            &self.state.dir().join("log/migrate.log"),
        )
    }

    /// Where a part is reached: `http://127.0.0.1:port`, `postgres://…` or `redis://…`; empty for a part left out.
    #[must_use]
    pub fn url(&self, part: Part) -> String {
        self.urls
            .iter()
            .find(|(known, _)| *known == part)
            .map(|(_, url)| url.clone())
            .unwrap_or_default()
    }

    /// The process that leads a part, while it runs.
    #[must_use]
    pub fn pid(&self, part: Part) -> Option<u32> {
        self.services
            .iter()
            .find(|(known, _)| *known == part)
            .and_then(|(_, service)| service.pid())
    }

    /// The file with everything a part wrote.
    #[must_use]
    pub fn log_path(&self, part: Part) -> PathBuf {
        self.state.dir().join(format!("log/{}.log", part.name()))
    }

    /// The folder of everything that this stack writes.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        self.state.dir()
    }

    /// The secrets that its parts share.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        self.state.secrets()
    }

    /// Asks a part to stop, and waits until it is gone.
    pub fn stop(&mut self, part: Part) -> Result<()> {
        self.service(part)?.stop();
        Ok(())
    }

    /// Kills a part and everything it started, and waits until it is gone.
    pub fn kill(&mut self, part: Part) -> Result<()> {
        self.service(part)?.kill();
        Ok(())
    }

    /// Starts a part again, on the port it had, and waits until it serves.
    pub fn start_part(&mut self, part: Part) -> Result<()> {
        self.service(part)?.start()
    }

    /// Starts one more origin on the same stores, called `name` in pid file and log.
    pub fn start_replica(&self, name: &str) -> Result<Replica> {
        let port = net::free_port()?;
        let mut service = Service::new(&self.workspace, self.origin_spec(name, port));
        service.start()?;
        Ok(Replica { service, port })
    }

    /// The parts that this stack started, in the order in which it did.
    pub fn services_mut(&mut self) -> impl Iterator<Item = (Part, &mut Service)> {
        self.services.iter_mut().map(|(part, service)| (*part, service))
    }

    fn service(&mut self, part: Part) -> Result<&mut Service> {
        self.services
            .iter_mut()
            .find_map(|(known, service)| (*known == part).then_some(service))
            .with_context(|| format!("this stack did not start {}", part.name()))
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // The edge, the upstream and the origin stop side by side; the stores once nobody uses them any more.
        let is_store = |part: Part| matches!(part, Part::Postgres | Part::Redis);
        for stores in [false, true] {
            let of_turn = |part: Part| is_store(part) == stores;
            for (_, service) in self.services.iter().filter(|(part, _)| of_turn(*part)) {
                service.ask_to_stop();
            }
            for (_, service) in self.services.iter_mut().rev().filter(|(part, _)| of_turn(*part)) {
                service.stop();
            }
        }
    }
}

/// One more origin beside that of a stack. Dropping it stops it.
#[derive(Debug)]
pub struct Replica {
    service: Service,
    port: u16,
}

impl Replica {
    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> String {
        loopback(self.port)
    }

    /// Its process while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.service.pid()
    }

    /// Asks it to stop, and waits until it is gone.
    pub fn stop(&mut self) {
        self.service.stop();
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(&mut self) {
        self.service.kill();
    }

    /// Starts it again, and waits until it serves.
    pub fn start(&mut self) -> Result<()> {
        self.service.start()
    }
}

/// The ports, decided.
#[derive(Clone, Copy, Debug)]
struct Settled {
    postgres: u16,
    redis: u16,
    origin: u16,
    upstream: u16,
    edge: u16,
}

/// Decides every port; all that were asked for must be free and differ.
fn settle_ports(options: &StackOptions) -> Result<Settled> {
    let asked = [
        (
            Part::Postgres,
            options.ports.postgres,
            options.postgres == Store::Own,
        ),
        (Part::Redis, options.ports.redis, options.redis == Store::Own),
        (Part::Origin, options.ports.origin, true),
        (
            Part::Upstream,
            options.ports.upstream,
            options.upstream == Upstream::Own,
        ),
        (Part::Edge, options.ports.edge, options.edge),
    ];
    let mut taken: Vec<(u16, Part)> = Vec::new();
    let mut problems = Vec::new();
    for (part, port, _) in asked.into_iter().filter(|(_, _, starts)| *starts) {
        let Some(port) = port else { continue };
        if let Some((_, other)) = taken.iter().find(|(known, _)| *known == port) {
            problems.push(format!(
                "{} and {} cannot both have port {port} ({}, {})",
                other.name(),
                part.name(),
                other.flag(),
                part.flag()
            ));
        } else if let Err(problem) = net::require_free(port, &format!("the {}", part.name()), part.flag()) {
            problems.push(problem.to_string());
        }
        taken.push((port, part));
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    let or_free = |port: Option<u16>| port.map_or_else(net::free_port, Ok);
    Ok(Settled {
        postgres: or_free(options.ports.postgres)?,
        redis: or_free(options.ports.redis)?,
        origin: or_free(options.ports.origin)?,
        upstream: or_free(options.ports.upstream)?,
        edge: or_free(options.ports.edge)?,
    })
}

fn loopback(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Stops and removes everything that earlier runs left in a state folder and in state folders inside it; fails where
/// one is still going on.
pub fn clear(workspace: &Workspace, state_dir: &Path) -> Result<()> {
    let state = State::open(workspace, state_dir)?;
    for name in pidfile::sweep_below(state.dir()) {
        ui::line(&format!("  stopped {name}, left over from an earlier run"));
    }
    postgres::remove(&state.dir().join("postgres"))?;
    let entries =
        fs::read_dir(state.dir()).with_context(|| format!("{} cannot be read", state.dir().display()))?;
    for entry in entries {
        let path = entry?.path();
        if state.is_lock(&path) {
            continue;
        }
        postgres::remove(&path.join("postgres"))?;
        let removed = if path.is_dir() {
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| format!("{} cannot be removed", path.display()))?;
    }
    Ok(())
}

/// A Postgres of its own, and nothing else. Its data goes with it.
#[derive(Debug)]
pub struct Database {
    service: Service,
    url: String,
    state: State,
}

impl Database {
    /// Starts one in `state_dir`, with an empty database.
    pub fn start(workspace: &Workspace, state_dir: &Path) -> Result<Self> {
        let state = State::open(workspace, state_dir)?;
        postgres::remove(&state.dir().join("postgres"))?;
        let port = net::free_port()?;
        postgres::prepare(workspace, &state, true)?;
        let mut service = Service::new(workspace, postgres::spec(&state, port, true)?);
        service.start()?;
        let url = postgres::ensure_database(workspace, &state, port)?;
        Ok(Self { service, url, state })
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.service.stop();
        let _ = postgres::remove(&self.state.dir().join("postgres"));
    }
}
