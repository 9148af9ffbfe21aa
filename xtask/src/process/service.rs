//! A program that serves until it is stopped.

use std::{
    fs::{self, File, OpenOptions},
    net::{Ipv4Addr, TcpStream},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use super::{group, pidfile};
use crate::{interrupt, net, ui, workspace::Workspace};

/// How much of the log of a service that failed is shown, in lines.
const SHOWN: usize = 30;

/// The user a service runs as where it may not be this program's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct User {
    /// Numeric user id.
    pub uid: u32,
    /// Numeric group id.
    pub gid: u32,
}

/// How a service shows that it serves.
#[derive(Clone, Debug)]
pub enum Probe {
    /// A GET of this path on this loopback port answers 200.
    Http {
        /// The port asked.
        port: u16,
        /// The path asked for, with its leading slash.
        path: &'static str,
    },
    /// A Redis on this loopback port answers at all, if only that a password is wanted.
    Redis {
        /// The port asked.
        port: u16,
    },
    /// Something accepts connections on this loopback port.
    Port {
        /// The port asked.
        port: u16,
    },
    /// This program exits with success.
    Program {
        /// The program and its arguments.
        words: Vec<String>,
    },
}

impl Probe {
    fn passes(&self) -> bool {
        match self {
            Self::Http { port, path } => net::http_status(*port, path) == Some(200),
            Self::Redis { port } => net::exchange(*port, b"PING\r\n", 1).is_some(),
            Self::Port { port } => TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok(),
            Self::Program { words } => words.split_first().is_some_and(|(program, args)| {
                let mut command = Command::new(program);
                command
                    .args(args)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .stderr(Stdio::null());
                command.status().is_ok_and(|status| status.success())
            }),
        }
    }
}

/// What it takes to run a service.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Its name in messages, and of its pid file and log.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<String>,
    /// Environment on top of this program's own.
    pub env: Vec<(String, String)>,
    /// Who runs it; `None`: whoever runs this program.
    pub user: Option<User>,
    /// The signal that asks it to stop.
    pub stop: Signal,
    /// How long it may take to follow that signal before it is killed.
    pub grace: Duration,
    /// When it serves.
    pub probe: Probe,
    /// How long it may take until it serves.
    pub deadline: Duration,
    /// The state folder, for `run/NAME.pid` and `log/NAME.log`.
    pub state_dir: PathBuf,
}

/// A service, running or not. Dropping it stops it.
#[derive(Debug)]
pub struct Service {
    spec: ServiceSpec,
    workspace: Workspace,
    child: Option<Child>,
}

impl Service {
    /// A service that does not run yet.
    #[must_use]
    pub fn new(workspace: &Workspace, spec: ServiceSpec) -> Self {
        Self {
            spec,
            workspace: workspace.clone(),
            child: None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.spec.name
    }

    /// Its process id while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// The file with everything it wrote.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.spec.state_dir.join(format!("log/{}.log", self.spec.name))
    }

    fn run_dir(&self) -> PathBuf {
        self.spec.state_dir.join("run")
    }

    /// Starts it and waits until it serves.
    pub fn start(&mut self) -> Result<()> {
        self.launch()?;
        self.await_ready()
    }

    /// Starts it; does nothing where it runs already.
    pub fn launch(&mut self) -> Result<()> {
        interrupt::check()?;
        if self.child.is_some() {
            return Ok(());
        }
        let out = append_to(&self.log())?;
        let err = out.try_clone().context("a log file cannot be shared")?;
        let mut command = self.workspace.command(&self.spec.program);
        command
            .args(&self.spec.args)
            .envs(self.spec.env.iter().map(|(name, value)| (name, value)));
        command
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0);
        if let Some(user) = self.spec.user {
            command.uid(user.uid).gid(user.gid);
        }
        let child = command.spawn().with_context(|| {
            format!(
                "{} ({}) cannot be started",
                self.spec.name,
                self.spec.program.display()
            )
        })?;
        let pid = child.id();
        self.child = Some(child);
        pidfile::write(&self.run_dir(), &self.spec.name, pid, self.spec.stop)
    }

    /// Waits until it serves; fails with the end of its log when it ends before, or takes longer than it may.
    pub fn await_ready(&mut self) -> Result<()> {
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                bail!(
                    "{} ended before it was ready ({status}); {}",
                    self.spec.name,
                    self.shown()
                );
            }
            if self.spec.probe.passes() {
                return Ok(());
            }
            interrupt::check()?;
            if began.elapsed() > self.spec.deadline {
                bail!(
                    "{} was not ready within {}; {}",
                    self.spec.name,
                    ui::seconds(self.spec.deadline),
                    self.shown()
                );
            }
            thread::sleep(group::PACE);
        }
    }

    /// The status with which it ended by itself, once; the rest of its process group is ended as well.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let child = self.child.as_mut()?;
        let status = child.try_wait().ok().flatten()?;
        let leader = child.id();
        self.child = None;
        group::send(leader, Signal::SIGTERM);
        group::await_end(leader, self.spec.grace);
        pidfile::remove(&self.run_dir(), &self.spec.name);
        Some(status)
    }

    /// Asks it to stop, without waiting for it.
    pub fn ask_to_stop(&self) {
        if let Some(child) = &self.child {
            group::send(child.id(), self.spec.stop);
        }
    }

    /// Stops it: its signal first, SIGKILL to the whole group where that does not serve in time.
    pub fn stop(&mut self) {
        self.ask_to_stop();
        self.forget(self.spec.grace);
    }

    /// Kills it and everything it started.
    pub fn kill(&mut self) {
        if let Some(child) = &self.child {
            group::send(child.id(), Signal::SIGKILL);
        }
        self.forget(Duration::from_secs(10));
    }

    fn forget(&mut self, grace: Duration) {
        if let Some(mut child) = self.child.take() {
            group::reap(&mut child, grace);
            pidfile::remove(&self.run_dir(), &self.spec.name);
        }
    }

    /// The end of its log, for a message.
    #[must_use]
    pub fn shown(&self) -> String {
        let log = self.log();
        format!("the end of {}:\n{}", log.display(), ui::tail(&log, SHOWN))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Whether somebody stopped the service on purpose: it left in good order, or by a signal that is sent to end things.
#[must_use]
pub fn was_stopped(status: ExitStatus) -> bool {
    let ending = [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGQUIT,
        Signal::SIGKILL,
    ];
    status.success()
        || status
            .signal()
            .is_some_and(|signal| ending.iter().any(|known| *known as i32 == signal))
}

fn append_to(log: &Path) -> Result<File> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("{} cannot be written", log.display()))
}
