//! The rows of revocation: how long a session that was ended at the origin still passes at the edge, and how often the
//! edge asks the origin for that.
//!
//! Origin and edge are the real ones, the edge in plain workerd. It hears of a revocation from the feed alone, since the
//! session is ended at the origin and not through the edge.

mod counting;

use std::{
    fs,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::{
    Plan,
    edge::DECIDE,
    histogram::Histogram,
    http::Client,
    origin::{Origin, SignedIn},
    report::{Figure, Row},
    worker::{Contestant, Running, Surroundings},
};
use crate::{
    interrupt, ui,
    worker::{Worker, build},
    workspace::Workspace,
};
use counting::Counting;

/// The policy's issuer and audience, in the origin's configuration.
const TOKENS: [(&str, &str); 2] = [
    ("TOKENS__ISSUER", "https://bench.portcullis.dev"),
    ("TOKENS__AUDIENCE", "bench"),
];

/// How many sessions are watched at a time.
const LANES: usize = 16;
/// From one request with a token to the next with the same.
const PACE: Duration = Duration::from_millis(20);
/// A session is used for up to this long before it is ended, so that trials begin anywhere between two answers of the feed.
const LONGEST_USE: Duration = Duration::from_secs(3);
/// What design.md promises.
const LIMIT_MILLIS: f64 = 5_000.0;
/// Of one bar of the histogram.
const STEP_MILLIS: f64 = 250.0;
/// A trial that takes this long has failed.
const HOPELESS: Duration = Duration::from_secs(30);

/// The two rows.
pub(super) fn rows(workspace: &Workspace, plan: &Plan) -> Result<Vec<Row>> {
    build(workspace, Worker::Edge)?;
    let state = workspace.root().join("target/bench/workerd");
    fs::create_dir_all(&state).with_context(|| format!("{} cannot be made", state.display()))?;
    let origin = Origin::start(workspace, &TOKENS)?;
    let proxy = Counting::start(origin.port)?;
    let secrets = origin.stack.secrets();
    let edge = Running::start(
        Contestant::Edge,
        &Surroundings {
            upstream_port: proxy.port,
            signing_keys: json!({ &secrets.edge_key_id: secrets.edge_signing_key }).to_string(),
            signing_key_id: secrets.edge_key_id.clone(),
            ..Surroundings::new(workspace, &state, "")
        },
    )?;
    ui::heading(&format!("Revocation: {} trials", plan.trials));
    origin.register(0)?;
    let sessions = origin.sign_in_often(plan.trials)?;

    let watch = Watch {
        edge: edge.port,
        origin: origin.port,
        next: AtomicUsize::new(0),
        verified: AtomicU32::new(0),
    };
    // An isolate that has just started fetches keys and feed for whoever asks first; that is not what is counted.
    if let Some(session) = sessions.first()
        && !watch.passes(&mut Client::connect(edge.port)?, session)?
    {
        bail!("the edge refuses a session that has not ended");
    }
    let called = proxy.requests();
    let began = Instant::now();
    let lanes: Vec<Result<Vec<f64>>> = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|_| scope.spawn(|| watch.lane(&sessions)))
            .collect();
        lanes
            .into_iter()
            .map(|lane| lane.join().unwrap_or_else(|_| bail!("a lane ended early")))
            .collect()
    });
    let seconds = began.elapsed().as_secs_f64();
    let millis = lanes.into_iter().collect::<Result<Vec<_>>>()?.concat();
    if millis.len() != plan.trials {
        bail!("{} of {} trials came to an end", millis.len(), plan.trials);
    }
    let calls = f64::from(proxy.requests().saturating_sub(called));
    let verified = f64::from(watch.verified.into_inner());
    ui::line(&format!("  done ({})", ui::seconds(began.elapsed())));
    Ok(vec![
        Row::Times {
            title: format!("revocation reaches the edge, {} trials", plan.trials),
            times: Histogram::new(millis, STEP_MILLIS, LIMIT_MILLIS),
        },
        Row::figures(
            "edge, calls of the origin meanwhile",
            vec![
                Figure::new("of 10,000 verified requests", calls / verified * 1e4, "calls"),
                Figure::new("verified requests", verified / seconds, "a second"),
                Figure::new("calls (keys and feed)", calls / seconds * 60.0, "a minute"),
            ],
        ),
    ])
}

/// What the lanes share.
struct Watch {
    edge: u16,
    origin: u16,
    /// Which session is next.
    next: AtomicUsize,
    /// How many requests the edge has let pass.
    verified: AtomicU32,
}

impl Watch {
    /// Takes one session after another; returns how long each of them still passed, in milliseconds.
    fn lane(&self, sessions: &[SignedIn]) -> Result<Vec<f64>> {
        let (mut edge, mut origin) = (Client::connect(self.edge)?, Client::connect(self.origin)?);
        let mut times = Vec::new();
        while let Some(session) = sessions.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let begin = Instant::now() + random_part_of(LONGEST_USE)?;
            while Instant::now() < begin {
                if !self.passes(&mut edge, session)? {
                    bail!("the edge refuses a session that has not ended");
                }
                thread::sleep(PACE);
            }
            let path = format!("/auth/sessions/{}", session.session);
            let bearer = format!("Bearer {}", session.access_token);
            let answer = origin.send("DELETE", &path, &[("Authorization", &bearer)], None)?;
            if answer.status != 204 {
                bail!(
                    "the origin does not end a session: {} {}",
                    answer.status,
                    answer.body
                );
            }
            let ended = Instant::now();
            while self.passes(&mut edge, session)? {
                if ended.elapsed() > HOPELESS {
                    bail!("a session still passes after {}", ui::seconds(HOPELESS));
                }
                thread::sleep(PACE);
            }
            times.push(ended.elapsed().as_secs_f64() * 1e3);
        }
        Ok(times)
    }

    /// Whether the edge lets a session pass.
    fn passes(&self, edge: &mut Client, session: &SignedIn) -> Result<bool> {
        interrupt::check()?;
        let answer = edge.get(DECIDE, &session.access_token)?;
        match answer.status {
            204 => {
                self.verified.fetch_add(1, Ordering::Relaxed);
                Ok(true)
            }
            401 => Ok(false),
            other => bail!("the edge answers {other}: {}", answer.body),
        }
    }
}

fn random_part_of(longest: Duration) -> Result<Duration> {
    let mut bytes = [0; 2];
    getrandom::fill(&mut bytes).context("the system has no random source")?;
    Ok(longest * u32::from(u16::from_ne_bytes(bytes)) / u32::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_begins_within_the_longest_use() {
        for _ in 0..100 {
            assert!(random_part_of(LONGEST_USE).unwrap() <= LONGEST_USE);
        }
    }
}
