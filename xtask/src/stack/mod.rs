//! The whole system on this machine: Postgres, Redis, the origin, the example upstream and the edge.
//!
//! Invariants: one stack for one state folder, held by a lock; every port is checked before anything starts; everything
//! listens on the loopback interface only; dropping a [`Stack`] stops all it started, whatever the reason.

mod apps;
mod config;
mod database;
mod options;
mod ports;
mod postgres;
mod redis;
mod state;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

pub use config::{AUDIENCE, ISSUER};
pub use database::Database;
pub use options::{Part, Ports, StackOptions, Store, Upstream};
pub use postgres::{client, create_database};
pub use state::Secrets;

use crate::{
    net,
    process::{Service, pidfile, quietly},
    ui,
    workspace::Workspace,
};
use ports::{Settled, loopback};
use state::State;

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
        let ports = ports::settle(options)?;
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
        ports::settle(options).map(|_| ())
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
                config: options.worker_config.as_deref(),
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
        let removed = if path.is_dir() {
            // Its data may lie elsewhere.
            postgres::remove(&path.join("postgres"))?;
            fs::remove_dir_all(&path)
        } else {
            fs::remove_file(&path)
        };
        removed.with_context(|| format!("{} cannot be removed", path.display()))?;
    }
    Ok(())
}
