//! Times of many trials, drawn as text.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::report::verdict;

/// The longest bar, in characters.
const WIDTH: usize = 50;

/// How long each trial took, in milliseconds, against what none of them may reach.
#[derive(Clone, Debug)]
pub(super) struct Histogram {
    /// In ascending order, never empty.
    millis: Vec<f64>,
    /// Of one bar, in milliseconds.
    step: f64,
    /// What the longest must stay below, in milliseconds.
    limit: f64,
}

impl Histogram {
    /// Of the times in `millis`, in bars of `step`.
    pub(super) fn new(mut millis: Vec<f64>, step: f64, limit: f64) -> Self {
        millis.sort_by(f64::total_cmp);
        Self { millis, step, limit }
    }

    /// The time that `percent` of the trials did not exceed (nearest rank).
    fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.millis.len() * percent).div_ceil(100).max(1);
        self.millis.get(rank - 1).copied().unwrap_or_default()
    }

    fn max(&self) -> f64 {
        self.millis.last().copied().unwrap_or_default()
    }

    /// How many trials each bar holds.
    fn bars(&self) -> Vec<usize> {
        let mut bars = Vec::new();
        let mut rest = self.millis.iter().peekable();
        let mut end = self.step;
        while rest.peek().is_some() {
            let mut count = 0;
            while rest.next_if(|millis| **millis < end).is_some() {
                count += 1;
            }
            bars.push(count);
            end += self.step;
        }
        bars
    }

    /// The figures and the bars, for the table.
    pub(super) fn lines(&self) -> String {
        let (max, limit) = (self.max(), self.limit);
        let mut text = format!(
            "  min {:.0}, median {:.0}, p95 {:.0}, max {max:.0}  < {limit:.0} {}\n",
            self.percentile(0),
            self.percentile(50),
            self.percentile(95),
            verdict(max < limit)
        );
        let bars = self.bars();
        let highest = bars.iter().copied().max().unwrap_or_default().max(1);
        let mut start = 0.0;
        for count in bars {
            let bar = "#".repeat((count * WIDTH).div_ceil(highest));
            // Writing to a String does not fail.
            let _ = writeln!(
                text,
                "  {:>6.0} to {:>5.0}  {count:>4} {bar}",
                start,
                start + self.step
            );
            start += self.step;
        }
        text
    }

    /// The same for programs.
    pub(super) fn json(&self) -> Value {
        json!({
            "trials": self.millis.len(),
            "minMillis": self.percentile(0),
            "medianMillis": self.percentile(50),
            "p95Millis": self.percentile(95),
            "maxMillis": self.max(),
            "millis": self.millis,
            "goal": { "below": self.limit, "met": self.max() < self.limit },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_is_in_one_bar() {
        let times = Histogram::new(vec![510.0, 0.0, 99.9, 100.0, 130.0], 100.0, 600.0);
        assert_eq!(times.bars(), [2, 2, 0, 0, 0, 1]);
        let text = times.lines();
        assert!(
            text.starts_with("  min 0, median 100, p95 510, max 510  < 600 met\n"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 7);
    }

    #[test]
    fn one_trial_at_the_limit_misses_the_goal() {
        let met = |longest| Histogram::new(vec![1.0, longest], 100.0, 600.0).json()["goal"]["met"].clone();
        assert_eq!(met(600.0), false);
        assert_eq!(met(599.0), true);
    }
}
