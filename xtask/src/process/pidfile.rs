//! Pid files: what runs, in a form that outlives this program.
//!
//! `NAME.pid` holds the pid and nothing else, so that `kill $(cat NAME.pid)` means what it says. `NAME.start` beside it
//! holds which process that was, because pids are used again, and the signal that stops it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    str::FromStr,
    time::Duration,
};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::group;

/// A process left over from a run that was killed gets this long to stop.
const LEFT_OVER_GRACE: Duration = Duration::from_secs(10);

/// Records that `pid` is `name` and is stopped by `stop`.
pub fn write(folder: &Path, name: &str, pid: u32, stop: Signal) -> Result<()> {
    let identity = identity(pid).unwrap_or_default();
    fs::create_dir_all(folder)
        .and_then(|()| {
            fs::write(
                start_file(folder, name),
                format!("{identity}\n{}\n", stop.as_str()),
            )
        })
        .and_then(|()| fs::write(pid_file(folder, name), format!("{pid}\n")))
        .with_context(|| format!("the pid file of {name} cannot be written in {}", folder.display()))
}

/// Forgets `name`.
pub fn remove(folder: &Path, name: &str) {
    let _ = fs::remove_file(pid_file(folder, name));
    let _ = fs::remove_file(start_file(folder, name));
}

/// Stops what the pid files in `folder` still name, removes them, and returns the names of what was stopped.
///
/// A pid that now belongs to another process is left alone.
#[must_use]
pub fn sweep(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.flatten().filter_map(|entry| {
        let file = PathBuf::from(entry.file_name());
        (file.extension()? == "pid").then(|| file.file_stem()?.to_str().map(str::to_owned))?
    });
    let mut stopped = Vec::new();
    for name in names {
        if let Some((pid, stop)) = left_over(folder, &name) {
            group::send(pid, stop);
            stopped.push((name, pid));
        } else {
            remove(folder, &name);
        }
    }
    stopped.sort();
    for (name, pid) in &stopped {
        group::await_end(*pid, LEFT_OVER_GRACE);
        remove(folder, name);
    }
    stopped.into_iter().map(|(name, _)| name).collect()
}

/// Sweeps every folder called `run` at or below `folder`.
#[must_use]
pub fn sweep_below(folder: &Path) -> Vec<String> {
    let mut stopped = sweep(&folder.join("run"));
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && entry.path().join("run").is_dir() {
            stopped.extend(sweep(&entry.path().join("run")));
        }
    }
    stopped
}

/// The pid and stop signal of `name`, if that process, or the group it led, is still there.
fn left_over(folder: &Path, name: &str) -> Option<(u32, Signal)> {
    let pid = fs::read_to_string(pid_file(folder, name))
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let start = fs::read_to_string(start_file(folder, name)).ok()?;
    let (recorded, signal) = start.split_once('\n')?;
    let stop = Signal::from_str(signal.trim()).unwrap_or(Signal::SIGTERM);
    match identity(pid) {
        Some(now) => (now == recorded).then_some((pid, stop)),
        // The leader is gone. Its number cannot have been given to another group while members of this one live,
        // unless the machine has been started anew since.
        None => (same_boot(recorded) && group::exists(pid)).then_some((pid, stop)),
    }
}

fn pid_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.pid"))
}

fn start_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.start"))
}

/// What distinguishes the living process `pid` from any other that ever had its number; `None` if none lives.
fn identity(pid: u32) -> Option<String> {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name in parentheses may itself hold parentheses and spaces, so fields count from the last one.
        Ok(stat) => {
            let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
            let state = fields.next()?;
            let started = fields.nth(18)?;
            (!matches!(state, "Z" | "X")).then(|| format!("{started} {}", boot_id().unwrap_or_default()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound && Path::new("/proc/self/stat").exists() => {
            None
        }
        Err(_) => {
            let output = Command::new("ps")
                .args(["-o", "lstart=", "-p", &pid.to_string()])
                .output()
                .ok()?;
            let started = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (!started.is_empty()).then_some(started)
        }
    }
}

fn boot_id() -> Option<String> {
    Some(
        fs::read_to_string("/proc/sys/kernel/random/boot_id")
            .ok()?
            .trim()
            .to_owned(),
    )
}

fn same_boot(recorded: &str) -> bool {
    boot_id().is_some_and(|boot| recorded.ends_with(&boot))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;

    use super::*;

    fn sleeper() -> std::process::Child {
        Command::new("sleep").arg("600").process_group(0).spawn().unwrap()
    }

    #[test]
    fn a_process_left_over_is_stopped_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = sleeper();
        write(folder.path(), "origin", child.id(), Signal::SIGTERM).unwrap();
        let reaper = std::thread::spawn(move || child.wait().unwrap());
        assert_eq!(sweep(folder.path()), ["origin"]);
        assert!(!reaper.join().unwrap().success());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_pid_that_belongs_to_another_process_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = sleeper();
        write(folder.path(), "origin", child.id(), Signal::SIGTERM).unwrap();
        fs::write(start_file(folder.path(), "origin"), "1 another-boot\nSIGTERM\n").unwrap();
        assert!(sweep(folder.path()).is_empty());
        assert!(child.try_wait().unwrap().is_none());
        assert!(!pid_file(folder.path(), "origin").exists());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_pid_file_of_a_dead_process_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut child = sleeper();
        write(folder.path(), "redis", child.id(), Signal::SIGTERM).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(sweep(folder.path()).is_empty());
        assert!(!pid_file(folder.path(), "redis").exists());
    }

    #[test]
    fn a_pid_file_holds_the_pid_alone() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "edge", std::process::id(), Signal::SIGTERM).unwrap();
        let text = fs::read_to_string(folder.path().join("edge.pid")).unwrap();
        assert_eq!(text.trim().parse::<u32>().unwrap(), std::process::id());
    }
}
