//! What came of a flood, counted.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::{BufRead, BufReader, Seek, SeekFrom},
    path::Path,
};

use anyhow::{Context, Result};
use serde_json::Value;

use super::hostile::Kind;

/// Answers by kind of request, phase and status.
#[derive(Clone, Debug, Default)]
pub(super) struct Count(BTreeMap<(Kind, bool, u16), usize>);

impl Count {
    /// One more. The status is 0 where the connection ended without an answer.
    pub(super) fn note(&mut self, kind: Kind, is_settled: bool, status: u16) {
        *self.0.entry((kind, is_settled, status)).or_default() += 1;
    }

    /// Those of another lane as well.
    pub(super) fn add(&mut self, other: &Self) {
        for (key, count) in &other.0 {
            *self.0.entry(*key).or_default() += count;
        }
    }

    pub(super) fn all(&self) -> usize {
        self.0.values().sum()
    }

    pub(super) fn with_status(&self, wanted: u16) -> usize {
        let with = self.0.iter().filter(|((_, _, status), _)| *status == wanted);
        with.map(|(_, count)| count).sum()
    }

    /// One line for each kind and phase. Writing to a String does not fail.
    pub(super) fn table(&self) -> String {
        let mut text = "  hostile requests by status; 0: the connection was closed\n".to_owned();
        for kind in Kind::ALL {
            for (is_settled, phase) in [(false, "at first"), (true, "settled")] {
                let of_line = self
                    .0
                    .iter()
                    .filter(|((known, settled, _), _)| *known == kind && *settled == is_settled);
                let statuses: Vec<String> = of_line
                    .map(|((_, _, status), count)| format!("{status}: {count}"))
                    .collect();
                let _ = writeln!(text, "    {:<28} {phase}  {}", kind.name(), statuses.join(", "));
            }
        }
        text.trim_end().to_owned()
    }
}

/// The value that `percent` of them do not exceed (nearest rank); 0 of none.
pub(super) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// The requests that the origin has logged after the first `skipped` bytes of its log, by route, most first.
pub(super) fn by_route(log: &Path, skipped: u64) -> Result<Vec<(String, usize)>> {
    let context = || format!("{} cannot be read", log.display());
    let mut file = File::open(log).with_context(context)?;
    file.seek(SeekFrom::Start(skipped)).with_context(context)?;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for line in BufReader::new(file).lines() {
        let line: Value = serde_json::from_str(&line.with_context(context)?).unwrap_or_default();
        let text = |name: &str| line.get(name).and_then(Value::as_str);
        if text("message") == Some("answered") {
            let route = format!(
                "{} {}",
                text("method").unwrap_or("-"),
                text("route").unwrap_or("-")
            );
            *counts.entry(route).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_added_up_by_status() {
        let (mut one, mut other) = (Count::default(), Count::default());
        one.note(Kind::NoToken, false, 401);
        other.note(Kind::NoToken, false, 401);
        other.note(Kind::OddPath, true, 500);
        one.add(&other);
        assert_eq!((one.all(), one.with_status(401), one.with_status(500)), (3, 2, 1));
        assert!(one.table().contains("401: 2"), "{}", one.table());
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values = [5.0, 1.0, 4.0, 2.0, 3.0];
        assert!((percentile(&values, 50) - 3.0).abs() < f64::EPSILON);
        assert!((percentile(&values, 95) - 5.0).abs() < f64::EPSILON);
        assert!(percentile(&[], 50).abs() < f64::EPSILON);
    }

    #[test]
    fn only_what_was_logged_since_is_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let line = r#"{"message":"answered","method":"GET","route":"/auth/me"}"#;
        std::fs::write(file.path(), format!("{line}\n{line}\nnoise\n{line}\n")).unwrap();
        let skipped = u64::try_from(line.len() + 1).unwrap();
        assert_eq!(
            by_route(file.path(), skipped).unwrap(),
            [("GET /auth/me".to_owned(), 2)]
        );
    }
}
