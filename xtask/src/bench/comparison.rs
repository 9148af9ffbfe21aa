//! Two lots of times side by side, and whether a time tells which lot it is of.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{report::verdict, sample::median};

/// How many standard deviations chance may be thought capable of: beyond this it is wrong once in 16,000 comparisons.
const TOLERATED: f64 = 4.0;

/// What the times ought to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Nothing.
    Alike,
    /// Which lot they are of: this shows that a difference is seen where there is one.
    Apart,
}

/// Times of the same request about two kinds of things, in milliseconds.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    /// What was asked.
    pub(super) name: String,
    pub(super) expected: Expected,
    /// About something that is there; never empty.
    pub(super) known: Vec<f64>,
    /// About something that is not; never empty.
    pub(super) unknown: Vec<f64>,
}

impl Comparison {
    /// How likely it is that of two requests the one about something known took longer: Mann and Whitney's U over the number of
    /// pairs. Half is as good as tossing a coin, and one slow answer among hundreds changes nothing.
    fn longer(&self) -> f64 {
        let pairs = self
            .known
            .iter()
            .flat_map(|known| self.unknown.iter().map(move |unknown| (known, unknown)));
        let won = pairs.map(|(known, unknown)| match known.total_cmp(unknown) {
            std::cmp::Ordering::Less => 0.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Greater => 1.0,
        });
        won.sum::<f64>() / (count(&self.known) * count(&self.unknown))
    }

    /// How far that is from half, in the standard deviations that chance alone makes (normal approximation of U).
    fn deviations(&self) -> f64 {
        let (known, unknown) = (count(&self.known), count(&self.unknown));
        let deviation = ((known + unknown + 1.0) / (12.0 * known * unknown)).sqrt();
        (self.longer() - 0.5) / deviation
    }

    fn is_met(&self) -> bool {
        let is_apart = self.deviations().abs() >= TOLERATED;
        match self.expected {
            Expected::Alike => !is_apart,
            Expected::Apart => is_apart,
        }
    }

    fn line(&self) -> String {
        let expected = match self.expected {
            Expected::Alike => "alike",
            Expected::Apart => "apart",
        };
        format!(
            "  {:<46} {:>9.3} {:>9.3} {:>9.3} {:>9.3} {:>7.3} {:>+7.1}  {expected} {}\n",
            self.name,
            median_of(&self.known),
            spread(&self.known),
            median_of(&self.unknown),
            spread(&self.unknown),
            self.longer(),
            self.deviations(),
            verdict(self.is_met())
        )
    }

    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "requests": [self.known.len(), self.unknown.len()],
            "knownMedian": median_of(&self.known),
            "knownSpread": spread(&self.known),
            "unknownMedian": median_of(&self.unknown),
            "unknownSpread": spread(&self.unknown),
            "knownIsLonger": self.longer(),
            "deviations": self.deviations(),
            "expectedAlike": self.expected == Expected::Alike,
            "met": self.is_met(),
        })
    }
}

/// The table's lines.
pub(super) fn lines(title: &str, comparisons: &[Comparison]) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = writeln!(
        text,
        "{title:<48} {:>9} {:>9} {:>9} {:>9} {:>7} {:>7}  goal (under {TOLERATED} σ)",
        "known ms", "spread", "unknown", "spread", "longer", "σ"
    );
    for one in comparisons {
        text.push_str(&one.line());
    }
    text
}

/// The same for programs.
pub(super) fn json(title: &str, comparisons: &[Comparison]) -> Value {
    json!({ "title": title, "comparisons": comparisons.iter().map(Comparison::json).collect::<Vec<_>>() })
}

fn median_of(times: &[f64]) -> f64 {
    median(times.iter().copied())
}

/// The width of the middle half of the times.
fn spread(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    let at = |place: usize| times.get(place).copied().unwrap_or_default();
    at(times.len() * 3 / 4) - at(times.len() / 4)
}

fn count(times: &[f64]) -> f64 {
    u32::try_from(times.len()).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 200 times each, of which those of what is known are `longer` by so much. They scatter by 1 ms, without any chance.
    fn compared(expected: Expected, longer: f64) -> Comparison {
        let times = |first: u32, longer: f64| {
            (0..200)
                .map(|place| 100.0 + f64::from((first + place * 73) % 211) / 211.0 + longer)
                .collect()
        };
        Comparison {
            name: "a request".to_owned(),
            expected,
            known: times(0, longer),
            unknown: times(105, 0.0),
        }
    }

    #[test]
    fn times_of_one_kind_are_alike() {
        let one = compared(Expected::Alike, 0.0);
        assert!(one.deviations().abs() < 1.0, "{}", one.deviations());
        assert!(one.is_met() && !compared(Expected::Apart, 0.0).is_met());
    }

    #[test]
    fn a_difference_is_seen_that_is_much_smaller_than_the_scatter_whichever_way_it_goes() {
        for longer in [0.15, -0.15] {
            let one = compared(Expected::Alike, longer);
            assert!(!one.is_met(), "{}", one.deviations());
            assert_eq!(one.deviations() > 0.0, longer > 0.0);
        }
    }

    #[test]
    fn a_few_answers_that_took_very_long_are_not_a_difference() {
        let mut one = compared(Expected::Alike, 0.0);
        for time in one.known.iter_mut().take(5) {
            *time = 5_000.0;
        }
        assert!(one.is_met(), "{}", one.deviations());
    }

    #[test]
    fn what_always_took_longer_did_so_in_all_pairs() {
        let one = compared(Expected::Apart, 10.0);
        assert!((one.longer() - 1.0).abs() < 1e-9);
        assert!(lines("times", &[one]).ends_with("apart met\n"));
    }
}
