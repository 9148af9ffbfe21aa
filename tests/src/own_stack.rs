//! A system of its own for a test that stops, kills or floods something.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;
use tokio::sync::{Semaphore, SemaphorePermit};
use xtask::net::free_port;
use xtask::stack::{self, Part, Ports, Replica, Stack, StackOptions, Store, Upstream, create_database};
use xtask::workspace::Workspace;

use crate::fresh_id;
use crate::lying_origin::LyingOrigin;
use crate::worker_config::WorkerConfig;
use crate::world::{Door, Kind, state, variable};

/// Each is a Worker runtime and several servers; more at once would only slow each other down.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What a test wants of its own system.
#[derive(Debug)]
pub struct Wanted {
    /// Whether there is a Worker.
    pub edge: bool,
    /// What stands behind `/api/*`.
    pub upstream: Upstream,
    /// Whether Postgres and Redis are its own too, because the test stops them.
    pub own_stores: bool,
    /// Environment of the origin.
    pub origin_settings: Vec<(String, String)>,
    /// Plain variables of the Worker.
    pub worker_vars: Vec<(String, String)>,
    /// What the Worker is configured with, where it is not the policy of development.
    pub worker_config: Option<WorkerConfig>,
    /// The port of the origin, where a test has to know it beforehand.
    pub origin_port: Option<u16>,
}

impl Wanted {
    /// An origin alone, on the shared Postgres and Redis with a database of its own.
    #[must_use]
    pub const fn origin() -> Self {
        Self {
            edge: false,
            upstream: Upstream::Absent,
            own_stores: false,
            origin_settings: Vec::new(),
            worker_vars: Vec::new(),
            worker_config: None,
            origin_port: None,
        }
    }

    /// The whole system, on the shared Postgres and Redis with a database of its own.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            edge: true,
            upstream: Upstream::Own,
            own_stores: false,
            origin_settings: Vec::new(),
            worker_vars: Vec::new(),
            worker_config: None,
            origin_port: None,
        }
    }

    /// The whole system with something between its edge and its origin. The edge limits nobody: whoever waits for what an
    /// origin does to it asks often.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    #[must_use]
    pub fn behind(between: &LyingOrigin) -> Self {
        let port = free_port().expect("a free port");
        between.stand_before(&format!("http://127.0.0.1:{port}"));
        Self {
            worker_vars: vec![("ORIGIN_URL".to_owned(), between.url().to_owned())],
            origin_port: Some(port),
            worker_config: Some(WorkerConfig::development().without_limits()),
            ..Self::all()
        }
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// When something does not start; the logs are in the state folder.
    pub async fn start(self, name: &str) -> OwnStack {
        let permit = AT_ONCE.acquire().await.unwrap();
        let name = format!("{name}_{}", &fresh_id().simple().to_string()[..8]);
        let Self {
            edge,
            upstream,
            own_stores,
            origin_settings,
            worker_vars,
            worker_config,
            origin_port,
        } = self;
        let stack = tokio::task::spawn_blocking(move || {
            let (postgres, redis) = if own_stores {
                (Store::Own, Store::Own)
            } else {
                let database =
                    create_database(&workspace(), &variable("DATABASE_URL"), &name).expect("a database");
                (Store::Given(database), Store::Given(variable("REDIS_URL")))
            };
            let workspace = workspace();
            let state_dir = state().join(&name);
            let worker_config = worker_config.map(|config| config.write(&state_dir));
            let options = StackOptions {
                postgres,
                redis,
                upstream,
                edge,
                origin_settings,
                worker_vars,
                worker_config,
                ports: Ports {
                    origin: origin_port,
                    ..Ports::default()
                },
                // A fast Postgres forgets its last moments when it is killed; a real one must not.
                fast_postgres: !own_stores,
                ..StackOptions::new(&workspace, state_dir)
            };
            Stack::start(&workspace, &options).expect("a system of its own")
        });
        OwnStack {
            replicas: Vec::new(),
            stack: Some(stack.await.unwrap()),
            _permit: permit,
        }
    }
}

