//! Programs that are run to their end.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::Signal;

use super::group;
use crate::{interrupt, ui};

/// What is being run gets this long to stop once this program was told to.
const GRACE: Duration = Duration::from_secs(5);

/// How much of the log of a failed program is shown, in lines.
const SHOWN: usize = 40;

/// Runs `command` with its output in `log`, one growing line on the terminal, and the end of the log where it fails.
pub fn quietly(label: &str, command: &mut Command, log: &Path) -> Result<()> {
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    }
    let out = File::create(log).with_context(|| format!("{} cannot be written", log.display()))?;
    let err = out.try_clone().context("a log file cannot be shared")?;
    let mut ticker = ui::Ticker::begin(label);
    let began = Instant::now();
    let mut child = spawn(command.stdout(out).stderr(err))?;
    let status = wait(&mut child, || ticker.tick(began.elapsed(), || last_line(log)));
    match status {
        Ok(status) if status.success() => {
            ticker.end(began.elapsed(), "done");
            Ok(())
        }
        Ok(status) => {
            ticker.end(began.elapsed(), "failed");
            Err(anyhow!(
                "{label} failed ({status}); the end of {}:\n{}",
                log.display(),
                ui::tail(log, SHOWN)
            ))
        }
        Err(error) => {
            ticker.end(began.elapsed(), "stopped");
            Err(error)
        }
    }
}

/// Runs `command` with its output on the terminal.
pub fn openly(command: &mut Command) -> Result<()> {
    let mut child = spawn(command)?;
    succeed(command, wait(&mut child, || ())?)
}

/// Runs `command` with its output on the terminal, and hands each line of its standard output to `see` as well.
pub fn observed(command: &mut Command, mut see: impl FnMut(&str) + Send) -> Result<()> {
    let mut child = spawn(command.stdout(Stdio::piped()))?;
    let Some(stdout) = child.stdout.take() else {
        bail!("standard output of {} is not piped", name(command))
    };
    let status = thread::scope(|scope| {
        scope.spawn(|| {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                ui::line(&line);
                see(&line);
            }
        });
        wait(&mut child, || ())
    })?;
    succeed(command, status)
}

/// Runs `command` and returns what it wrote on standard output.
pub fn text(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} cannot be started", name(command)))?;
    if !output.status.success() {
        bail!(
            "{} failed ({}): {}",
            name(command),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn spawn(command: &mut Command) -> Result<Child> {
    interrupt::check()?;
    command.stdin(Stdio::null()).process_group(0);
    command
        .spawn()
        .with_context(|| format!("{} cannot be started", name(command)))
}

fn wait(child: &mut Child, mut meanwhile: impl FnMut()) -> Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait().context("a child process cannot be waited for")? {
            return Ok(status);
        }
        if let Err(interrupted) = interrupt::check() {
            group::send(child.id(), Signal::SIGTERM);
            group::reap(child, GRACE);
            return Err(interrupted.into());
        }
        meanwhile();
        thread::sleep(group::PACE);
    }
}

fn succeed(command: &Command, status: ExitStatus) -> Result<()> {
    if status.success() {
        Ok(())
    } else {
        Err(anyhow!("{} failed ({status})", name(command)))
    }
}

fn name(command: &Command) -> String {
    let program = Path::new(command.get_program())
        .file_name()
        .unwrap_or_else(|| command.get_program());
    let words = command.get_args().map(|arg| arg.to_string_lossy());
    std::iter::once(program.to_string_lossy())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The last line of a file that is being written, found without reading all of it each time.
fn last_line(log: &Path) -> String {
    const WINDOW: u64 = 2_048;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(WINDOW)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_failure_shows_the_end_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("deep/step.log");
        let error = quietly("a step", &mut shell("echo the reason >&2; exit 3"), &log)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("a step failed") && error.contains("the reason"),
            "{error}"
        );
    }

    #[test]
    fn observed_lines_arrive_in_order() {
        let mut lines = Vec::new();
        observed(&mut shell("echo one; echo two"), |line| {
            lines.push(line.to_owned());
        })
        .unwrap();
        assert_eq!(lines, ["one", "two"]);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = openly(&mut Command::new("no-such-program-here"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("no-such-program-here"), "{error}");
    }

    #[test]
    fn the_text_of_a_failed_program_is_not_taken_for_an_answer() {
        assert_eq!(text(&mut shell("echo fine")).unwrap(), "fine");
        assert!(text(&mut shell("echo half; exit 1")).is_err());
    }
}
