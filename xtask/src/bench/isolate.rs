//! The rows of one isolate: how soon it gives its first answer, and what it has in memory.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{
    Plan,
    edge::DECIDE,
    feed::Entries,
    flood::bombard,
    http::Client,
    load,
    memory::mebibytes,
    report::{Figure, Row},
    sample::median,
    tokens::Pool,
    upstream,
    worker::{Contestant, Running, Surroundings, bundle},
};
use crate::{
    interrupt, ui,
    worker::{Worker, build},
    workspace::Workspace,
};

/// Distinct tokens that the isolate is shown.
const TOKENS: usize = 10_000;
/// How much more memory the edge may have after a second flood than after the first, in MiB.
const MOST_GROWTH: f64 = 32.0;
/// How often it is looked whether a contestant listens.
const PACE: Duration = Duration::from_millis(1);
/// How long a contestant may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);

/// The row of the first answer: contestants are started anew for each trial, in turns. `mint` is the program that makes
/// tokens.
pub(super) fn start_up(workspace: &Workspace, plan: &Plan, mint: &Path) -> Result<Row> {
    let stage = Stage::set(workspace, mint)?;
    let around = stage.around(workspace);
    let token = stage.pool.token(0)?;
    let contestants = [Contestant::Edge, Contestant::Jose, Contestant::Noop];
    ui::heading("Edge start-up");
    let mut trials = [const { (Vec::new(), Vec::new()) }; 3];
    for round in 0..plan.starts {
        for turn in 0..contestants.len() {
            let place = (round + turn) % contestants.len();
            let (Some(contestant), Some((all, last))) = (contestants.get(place), trials.get_mut(place))
            else {
                continue;
            };
            let (whole, asked) = first_answer(*contestant, &around, &token)?;
            all.push(whole);
            last.push(asked);
        }
    }
    let figures = contestants
        .iter()
        .zip(trials)
        .flat_map(|(contestant, (all, last))| {
            let name = contestant.name();
            [
                (format!("{name}: from the process's start"), all),
                (format!("{name}: of that, from the request"), last),
            ]
            .map(|(name, times)| Figure::new(&name, median(times.into_iter()), "ms"))
        });
    Ok(Row::figures(
        "edge start-up, until the first answer",
        figures.collect(),
    ))
}

/// How long it takes from the start of the process, and from the request, to the first answer, in milliseconds. The
/// Worker is compiled and instantiated before workerd listens.
fn first_answer(contestant: Contestant, around: &Surroundings<'_>, token: &str) -> Result<(f64, f64)> {
    let began = Instant::now();
    let one = Running::launch(contestant, around)?;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, one.port)).is_err() {
        interrupt::check()?;
        if began.elapsed() > PATIENCE {
            bail!("{} does not listen", contestant.name());
        }
        thread::sleep(PACE);
    }
    let mut client = Client::connect(one.port)?;
    let asked = Instant::now();
    let status = client.get(DECIDE, token)?.status;
    if status != 204 {
        bail!("the first answer of {} is {status}", contestant.name());
    }
    Ok((milliseconds(began), milliseconds(asked)))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// The row of memory: what workerd has in RAM with tokens cached, and after many requests, beside the no-op under the
/// same load.
pub(super) fn memory(workspace: &Workspace, plan: &Plan, mint: &Path) -> Result<Row> {
    let stage = Stage::set(workspace, mint)?;
    let around = stage.around(workspace);
    let mut figures = Vec::new();
    for contestant in [Contestant::Edge, Contestant::Noop] {
        let name = contestant.name();
        ui::heading(&format!("Memory: {} requests to {name}", plan.requests));
        let one = Running::start(contestant, &around)?;
        Client::connect(one.port)?.get(DECIDE, &stage.pool.token(0)?)?;
        let pid = one.pid()?;
        let idle = mebibytes(pid)?;
        let send = |least: usize| send(workspace, &one, &stage.pool, least);
        send(TOKENS)?;
        let cached = mebibytes(pid)?;
        send(plan.requests / 10)?;
        let tenth = mebibytes(pid)?;
        send(plan.requests)?;
        let all = mebibytes(pid)?;
        let flooded = hostile(&one, &stage.pool, plan.requests / 10, pid)?;
        let flooded_again = hostile(&one, &stage.pool, plan.requests / 10, pid)?;
        let (few, many) = (plan.requests / 10, plan.requests);
        let figure = |what: &str, value| Figure::new(&format!("{name}: {what}"), value, "MiB");
        figures.extend([
            figure("idle", idle),
            figure(&format!("more with {TOKENS} tokens seen"), cached - idle),
            figure(&format!("more after {few} requests"), tenth - idle),
            figure(&format!("more after {many} requests"), all - idle),
            figure(&format!("more after {few} hostile requests"), flooded - idle),
        ]);
        let by_the_second = flooded_again - flooded;
        let again = figure(&format!("more by {few} hostile requests again"), by_the_second);
        figures.push(if contestant == Contestant::Edge {
            again.below(MOST_GROWTH)
        } else {
            again
        });
    }
    Ok(Row::figures("edge, resident memory of workerd", figures))
}

/// Sends so many hostile requests of every kind, and says what workerd has in memory then.
fn hostile(one: &Running, pool: &Pool, count: usize, pid: u32) -> Result<f64> {
    bombard(one.port, &pool.token(0)?, count);
    interrupt::check()?;
    mebibytes(pid)
}

/// Sends at least so many requests, each time with the next token.
fn send(workspace: &Workspace, one: &Running, pool: &Pool, least: usize) -> Result<()> {
    let mut time = Duration::from_secs(2);
    let mut sent = 0.0;
    // wrk begins with the first token each time, so one that is to present all has to be given the time.
    while sent < f64::from(u32::try_from(least)?) {
        interrupt::check()?;
        let sample = load::run(
            workspace,
            one.port,
            DECIDE,
            &pool.in_turn(TOKENS),
            time,
            one.pid()?,
        )?;
        let now = sample.per_second * time.as_secs_f64();
        sent = if least > TOKENS { sent + now } else { now };
        time = (time * 2).min(Duration::from_secs(16));
    }
    Ok(())
}

/// What both rows need.
struct Stage {
    state: std::path::PathBuf,
    pool: Pool,
    upstream_port: u16,
}

impl Stage {
    fn set(workspace: &Workspace, mint: &Path) -> Result<Self> {
        build(workspace, Worker::Edge)?;
        bundle(workspace)?;
        let state = workspace.root().join("target/bench/workerd");
        fs::create_dir_all(&state).with_context(|| format!("{} cannot be made", state.display()))?;
        let pool = Pool::prepare(workspace, mint, TOKENS)?;
        let upstream_port = upstream::start(&pool.key_set, &Arc::new(Entries::new(0, &[])?))?;
        Ok(Self {
            state,
            pool,
            upstream_port,
        })
    }

    fn around<'a>(&'a self, workspace: &'a Workspace) -> Surroundings<'a> {
        Surroundings {
            upstream_port: self.upstream_port,
            ..Surroundings::new(workspace, &self.state, &self.pool.key_set)
        }
    }
}
