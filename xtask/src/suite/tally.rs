//! Counting tests by what their harness prints.

use std::fmt;

/// How many tests passed, failed and were ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    harnesses: u64,
}

impl Tally {
    /// Adds what one line of output says: `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    pub(super) fn see(&mut self, line: &str) {
        let Some((_, counts)) = line
            .trim()
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        self.harnesses += 1;
        for count in counts.split(';') {
            let mut words = count.split_whitespace();
            let number = words
                .next()
                .and_then(|word| word.parse::<u64>().ok())
                .unwrap_or(0);
            match words.next() {
                Some("passed") => self.passed += number,
                Some("failed") => self.failed += number,
                Some("ignored") => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Whether any harness has reported.
    pub(super) fn counted(&self) -> bool {
        self.harnesses > 0
    }

    /// How many were left out because they say so.
    pub(super) fn ignored(&self) -> u64 {
        self.ignored
    }

    /// How many failed.
    pub(super) fn failed(&self) -> u64 {
        self.failed
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_all_harnesses_are_summed() {
        let mut tally = Tally::default();
        tally.see("running 4 tests");
        assert!(!tally.counted());
        tally.see(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        );
        tally.see("test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s");
        assert_eq!(tally.to_string(), "10 passed, 2 failed");
        assert_eq!(tally.ignored(), 1);
        assert_eq!(tally.failed(), 2);
    }

    #[test]
    fn a_clean_run_reads_plainly() {
        let mut tally = Tally::default();
        tally.see(
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s",
        );
        assert_eq!(tally.to_string(), "12 passed, 0 failed");
    }
}
