//! What the feed costs the edge: taking a snapshot in, keeping it, and looking into it with each request.

use std::{fs, path::Path, sync::Arc, time::Instant};

use anyhow::{Context, Result, bail};
use uuid::Uuid;

use super::{Entries, MANY};
use crate::{
    bench::{
        Plan, contest,
        edge::DECIDE,
        http::Client,
        load,
        memory::mebibytes,
        report::{Figure, Row},
        sample::median,
        tokens::Pool,
        upstream,
        worker::{Contestant, Running, Surroundings},
    },
    worker::{Worker, build},
    workspace::Workspace,
};

const EMPTY: &str = "Portcullis edge, nobody revoked";
const FULL: &str = "Portcullis edge, 100,000 entries";

const POOL: usize = 1_000;
/// Which token of the pool the feed revokes.
const REVOKED: usize = 1;

/// The two rows of the feed at the edge. `mint` is the program that makes tokens.
pub(in crate::bench) fn rows(workspace: &Workspace, plan: &Plan, mint: &Path) -> Result<Vec<Row>> {
    build(workspace, Worker::Edge)?;
    let state = workspace.root().join("target/bench/workerd");
    fs::create_dir_all(&state).with_context(|| format!("{} cannot be made", state.display()))?;
    let pool = Pool::prepare(workspace, mint, POOL)?;
    let (good, revoked) = (pool.token(0)?, pool.token(REVOKED)?);
    // The session that `bench_tokens` gives the token of this place.
    let session = Uuid::from_u128(0x0198_0000_0003_7000_8000_0000_0000_0000 + REVOKED as u128);
    let feeds = [
        Arc::new(Entries::new(0, &[])?),
        Arc::new(Entries::new(MANY, &[session])?),
    ];
    let ports = [
        upstream::start(&pool.key_set, &feeds[0])?,
        upstream::start(&pool.key_set, &feeds[1])?,
    ];
    let start = |place: usize| {
        Running::start(
            Contestant::Edge,
            &Surroundings {
                upstream_port: *ports.get(place).context("no such feed")?,
                ..Surroundings::new(workspace, &state, &pool.key_set)
            },
        )
    };

    let mut first_answers = [Vec::new(), Vec::new()];
    for _ in 0..plan.starts {
        for (place, times) in first_answers.iter_mut().enumerate() {
            let one = start(place)?;
            let mut client = Client::connect(one.port)?;
            let began = Instant::now();
            let status = client.get(DECIDE, &revoked)?.status;
            times.push(began.elapsed().as_secs_f64() * 1e3);
            let expected = if place == 0 { 204 } else { 401 };
            if status != expected {
                bail!("the first answer of the edge is {status} and not {expected}");
            }
        }
    }
    let building = Instant::now();
    let snapshot = feeds[1].answer("");
    let building = building.elapsed().as_secs_f64() * 1e3;

    let running = [start(0)?, start(1)?];
    for one in &running {
        if Client::connect(one.port)?.get(DECIDE, &good)?.status != 204 {
            bail!("the edge refuses a token that nobody revoked");
        }
    }
    let measure = |one: &Running, time| load::run(workspace, one.port, DECIDE, &pool.one(), time, one.pid()?);
    for one in &running {
        measure(one, plan.warm_up)?;
    }
    let series = contest::run(
        "Edge decision, beside the revocation feed",
        &[FULL, EMPTY],
        plan.rounds,
        |place, _| {
            let place = 1 - place;
            measure(running.get(place).context("no such contestant")?, plan.round)
        },
    )?;
    let [empty, full] = &running;
    let memory = (mebibytes(empty.pid()?)?, mebibytes(full.pid()?)?);

    let [without, with] = first_answers.map(|times| median(times.into_iter()));
    Ok(vec![
        Row::figures(
            &format!("edge, revocation feed at {MANY} entries"),
            vec![
                Figure::new("first answer of an isolate, nobody revoked", without, "ms"),
                Figure::new("first answer, taking the snapshot in", with, "ms"),
                Figure::new("of that, at the bench's origin", building, "ms"),
                Figure::new("answer of the bench's origin", as_f64(snapshot.len()), "bytes"),
                Figure::new("workerd in memory, nobody revoked", memory.0, "MiB"),
                Figure::new("workerd in memory, with the entries", memory.1, "MiB"),
            ],
        ),
        Row::contest("edge decision, token seen before", "requests", Vec::new(), series),
    ])
}

#[expect(clippy::cast_precision_loss, reason = "a body has far fewer than 2^52 bytes")]
fn as_f64(length: usize) -> f64 {
    length as f64
}
