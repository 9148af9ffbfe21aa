//! What became of a credential, rule by rule: for an operator who asks why it is good or refused.
//!
//! Invariant: an explanation is made from what the production code answered. It never shows the credential itself.

use serde::Serialize;

use super::time::{Timestamp, rfc3339};

/// One rule, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Short and stable, such as `exp`.
    pub check: &'static str,
    /// What the rule demands, for a person.
    pub rule: &'static str,
    /// Where the rule stands, such as `RFC 9068 §4`.
    pub reference: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// What was found, where it is harmless, or why the rule was not met.
    pub detail: Option<String>,
}

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was met.
    Good,
    /// It was not met, and the credential was refused for it.
    Refused,
    /// The credential was refused before.
    NotReached,
}

impl Outcome {
    /// For a person.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Refused => "refused",
            Self::NotReached => "not reached",
        }
    }

    /// What became of the rule at position `at`, where the rule at position `refused` was the first not to be met.
    #[must_use]
    pub fn at(at: usize, refused: Option<usize>) -> Self {
        match refused {
            Some(refused) if at == refused => Self::Refused,
            Some(refused) if at > refused => Self::NotReached,
            Some(_) | None => Self::Good,
        }
    }
}

/// A moment, and how far it is from `now`: `2026-11-22T12:15:00.000Z, in 12 min`.
#[must_use]
pub fn moment(moment: Timestamp, now: Timestamp) -> String {
    let seconds = (moment - now).num_seconds();
    let span = span(seconds.unsigned_abs());
    let distance = match seconds {
        0 => "now".to_owned(),
        1.. => format!("in {span}"),
        _ => format!("{span} ago"),
    };
    format!("{}, {distance}", rfc3339(moment))
}

/// The two largest units would pretend to a precision that nobody asked for: one is enough, rounded down.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::super::time::TimeDelta;
    use super::*;

    #[test]
    fn what_comes_after_a_refusal_was_not_reached() {
        let outcomes = |refused| [0, 1, 2].map(|at| Outcome::at(at, refused));
        assert_eq!(outcomes(None), [Outcome::Good; 3]);
        assert_eq!(
            outcomes(Some(1)),
            [Outcome::Good, Outcome::Refused, Outcome::NotReached]
        );
    }

    #[test]
    fn a_moment_is_shown_with_its_distance() {
        let now = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
        for (seconds, distance) in [
            (0, "now"),
            (1, "in 1 s"),
            (-90, "90 s ago"),
            (720, "in 12 min"),
            (-7_200, "2 h ago"),
            (30 * 86_400, "in 30 days"),
        ] {
            let text = moment(now + TimeDelta::seconds(seconds), now);
            assert!(text.ends_with(&format!("Z, {distance}")), "{text}");
        }
    }
}
