//! What was measured, and what it comes to.

/// One round of one contestant.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Requests, hashes or sign-ins per second.
    pub(super) per_second: f64,
    /// Processor time of the contestant's process for one of them, in microseconds, where the system tells.
    pub(super) cpu_micros: Option<f64>,
}

/// All rounds of one contestant, in the order they were run.
#[derive(Clone, Debug)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) samples: Vec<Sample>,
}

impl Series {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            samples: Vec::new(),
        }
    }

    /// The middle of all rounds.
    pub(super) fn rate(&self) -> f64 {
        median(self.samples.iter().map(|sample| sample.per_second))
    }

    /// How far the slowest and the fastest round lie apart, as a share of the median.
    pub(super) fn spread(&self) -> f64 {
        let rates = || self.samples.iter().map(|sample| sample.per_second);
        let width = rates().fold(f64::MIN, f64::max) - rates().fold(f64::MAX, f64::min);
        width / self.rate()
    }

    pub(super) fn cpu_micros(&self) -> Option<f64> {
        let all: Option<Vec<f64>> = self.samples.iter().map(|sample| sample.cpu_micros).collect();
        all.map(|all| median(all.into_iter()))
    }

    /// This rate over that of `other`: the middle of what each round came to, since both rounds had the same weather.
    pub(super) fn ratio_to(&self, other: &Self) -> f64 {
        let pairs = self.samples.iter().zip(&other.samples);
        median(pairs.map(|(ours, theirs)| ours.per_second / theirs.per_second))
    }
}

/// The middle value, or the mean of the two middle ones; 0 for none.
pub(super) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    if values.len() % 2 == 1 {
        at(middle)
    } else {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(rates: &[f64]) -> Series {
        let samples = rates.iter().map(|rate| Sample {
            per_second: *rate,
            cpu_micros: None,
        });
        Series {
            name: "a".to_owned(),
            samples: samples.collect(),
        }
    }

    #[test]
    fn the_median_ignores_one_bad_round() {
        assert!((series(&[100.0, 2.0, 104.0]).rate() - 100.0).abs() < 1e-9);
        assert!((series(&[100.0, 110.0]).rate() - 105.0).abs() < 1e-9);
    }

    #[test]
    fn a_ratio_compares_rounds_that_ran_side_by_side() {
        // The machine was half as fast in the second round; the ratio does not care.
        let ours = series(&[120.0, 60.0, 121.0]);
        let theirs = series(&[100.0, 50.0, 100.0]);
        assert!((ours.ratio_to(&theirs) - 1.2).abs() < 1e-9);
    }

    #[test]
    fn the_spread_is_a_share_of_the_median() {
        assert!((series(&[90.0, 100.0, 110.0]).spread() - 0.2).abs() < 1e-9);
    }
}
