//! The table of results.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{
    comparison::{self, Comparison},
    contest::rate,
    histogram::Histogram,
    sample::Series,
};

/// What a contest must reach, from `design.md`.
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

    /// The contestant that the goal is about: the better of those it names.
    fn decisive<'s>(&self, series: &'s [Series]) -> Option<&'s str> {
        series
            .iter()
            .filter(|one| self.against.contains(&one.name))
            .max_by(|a, b| a.rate().total_cmp(&b.rate()))
            .map(|one| one.name.as_str())
    }
}

/// A number that stands for itself.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    /// What it is.
    pub(super) name: String,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    /// What it must stay below, from `design.md`.
    pub(super) below: Option<f64>,
}

impl Figure {
    /// A number without a goal.
    pub(super) fn new(name: &str, value: f64, unit: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            value,
            unit,
            below: None,
        }
    }

    /// The same with a goal.
    pub(super) fn below(self, limit: f64) -> Self {
        Self {
            below: Some(limit),
            ..self
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
        goals: Vec<Goal>,
        series: Vec<Series>,
    },
    /// Numbers.
    Figures { title: String, figures: Vec<Figure> },
    /// How long something took, many times.
    Times { title: String, times: Histogram },
    /// The same requests about what is there and what is not.
    Compared {
        title: String,
        comparisons: Vec<Comparison>,
    },
}

impl Row {
    pub(super) fn contest(title: &str, unit: &'static str, goals: Vec<Goal>, series: Vec<Series>) -> Self {
        Self::Contest {
            title: title.to_owned(),
            unit,
            goals,
            series,
        }
    }

    pub(super) fn figures(title: &str, figures: Vec<Figure>) -> Self {
        Self::Figures {
            title: title.to_owned(),
            figures,
        }
    }

    /// The table's lines for this row.
    fn lines(&self) -> String {
        match self {
            Self::Contest {
                title,
                unit,
                goals,
                series,
            } => contest_lines(title, unit, goals, series),
            Self::Figures { title, figures } => figure_lines(title, figures),
            Self::Times { title, times } => format!("{title:<50} {:>12}\n{}", "ms", times.lines()),
            Self::Compared { title, comparisons } => comparison::lines(title, comparisons),
        }
    }

    fn json(&self) -> Value {
        match self {
            Self::Contest {
                title,
                unit,
                goals,
                series,
            } => contest_json(title, unit, goals, series),
            Self::Figures { title, figures } => {
                let figures: Vec<Value> = figures
                    .iter()
                    .map(|one| {
                        let goal = one
                            .below
                            .map(|limit| json!({ "below": limit, "met": one.value < limit }));
                        json!({ "name": one.name, "value": one.value, "unit": one.unit, "goal": goal })
                    })
                    .collect();
                json!({ "title": title, "figures": figures })
            }
            Self::Times { title, times } => json!({ "title": title, "times": times.json() }),
            Self::Compared { title, comparisons } => comparison::json(title, comparisons),
        }
    }
}

// Writing to a String does not fail.
fn contest_lines(title: &str, unit: &str, goals: &[Goal], series: &[Series]) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{title:<50} {:>12} {:>7} {:>9} {:>6}  goal",
        format!("{unit}/s"),
        "spread",
        "CPU µs",
        "ratio"
    );
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
            for goal in goals
                .iter()
                .filter(|goal| goal.decisive(series) == Some(&one.name))
            {
                let _ = write!(text, "  >= {} {}", goal.minimum, verdict(ratio >= goal.minimum));
            }
        }
        text.push('\n');
    }
    text
}

fn contest_json(title: &str, unit: &str, goals: &[Goal], series: &[Series]) -> Value {
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
    let goals: Vec<Value> = goals
        .iter()
        .map(|goal| {
            let decisive = goal.decisive(series);
            let reached = decisive
                .and_then(|name| series.iter().find(|one| one.name == name))
                .and_then(|one| ratio(series, one));
            json!({
                "atLeast": goal.minimum,
                "against": decisive,
                "ratio": reached,
                "met": reached.is_some_and(|ratio| ratio >= goal.minimum),
            })
        })
        .collect();
    json!({ "title": title, "unit": unit, "contestants": contestants, "goals": goals })
}

fn figure_lines(title: &str, figures: &[Figure]) -> String {
    let mut text = format!("{title}\n");
    for one in figures {
        let value = if one.value < 100.0 {
            format!("{:.2}", one.value)
        } else {
            format!("{:.0}", one.value)
        };
        let _ = write!(text, "  {:<48} {value:>12} {:<24}", one.name, one.unit);
        if let Some(limit) = one.below {
            let _ = write!(text, "  < {limit} {}", verdict(one.value < limit));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
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

pub(super) const fn verdict(met: bool) -> &'static str {
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
        let goals = vec![
            Goal::at_least_best(1.25, &["slow", "fast"]),
            Goal::at_least(0.1, "other"),
        ];
        Row::contest("a row", "hashes", goals, rivals.to_vec())
    }

    #[test]
    fn the_better_of_the_named_rivals_decides() {
        let goal = row(124.0).json()["goals"][0].clone();
        assert_eq!(goal["against"], "fast");
        assert_eq!(goal["met"], false);
        assert_eq!(row(126.0).json()["goals"][0]["met"], true);
    }

    #[test]
    fn the_table_has_each_verdict_on_the_line_of_its_decisive_rival() {
        let text = table(&[("cores", "2".to_owned())], &[row(124.0)]);
        assert!(text.starts_with("cores      2\n"), "{text}");
        let line = |verdict| text.lines().find(|line| line.ends_with(verdict)).unwrap();
        let missed = line("MISSED");
        assert!(
            missed.trim_start().starts_with("fast") && missed.contains("1.24"),
            "{missed}"
        );
        assert!(line("met").trim_start().starts_with("other"), "{text}");
    }

    #[test]
    fn a_figure_at_the_limit_is_too_large() {
        let row = |bytes| Row::figures("size", vec![Figure::new("all", bytes, "bytes").below(300_000.0)]);
        assert_eq!(row(300_000.0).json()["figures"][0]["goal"]["met"], false);
        assert!(row(300_000.0).lines().ends_with("< 300000 MISSED\n"));
        assert_eq!(row(299_999.0).json()["figures"][0]["goal"]["met"], true);
    }

    #[test]
    fn a_figure_without_a_goal_has_no_verdict() {
        let row = Row::figures("size", vec![Figure::new("all", 1.5, "ms")]);
        assert!(row.lines().ends_with("1.50 ms\n"), "{}", row.lines());
    }
}
