//! Memory of the Worker's runtime and of the origin while a flood goes on.
//!
//! `wrangler dev` runs two runtimes, one of them its own proxy, and both grow by tens of KiB with each request, whatever the
//! Worker is: one in JavaScript that answers 401 and nothing else grows as much. What a flood leaves in an isolate of the
//! edge is the row `isolate`, in plain workerd.

use std::{
    fmt::Write as _,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::number;
use crate::{
    bench::process_time,
    stack::{Part, Stack},
};

/// From one look to the next.
const PACE: Duration = Duration::from_secs(1);
/// Lines of the plot.
const LINES: usize = 16;
/// What one character of a bar stands for, in MiB.
const PER_CHARACTER: f64 = 8.0;
/// The program that runs the Worker, among those that `wrangler dev` starts.
const RUNTIME: &str = "workerd";

/// What two parts had in memory at a moment, in MiB.
#[derive(Clone, Copy, Debug)]
struct Look {
    at: Duration,
    /// Of workerd and of the origin.
    parts: [f64; 2],
}

/// What they had, from the beginning on.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Vec<Look>);

impl Memory {
    /// Looks again and again until it is over.
    pub(super) fn watch(stack: &Stack, began: Instant, is_over: impl Fn() -> bool) -> Result<Self> {
        let pid = |part| {
            stack
                .pid(part)
                .with_context(|| format!("{} has ended", Part::name(part)))
        };
        let (edge, origin) = (pid(Part::Edge)?, pid(Part::Origin)?);
        let untold = "the system does not tell how much memory a process has";
        let mut looks = Vec::new();
        loop {
            let edge = process_time::resident_in_group(edge, RUNTIME).context(untold)?;
            let origin = process_time::resident(origin).context(untold)?;
            looks.push(Look {
                at: began.elapsed(),
                parts: [edge, origin].map(mebibytes),
            });
            if is_over() {
                return Ok(Self(looks));
            }
            thread::sleep(PACE);
        }
    }

    /// How much more each had at the end than at a moment.
    pub(super) fn growth_since(&self, moment: Duration) -> [f64; 2] {
        let then = self.0.iter().find(|look| look.at >= moment).or(self.0.last());
        match (then, self.0.last()) {
            (Some(then), Some(last)) => {
                let ([edge, origin], [edge_then, origin_then]) = (last.parts, then.parts);
                [edge - edge_then, origin - origin_then]
            }
            _ => [0.0; 2],
        }
    }

    /// Bars over time. Writing to a String does not fail.
    pub(super) fn plot(&self) -> String {
        let mut text = format!("  memory in MiB; one # is {PER_CHARACTER}\n");
        for look in self.0.iter().step_by(self.0.len().div_ceil(LINES).max(1)) {
            let [edge, origin] = look.parts;
            let _ = writeln!(
                text,
                "  {:>5.0} s  {RUNTIME} {edge:>5.0} {:<40} origin {origin:>5.0} {}",
                look.at.as_secs_f64(),
                bar(edge),
                bar(origin)
            );
        }
        text.trim_end().to_owned()
    }
}

fn bar(value: f64) -> String {
    let mut bar = String::new();
    let mut left = value;
    while left >= PER_CHARACTER / 2.0 {
        bar.push('#');
        left -= PER_CHARACTER;
    }
    bar
}

fn mebibytes(bytes: u64) -> f64 {
    usize::try_from(bytes / 1024).map_or(f64::INFINITY, number) / 1024.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_counts_from_a_moment_on() {
        let look = |seconds, edge| Look {
            at: Duration::from_secs(seconds),
            parts: [edge, 50.0],
        };
        let memory = Memory(vec![look(0, 100.0), look(60, 160.0), look(90, 165.0)]);
        let [edge, origin] = memory.growth_since(Duration::from_mins(1));
        assert!((edge - 5.0).abs() < 1e-9 && origin.abs() < 1e-9);
        assert_eq!(memory.plot().lines().count(), 4);
    }

    #[test]
    fn a_bar_is_rounded() {
        assert_eq!(bar(3.0), "");
        assert_eq!(bar(12.0), "##");
    }
}