/// A running system that only one test uses; it is stopped when the value goes.
pub struct OwnStack {
    // Replicas stand on the stack's stores, so they go first.
    replicas: Vec<Replica>,
    stack: Option<Stack>,
    _permit: SemaphorePermit<'static>,
}

impl OwnStack {
    /// Its edge.
    #[must_use]
    pub fn edge(&self) -> Door {
        Door::new(Kind::Edge, self.stack().url(Part::Edge))
    }

    /// Its origin.
    #[must_use]
    pub fn origin(&self) -> Door {
        Door::new(Kind::Origin, self.stack().url(Part::Origin))
    }

    /// The process of a part.
    #[must_use]
    pub fn pid(&self, part: Part) -> u32 {
        self.stack().pid(part).expect("a running part")
    }

    /// The log of a part.
    #[must_use]
    pub fn log(&self, part: Part) -> PathBuf {
        self.stack().log_path(part)
    }

    /// Its state folder.
    #[must_use]
    pub fn state_dir(&self) -> &Path {
        self.stack().state_dir()
    }

    /// Asks a part to stop, and waits until it has.
    pub async fn stop(&mut self, part: Part) {
        self.with(move |stack| stack.stop(part).expect("a part that stops"))
            .await;
    }

    /// Kills a part.
    pub async fn kill(&mut self, part: Part) {
        self.with(move |stack| stack.kill(part).expect("a part that dies"))
            .await;
    }

    /// Starts a part again on its old port.
    pub async fn start(&mut self, part: Part) {
        self.with(move |stack| stack.start_part(part).expect("a part that starts"))
            .await;
    }

    /// Starts a second origin on the same stores.
    pub async fn start_replica(&mut self) -> Door {
        let replica = self
            .with(|stack| stack.start_replica("origin-2").expect("a replica"))
            .await;
        let door = Door::new(Kind::Origin, replica.url());
        self.replicas.push(replica);
        door
    }

    /// Runs one statement in its database, as who owns it. Answers the one value of a query, as JSON.
    pub async fn sql(&self, statement: &str) -> Value {
        let url = self.stack().url(Part::Postgres);
        let mut command: Command = stack::client(&workspace(), "psql", "--dbname", &url)
            .expect("psql")
            .into();
        command.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]);
        command.args(["--set", "ON_ERROR_STOP=1", "--command", statement]);
        let output = command.output().await.expect("psql runs");
        assert!(output.status.success(), "{statement}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    fn stack(&self) -> &Stack {
        self.stack
            .as_ref()
            .expect("it is only away while a part is stopped or started")
    }

    async fn with<T: Send + 'static>(&mut self, act: impl FnOnce(&mut Stack) -> T + Send + 'static) -> T {
        let mut stack = self
            .stack
            .take()
            .expect("it is only away while a part is stopped or started");
        let acting = tokio::task::spawn_blocking(move || {
            let result = act(&mut stack);
            (stack, result)
        });
        let (stack, result) = acting.await.unwrap();
        self.stack = Some(stack);
        result
    }
}

/// Runs the command line of the origin against the system whose state is in `state_dir`.
///
/// # Panics
///
/// When it cannot be run.
pub async fn portcullis(state_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(workspace().bin_dir().join("portcullis"));
    command.args(arguments).envs(settings(state_dir));
    command.output().await.expect("a command that runs")
}

/// What the programs of the system in `state_dir` were told in the environment.
///
/// # Panics
///
/// When there is no such system.
#[must_use]
pub fn settings(state_dir: &Path) -> BTreeMap<String, String> {
    let file = state_dir.join("env");
    let text = std::fs::read_to_string(&file).unwrap_or_else(|cause| panic!("{}: {cause}", file.display()));
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='));
    lines
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}

fn workspace() -> Workspace {
    Workspace::find().expect("a checkout")
}
