//! What libFuzzer prints, read back.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result};

/// What came of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    target: String,
    runs: u64,
    /// Edges of the control flow that were reached.
    coverage: u64,
    /// How many inputs are known.
    inputs: u64,
    /// All of them together, in bytes.
    bytes: u64,
    crash: Option<String>,
}

impl Findings {
    /// Reads the log of a run, and the folder of the inputs it knows.
    pub(super) fn read(target: &str, log: &Path, corpus: &Path) -> Result<Self> {
        let text = fs::read(log).with_context(|| format!("{} cannot be read", log.display()))?;
        let mut findings = Self::of(target, &String::from_utf8_lossy(&text));
        for entry in fs::read_dir(corpus).with_context(|| format!("{} cannot be read", corpus.display()))? {
            let input = entry?.metadata().context("an input cannot be looked at")?;
            findings.inputs += 1;
            findings.bytes += input.len();
        }
        Ok(findings)
    }

    fn of(target: &str, log: &str) -> Self {
        let mut findings = Self {
            target: target.to_owned(),
            ..Self::default()
        };
        for line in log.lines() {
            // `#1234  NEW  cov: 56 ft: 78 …`, and `stat::number_of_executed_units: 1234` in the end.
            let mut words = line.split_whitespace();
            match words.next() {
                Some("stat::number_of_executed_units:") => findings.runs = number(words.next()),
                Some(_) if words.by_ref().any(|word| word == "cov:") => {
                    findings.coverage = number(words.next());
                }
                Some(_) | None => {}
            }
            if let Some((_, file)) = line.split_once("Test unit written to ") {
                // Slow inputs are written too, and break nothing.
                if !file.contains("slow-unit") {
                    findings.crash = Some(file.trim().to_owned());
                }
            }
        }
        findings
    }

    /// The target, and the file of the input that broke it.
    pub(super) fn crash(&self) -> Option<String> {
        let file = self.crash.as_ref()?;
        Some(format!("  {}: {file}", self.target))
    }
}

/// The table of all targets.
pub(super) fn table(findings: &[Findings]) -> String {
    let mut table = format!(
        "  {:<14} {:>12} {:>9} {:>7} {:>9}",
        "target", "runs", "coverage", "inputs", "bytes"
    );
    for one in findings {
        let verdict = if one.crash.is_some() { "  crashed" } else { "" };
        // Writing to a String does not fail.
        let _ = write!(
            table,
            "\n  {:<14} {:>12} {:>9} {:>7} {:>9}{verdict}",
            one.target, one.runs, one.coverage, one.inputs, one.bytes
        );
    }
    table
}

fn number(word: Option<&str>) -> u64 {
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "#2\tINITED cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 28Mb\n#512\tNEW    cov: 1681 ft: 2981 corp: 527/39Kb\n\
                       artifact_prefix='x/'; Test unit written to x/claims-slow-unit-1\n\
                       stat::number_of_executed_units: 139259\n";

    #[test]
    fn runs_and_coverage_are_read_and_a_slow_input_is_no_crash() {
        let findings = Findings::of("decide", LOG);
        assert_eq!((findings.runs, findings.coverage), (139_259, 1681));
        assert_eq!(findings.crash(), None);
    }

    #[test]
    fn a_crash_names_its_target_and_its_file() {
        let log = format!("{LOG}artifact_prefix='x/'; Test unit written to x/decide-crash-2\n");
        let findings = Findings::of("decide", &log);
        assert_eq!(findings.crash().as_deref(), Some("  decide: x/decide-crash-2"));
        assert!(table(&[findings]).ends_with("crashed"));
    }
}
