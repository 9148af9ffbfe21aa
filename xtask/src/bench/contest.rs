//! Contestants that are measured in turns, so that whatever else the machine does hits all of them alike.

use std::time::Instant;

use anyhow::Result;

use super::sample::{Sample, Series};
use crate::{interrupt, ui};

/// Runs `rounds` rounds over `contestants`; each round begins with another of them. `measure` gets the place of a
/// contestant among them and the number of the round, and says what it did.
pub(super) fn run(
    title: &str,
    contestants: &[&str],
    rounds: usize,
    mut measure: impl FnMut(usize, usize) -> Result<Sample>,
) -> Result<Vec<Series>> {
    let began = Instant::now();
    ui::heading(title);
    let mut all: Vec<Series> = contestants.iter().map(|name| Series::new(name)).collect();
    for round in 0..rounds {
        for turn in 0..contestants.len() {
            interrupt::check()?;
            let place = (round + turn) % contestants.len();
            let sample = measure(place, round)?;
            if let Some(series) = all.get_mut(place) {
                series.samples.push(sample);
            }
        }
        let rates: Vec<String> = all
            .iter()
            .filter_map(|series| Some((series, series.samples.last()?)))
            .map(|(series, sample)| format!("{} {}", series.name, rate(sample.per_second)))
            .collect();
        ui::line(&format!(
            "  round {} of {rounds}: {} per second",
            round + 1,
            rates.join(", ")
        ));
    }
    ui::line(&format!("  done ({})", ui::seconds(began.elapsed())));
    Ok(all)
}

/// A rate as it is printed: tenths where they matter.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 100.0 {
        format!("{per_second:.1}")
    } else {
        format!("{per_second:.0}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contestant_runs_once_a_round_and_the_first_turn_moves_on() {
        let mut order = Vec::new();
        let all = run("a test", &["a", "b"], 2, |place, round| {
            order.push((round, place));
            Ok(Sample {
                per_second: 1.0,
                cpu_micros: None,
            })
        })
        .unwrap();
        assert_eq!(order, [(0, 0), (0, 1), (1, 1), (1, 0)]);
        assert!(all.iter().all(|series| series.samples.len() == 2));
    }
}
