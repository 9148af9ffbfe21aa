//! The table of results.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{contest::rate, sample::Series};

/// What a row must reach, from `design.md`.
#[derive(Clone, Debug)]
pub(super) struct Goal {
    minimum: f64,
    /// The better of these counts.
    against: Vec<String>,
}

impl Goal {
    /// At least `minimum` times what `against` does.
    pub(super) fn at_least(minimum: f64, against: &str) -> Self {
        Self::at_least_best(minimum, &[against])
    }

    /// At least `minimum` times what the better of `against` does.
    pub(super) fn at_least_best(minimum: f64, against: &[&str]) -> Self {
        Self {
            minimum,
            against: against.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// One line of questions and its answers.
#[derive(Clone, Debug)]
pub(super) enum Row {
    /// Rates, ours first.
    Contest {
        title: String,
        /// What is counted.
        unit: &'static str,
        goal: Goal,
        series: Vec<Series>,
    },
    /// A size that must stay below a limit, both in bytes.
    Size {
        title: String,
        bytes: u64,
        limit: u64,
        /// What else is worth knowing.
        note: String,
    },
}

impl Row {
    pub(super) fn contest(title: &str, unit: &'static str, goal: Goal, series: Vec<Series>) -> Self {
        Self::Contest {
            title: title.to_owned(),
            unit,
            goal,
            series,
        }
    }

    /// The table's lines for this row.
    fn lines(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        match self {
            Self::Contest {
                title,
                unit,
                goal,
                series,
            } => {
                let _ = writeln!(
                    text,
                    "{title:<50} {:>12} {:>7} {:>9} {:>6}  goal",
                    format!("{unit}/s"),
                    "spread",
                    "CPU µs",
                    "ratio"
                );
                let decisive = decisive(goal, series);
                for one in series {
                    let cpu = one
                        .cpu_micros()
                        .map(|micros| format!("{micros:.1}"))
                        .unwrap_or_default();
                    let _ = write!(
                        text,
                        "  {:<48} {:>12} {:>5.0} % {cpu:>9}",
                        one.name,
                        rate(one.rate()),
                        one.spread() * 100.0
                    );
                    if let Some(ratio) = ratio(series, one) {
                        let _ = write!(text, " {ratio:>6.2}");
                        if decisive.is_some_and(|name| name == one.name) {
                            let _ = write!(text, "  >= {} {}", goal.minimum, verdict(ratio >= goal.minimum));
                        }
                    }
                    text.push('\n');
                }
            }
            Self::Size {
                title,
                bytes,
                limit,
                note,
            } => {
                let _ = writeln!(
                    text,
                    "{title:<50} {:>12} {:>7} {:>9} {:>6}  goal",
                    "bytes", "", "", ""
                );
                let _ = writeln!(
                    text,
                    "  {note:<48} {bytes:>12} {:>7} {:>9} {:>6}  < {limit} {}",
                    "",
                    "",
                    "",
                    verdict(bytes < limit)
                );
            }
        }
        text
    }

    fn json(&self) -> Value {
        match self {
            Self::Contest {
                title,
                unit,
                goal,
                series,
            } => {
                let contestants: Vec<Value> = series
                    .iter()
                    .map(|one| {
                        json!({
                            "name": one.name,
                            "perSecond": one.rate(),
                            "spread": one.spread(),
                            "cpuMicros": one.cpu_micros(),
                            "rounds": one.samples.iter().map(|sample| sample.per_second).collect::<Vec<_>>(),
                            "ratioOfOurs": ratio(series, one),
                        })
                    })
                    .collect();
                let decisive = decisive(goal, series);
                let reached = decisive
                    .and_then(|name| series.iter().find(|one| one.name == name))
                    .and_then(|one| ratio(series, one));
                json!({
                    "title": title,
                    "unit": unit,
                    "contestants": contestants,
                    "goal": {
                        "atLeast": goal.minimum,
                        "against": decisive,
                        "ratio": reached,
                        "met": reached.is_some_and(|ratio| ratio >= goal.minimum),
                    },
                })
            }
            Self::Size {
                title,
                bytes,
                limit,
                note,
            } => json!({
                "title": title,
                "bytes": bytes,
                "note": note,
                "goal": { "below": limit, "met": bytes < limit },
            }),
        }
    }
}

/// All rows under the facts of the machine, as text.
pub(super) fn table(facts: &[(&str, String)], rows: &[Row]) -> String {
    let mut text = String::new();
    for (name, value) in facts {
        let _ = writeln!(text, "{name:<10} {value}");
    }
    for row in rows {
        text.push('\n');
        text.push_str(&row.lines());
    }
    text
}

/// The same for programs.
pub(super) fn document(facts: &[(&str, String)], rows: &[Row]) -> Value {
    let facts: serde_json::Map<String, Value> = facts
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    json!({ "machine": facts, "rows": rows.iter().map(Row::json).collect::<Vec<_>>() })
}

/// How ours compares with `other`; nothing for ours itself.
fn ratio(series: &[Series], other: &Series) -> Option<f64> {
    series
        .first()
        .filter(|ours| ours.name != other.name)
        .map(|ours| ours.ratio_to(other))
}

/// The contestant that the goal is about: the better of those it names.
fn decisive<'s>(goal: &Goal, series: &'s [Series]) -> Option<&'s str> {
    series
        .iter()
        .filter(|one| goal.against.contains(&one.name))
        .max_by(|a, b| a.rate().total_cmp(&b.rate()))
        .map(|one| one.name.as_str())
}

const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::sample::Sample;

    fn series(name: &str, per_second: f64) -> Series {
        let mut series = Series::new(name);
        series.samples.push(Sample {
            per_second,
            cpu_micros: None,
        });
        series
    }

    fn row(ours: f64) -> Row {
        let rivals = [
            series("ours", ours),
            series("slow", 50.0),
            series("fast", 100.0),
            series("other", 900.0),
        ];
        Row::contest(
            "a row",
            "hashes",
            Goal::at_least_best(1.25, &["slow", "fast"]),
            rivals.to_vec(),
        )
    }

    #[test]
    fn the_better_of_the_named_rivals_decides() {
        let goal = row(124.0).json()["goal"].clone();
        assert_eq!(goal["against"], "fast");
        assert_eq!(goal["met"], false);
        assert_eq!(row(126.0).json()["goal"]["met"], true);
    }

    #[test]
    fn the_table_has_the_verdict_on_the_line_of_the_decisive_rival() {
        let text = table(&[("cores", "2".to_owned())], &[row(124.0)]);
        assert!(text.starts_with("cores      2\n"), "{text}");
        let line = text.lines().find(|line| line.contains("MISSED")).unwrap();
        assert!(
            line.trim_start().starts_with("fast") && line.contains("1.24"),
            "{line}"
        );
    }

    #[test]
    fn a_size_at_the_limit_is_too_large() {
        let row = |bytes| Row::Size {
            title: "size".to_owned(),
            bytes,
            limit: 300_000,
            note: String::new(),
        };
        assert_eq!(row(300_000).json()["goal"]["met"], false);
        assert_eq!(row(299_999).json()["goal"]["met"], true);
    }
}
