//! Callers that each send a request, wait for its answer, and send the next.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

use super::{Plan, contest, http::Client, process_time, sample::Sample, sample::Series};

/// One request of one caller, and the check of its answer. It keeps what the next request needs.
pub(super) type Call = Box<dyn FnMut(&mut Client) -> Result<()> + Send>;

/// A server, and those who call it.
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) port: u16,
    /// The leader of its processes.
    pub(super) pid: u32,
    pub(super) calls: Vec<Call>,
}

impl Contestant {
    /// All callers at once, until `time` is over, each over a connection of its own.
    pub(super) fn run(&mut self, time: Duration) -> Result<Sample> {
        let port = self.port;
        let before = process_time::of_group(self.pid);
        let began = Instant::now();
        let counts: Vec<Result<u32>> = thread::scope(|scope| {
            let lanes: Vec<_> = self
                .calls
                .iter_mut()
                .map(|call| {
                    scope.spawn(move || {
                        let mut client = Client::connect(port)?;
                        let mut count = 0;
                        while began.elapsed() < time {
                            call(&mut client)?;
                            count += 1;
                        }
                        Ok(count)
                    })
                })
                .collect();
            lanes
                .into_iter()
                .map(|lane| lane.join().unwrap_or_else(|_| bail!("a caller ended early")))
                .collect()
        });
        let seconds = began.elapsed().as_secs_f64();
        let count = f64::from(counts.into_iter().sum::<Result<u32>>()?);
        let used = process_time::of_group(self.pid)
            .zip(before)
            .map(|(after, before)| after.saturating_sub(before));
        Ok(Sample {
            per_second: count / seconds,
            cpu_micros: used.and_then(|used| Some(f64::from(u32::try_from(used).ok()?) / count)),
        })
    }
}

/// Warms all contestants up, and measures them in turns.
pub(super) fn against_each_other(
    title: &str,
    plan: &Plan,
    contestants: &mut [Contestant],
) -> Result<Vec<Series>> {
    for one in &mut *contestants {
        one.run(plan.warm_up)?;
    }
    let names: Vec<&str> = contestants.iter().map(|one| one.name).collect();
    contest::run(title, &names, plan.rounds, |place, _| {
        match contestants.get_mut(place) {
            Some(one) => one.run(plan.round),
            None => bail!("no such contestant"),
        }
    })
}
