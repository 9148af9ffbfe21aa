//! What the person at the terminal sees. Writing never fails: a closed pipe must not stop a shutdown half-way.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    time::Duration,
};

/// Prints one line on standard output.
pub fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// Prints one line on standard error.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints the heading of a step, set off from what the step before it printed.
pub fn heading(text: &str) {
    line(&format!("\n==> {text}"));
}

/// `elapsed` as a person would say it: `0.4 s`, `12.0 s`, `3 min 05 s`.
#[must_use]
pub fn seconds(elapsed: Duration) -> String {
    let whole = elapsed.as_secs();
    if whole < 60 {
        format!("{:.1} s", elapsed.as_secs_f64())
    } else {
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

/// One line that grows while something takes long.
///
/// A terminal gets a line that is rewritten; a log file gets a new line now and then, so that nobody takes silence
/// for a hang.
#[derive(Debug)]
pub struct Ticker {
    label: String,
    terminal: bool,
    reported: u64,
}

impl Ticker {
    /// Says that `label` begins.
    #[must_use]
    pub fn begin(label: &str) -> Self {
        let terminal = io::stdout().is_terminal();
        if terminal {
            write_now(&format!("  {label} …"));
        } else {
            line(&format!("  {label} …"));
        }
        Self {
            label: label.to_owned(),
            terminal,
            reported: 0,
        }
    }

    /// Says that it is still going on, with the last thing it printed itself.
    pub fn tick(&mut self, elapsed: Duration, last_line: impl FnOnce() -> String) {
        let every = if self.terminal { 1 } else { 30 };
        let now = elapsed.as_secs() / every;
        if now == self.reported {
            return;
        }
        self.reported = now;
        let last: String = last_line()
            .trim()
            .chars()
            .filter(|c| !c.is_control())
            .take(60)
            .collect();
        if self.terminal {
            write_now(&format!(
                "\r\x1b[K  {} … {}  {last}",
                self.label,
                seconds(elapsed)
            ));
        } else {
            line(&format!("  {} … {} so far: {last}", self.label, seconds(elapsed)));
        }
    }

    /// Says how it ended.
    pub fn end(&self, elapsed: Duration, verdict: &str) {
        let start = if self.terminal { "\r\x1b[K" } else { "" };
        line(&format!(
            "{start}  {}: {verdict} ({})",
            self.label,
            seconds(elapsed)
        ));
    }
}

fn write_now(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// The last `count` lines of a log file, indented; empty where there is none.
#[must_use]
pub fn tail(log: &Path, count: usize) -> String {
    let text = std::fs::read(log)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let skipped = lines.len().saturating_sub(count);
    lines
        .iter()
        .skip(skipped)
        .flat_map(|line| ["    | ", line, "\n"])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        assert_eq!(seconds(Duration::from_millis(420)), "0.4 s");
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 05 s");
    }

    #[test]
    fn the_tail_of_a_log_is_its_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "one\ntwo\nthree\n").unwrap();
        assert_eq!(tail(&log, 2), "    | two\n    | three\n");
        assert_eq!(tail(&folder.path().join("none"), 2), "");
    }
}
