//! The rows of the edge: a decision on a token seen before, on one never seen, and proxying.

use std::{fs, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};

use super::{
    Plan, contest,
    feed::Entries,
    http::Client,
    load,
    report::{Goal, Row},
    sample::Series,
    tokens::{KEY_BITS, Pool, tampered},
    upstream,
    worker::{Contestant, Running, Surroundings, bundle},
};
use crate::{
    worker::{Worker, build},
    workspace::Workspace,
};

/// Answered by the contestant itself, once it has decided.
pub(super) const DECIDE: &str = "/decide";
/// Answered by the upstream.
const PROXIED: &str = "/events/01980000-0004-7000-8000-000000000000?from=2026-01-01";

const DECIDERS: [Contestant; 3] = [Contestant::Edge, Contestant::Jose, Contestant::Noop];
const PROXIES: [Contestant; 4] = [
    Contestant::Edge,
    Contestant::Proxy,
    Contestant::HeaderProxy,
    Contestant::JoseProxy,
];

/// Tokens that a pool holds at first; the row of unseen tokens says how many it takes on this machine.
const FIRST_POOL: usize = 1_000;

/// Measures the three rows. `mint` is the program that makes tokens.
pub(super) fn rows(workspace: &Workspace, plan: &Plan, mint: &Path) -> Result<Vec<Row>> {
    build(workspace, Worker::Edge)?;
    bundle(workspace)?;
    let state = workspace.root().join("target/bench/workerd");
    fs::create_dir_all(&state).with_context(|| format!("{} cannot be made", state.display()))?;

    let pool = Pool::prepare(workspace, mint, FIRST_POOL)?;
    let nobody_revoked = Arc::new(Entries::new(0, &[])?);
    let around = Surroundings {
        upstream_port: upstream::start(&pool.key_set, &nobody_revoked)?,
        ..Surroundings::new(workspace, &state, &pool.key_set)
    };
    let seen = against_each_other(
        "Edge decision, token seen before",
        &around,
        plan,
        &DECIDERS,
        DECIDE,
        &pool,
    )?;
    let proxied = against_each_other(
        "Edge proxying to an upstream",
        &around,
        plan,
        &PROXIES,
        PROXIED,
        &pool,
    )?;

    let fastest = seen
        .iter()
        .take(2)
        .flat_map(|series| &series.samples)
        .map(|sample| sample.per_second)
        .fold(0.0, f64::max);
    let unseen = never_seen(workspace, &state, plan, mint, fastest)?;

    let against_jose = |minimum| Goal::at_least(minimum, Contestant::Jose.name());
    Ok(vec![
        Row::contest(
            "edge decision, token seen before",
            "requests",
            vec![against_jose(1.25)],
            seen,
        ),
        Row::contest(
            &format!("edge decision, token never seen (RSA-{KEY_BITS})"),
            "requests",
            vec![against_jose(1.0)],
            unseen,
        ),
        Row::contest(
            "edge proxying, token seen before",
            "requests",
            vec![Goal::at_least(0.9, Contestant::Proxy.name())],
            proxied,
        ),
    ])
}

/// All contestants stay up; the same token is presented each time.
fn against_each_other(
    title: &str,
    around: &Surroundings<'_>,
    plan: &Plan,
    contestants: &[Contestant],
    path: &str,
    pool: &Pool,
) -> Result<Vec<Series>> {
    let names: Vec<&str> = contestants.iter().map(|one| one.name()).collect();
    let running: Vec<Running> = contestants
        .iter()
        .map(|one| Running::start(*one, around))
        .collect::<Result<_>>()?;
    same_answer(contestants, &running, path, &pool.token(0)?)?;
    for one in &running {
        load::run(
            around.workspace,
            one.port,
            path,
            &pool.one(),
            plan.warm_up,
            one.pid()?,
        )?;
    }
    contest::run(title, &names, plan.rounds, |place, _| {
        let one = running.get(place).context("no such contestant")?;
        load::run(
            around.workspace,
            one.port,
            path,
            &pool.one(),
            plan.round,
            one.pid()?,
        )
    })
}

/// Every contestant is started anew for each round, so that it has seen none of the tokens; it warms up on others.
fn never_seen(
    workspace: &Workspace,
    state: &Path,
    plan: &Plan,
    mint: &Path,
    fastest: f64,
) -> Result<Vec<Series>> {
    let enough = |time: Duration| count(fastest * 1.2 * time.as_secs_f64());
    let (warm_up, measured) = (enough(plan.warm_up), enough(plan.round));
    let pool = Pool::prepare(workspace, mint, warm_up + measured)?;
    // The keys may be others than before, so the upstream that publishes them is another as well.
    let around = Surroundings {
        upstream_port: upstream::start(&pool.key_set, &Arc::new(Entries::new(0, &[])?))?,
        ..Surroundings::new(workspace, state, &pool.key_set)
    };
    let contestants = &DECIDERS;
    let names: Vec<&str> = contestants.iter().map(|one| one.name()).collect();
    contest::run(
        "Edge decision, token never seen",
        &names,
        plan.rounds,
        |place, _| {
            let contestant = *contestants.get(place).context("no such contestant")?;
            // The no-op looks at no token, and is so fast that a pool for it would take minutes to make.
            let (first, second) = if contestant == Contestant::Noop {
                (pool.one(), pool.one())
            } else {
                (pool.each_once(0, warm_up), pool.each_once(warm_up, measured))
            };
            let one = Running::start(contestant, &around)?;
            load::run(workspace, one.port, DECIDE, &first, plan.warm_up, one.pid()?)?;
            load::run(workspace, one.port, DECIDE, &second, plan.round, one.pid()?)
        },
    )
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what one machine answers in seconds is a positive number far below 2^32"
)]
fn count(tokens: f64) -> usize {
    tokens.ceil() as usize
}

/// Fails unless all contestants give the same kind of answer to a good token, and the deciding ones refuse a bad one.
fn same_answer(contestants: &[Contestant], running: &[Running], path: &str, token: &str) -> Result<()> {
    let mut first: Option<(u16, Vec<String>)> = None;
    for (contestant, one) in contestants.iter().zip(running) {
        let mut client = Client::connect(one.port)?;
        let answer = client.get(path, token)?;
        let seen = (
            answer.status,
            answer
                .header_names()
                .into_iter()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        );
        if !(200..300).contains(&seen.0) {
            bail!(
                "{} answers {} to a good token: {}",
                contestant.name(),
                seen.0,
                answer.body
            );
        }
        match &first {
            None => first = Some(seen),
            // A proxy of the edge adds its request id to the answer; the JavaScript ones add nothing.
            Some(expected) if path == DECIDE && *expected != seen => {
                bail!("{} answers {seen:?} and not {expected:?}", contestant.name());
            }
            Some(_) => {}
        }
        let verifies = matches!(
            contestant,
            Contestant::Edge | Contestant::Jose | Contestant::JoseProxy
        );
        let tampered = tampered(token);
        if verifies && client.get(path, &tampered)?.status != 401 {
            bail!("{} lets a tampered token pass", contestant.name());
        }
    }
    Ok(())
}
