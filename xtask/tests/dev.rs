//! `cargo xtask dev` as a person meets it: what it prints, what it refuses, and what it leaves behind, which is nothing.
//!
//! The programs it runs must have been built; `cargo xtask test` has done so by the time it comes here.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use xtask::net;

/// A state folder that the user of Postgres can reach.
fn state() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

const PATIENCE: Duration = Duration::from_mins(1);

/// A `dev` that is running, and is killed if a test ends before it has stopped it.
struct Dev {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Dev {
    /// Starts one and reads what it prints up to the last line it prints when all is up.
    fn ready(state: &Path, ports: Ports) -> (Self, Vec<String>) {
        let mut process = command(state, ports).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let mut dev = Self { process, output };
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = dev.output.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended before it was ready:\n{}", lines.join("\n"));
            lines.push(line.trim_end().to_owned());
            if line.starts_with("ready: ") {
                return (dev, lines);
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(as_pid(self.process.id()), signal).unwrap();
    }

    fn wait(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).unwrap();
        (self.process.wait().unwrap(), rest)
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.signal(Signal::SIGTERM);
            self.process.wait().unwrap();
        }
    }
}

#[derive(Clone, Copy)]
struct Ports {
    edge: u16,
    origin: u16,
    upstream: u16,
}

impl Ports {
    fn free() -> Self {
        let port = || net::free_port().unwrap();
        Self {
            edge: port(),
            origin: port(),
            upstream: port(),
        }
    }

    fn all(self) -> [u16; 3] {
        [self.edge, self.origin, self.upstream]
    }
}

fn command(state: &Path, ports: Ports) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["dev", "--no-build", "--state-dir"]).arg(state);
    for (flag, port) in [
        ("--edge-port", ports.edge),
        ("--origin-port", ports.origin),
        ("--upstream-port", ports.upstream),
    ] {
        command.arg(flag).arg(port.to_string());
    }
    command
        .env_remove("DATABASE_URL")
        .env_remove("REDIS_URL")
        .stdin(Stdio::null());
    command
}

fn as_pid(pid: u32) -> Pid {
    Pid::from_raw(pid.try_into().unwrap())
}

/// The processes named by the pid files of a state folder, by part. A file may go while this looks.
fn pids(state: &Path) -> Vec<(String, u32)> {
    let mut pids: Vec<(String, u32)> = fs::read_dir(state.join("run"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pid"))
        .filter_map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).ok()?;
            Some((name, text.trim().parse().unwrap()))
        })
        .collect();
    pids.sort();
    pids
}

/// Whether anything of the group that `leader` led lives.
fn lives(leader: u32) -> bool {
    xtask::process::group::exists(leader)
}

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        std::thread::yield_now();
    }
}

#[test]
fn a_busy_port_is_refused_before_anything_starts() {
    let state = state();
    let ports = Ports::free();
    let taken = TcpListener::bind(("127.0.0.1", ports.edge)).unwrap();
    let output = command(state.path(), ports).output().unwrap();
    assert!(!output.status.success());
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.contains(&format!("port {}", ports.edge)) && message.contains("--edge-port"),
        "{message}"
    );
    assert!(!state.path().join("postgres").exists());
    assert!(pids(state.path()).is_empty());
    drop(taken);
}

#[test]
fn a_signal_ends_everything_that_was_started() {
    let state = state();
    let ports = Ports::free();
    let (dev, lines) = Dev::ready(state.path(), ports);
    assert_eq!(
        lines.last().unwrap(),
        &format!("ready: http://127.0.0.1:{}", ports.edge)
    );
    for port in ports.all() {
        assert!(
            lines
                .iter()
                .any(|line| line.contains(&format!("http://127.0.0.1:{port}"))),
            "{lines:?}"
        );
    }
    assert_eq!(net::http_status(ports.edge, "/live"), Some(200));
    let started = pids(state.path());
    let names: Vec<&str> = started.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["edge", "origin", "postgres", "redis", "upstream"]);

    dev.signal(Signal::SIGTERM);
    let (status, _) = dev.wait();
    assert!(status.success(), "{status}");
    assert!(started.iter().all(|(_, pid)| !lives(*pid)));
    assert!(ports.all().into_iter().all(net::is_free));
    assert!(pids(state.path()).is_empty());
}

#[test]
fn a_part_that_is_stopped_is_missed_and_a_part_that_fails_ends_it() {
    let state = state();
    let ports = Ports::free();
    let (dev, _) = Dev::ready(state.path(), ports);
    let started = pids(state.path());
    let pid_of = |name: &str| started.iter().find(|(known, _)| known == name).unwrap().1;

    kill(as_pid(pid_of("origin")), Signal::SIGKILL).unwrap();
    eventually("the pid file of the origin goes", || {
        pids(state.path()).len() == started.len() - 1
    });
    assert!(matches!(
        net::http_status(ports.edge, "/auth/me"),
        Some(502 | 503)
    ));
    assert_eq!(net::http_status(ports.edge, "/api/public/anything"), Some(200));

    kill(as_pid(pid_of("upstream")), Signal::SIGABRT).unwrap();
    let (status, _) = dev.wait();
    assert_eq!(status.code(), Some(1));
    assert!(started.iter().all(|(_, pid)| !lives(*pid)));
}

#[test]
fn what_a_killed_dev_left_behind_is_stopped_by_the_next_and_data_is_kept() {
    let state = state();
    let ports = Ports::free();
    let (dev, _) = Dev::ready(state.path(), ports);
    let left = pids(state.path());
    let secrets = fs::read_to_string(state.path().join("secrets")).unwrap();
    dev.signal(Signal::SIGKILL);
    drop(dev);
    assert!(left.iter().all(|(_, pid)| lives(*pid)));

    let (dev, lines) = Dev::ready(state.path(), ports);
    assert!(left.iter().all(|(_, pid)| !lives(*pid)));
    assert!(
        lines
            .iter()
            .any(|line| line.contains("stopped origin, left over")),
        "{lines:?}"
    );
    assert!(
        !lines
            .iter()
            .any(|line| line.contains("making a Postgres cluster")),
        "{lines:?}"
    );
    assert_eq!(fs::read_to_string(state.path().join("secrets")).unwrap(), secrets);

    let refusal = command(state.path(), Ports::free()).output().unwrap();
    assert!(!refusal.status.success());
    let message = String::from_utf8(refusal.stderr).unwrap();
    assert!(
        message.contains("runs in") && message.contains("--state-dir"),
        "{message}"
    );

    dev.signal(Signal::SIGINT);
    let (status, _) = dev.wait();
    assert!(status.success(), "{status}");
}
