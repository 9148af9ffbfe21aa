//! The row of a flood: hostile requests of every kind as fast as they are answered, and people among them who must not
//! notice.
//!
//! Everything is real but the upstream: the Worker in `wrangler dev`, because only there are the bindings that count, the
//! origin, and its stores. Rate limits are those of development. A flood lasts longer than the longest window of a limit,
//! so that it is seen before the limits have taken hold and after.

mod good;
mod hostile;
mod memory;
mod outcome;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{
    Plan,
    feed::Entries,
    report::{Figure, Row},
    upstream,
};
use crate::{
    interrupt,
    stack::{self, Part, Stack, StackOptions, Store, Upstream},
    ui,
    workspace::Workspace,
};
use good::{Asked, Errand, Person};
use hostile::Kind;
use memory::Memory;
use outcome::{Count, by_route, percentile};

/// How many send hostile requests of each kind at a time. Each kind has lanes of its own: guesses of passwords, which wait for the
/// hasher, would keep the others back.
const LANES: usize = 4;
/// How many people there are.
const PEOPLE: usize = 8;
/// After the longest window of a limit whoever is over one is refused at once.
const SETTLED: Duration = Duration::from_mins(1);
/// A flood goes on at least this long.
const LEAST: Duration = Duration::from_secs(90);
/// How long people are alone before.
const QUIET: Duration = Duration::from_secs(15);
/// How much more memory the origin may have at the end than when the limits had settled, in MiB.
const MOST_GROWTH: f64 = 32.0;

/// What happened.
struct Flood {
    quiet: Vec<Asked>,
    asked: Vec<Asked>,
    hostile: Count,
    memory: Memory,
    took: Duration,
    /// Requests that reached the origin, by route.
    caused: Vec<(String, usize)>,
}

/// The row. `plan.flood` is how many hostile requests there are at least.
pub(super) fn row(workspace: &Workspace, plan: &Plan) -> Result<Row> {
    let state = workspace.root().join("target/bench/flood");
    fs::create_dir_all(&state).with_context(|| format!("{} cannot be made", state.display()))?;
    stack::clear(workspace, &state)?;
    ui::heading("Starting Postgres, Redis, the origin and the Worker");
    let port = upstream::start("{}", &Arc::new(Entries::new(0, &[])?))?;
    let stack = Stack::start(
        workspace,
        &StackOptions {
            upstream: Upstream::Given(format!("http://127.0.0.1:{port}")),
            postgres: Store::Own,
            redis: Store::Own,
            binaries: workspace.target_dir().join("release"),
            // As a deployment has it.
            worker_vars: vec![("LOG_REQUESTS".to_owned(), "refused".to_owned())],
            ..StackOptions::new(workspace, &state)
        },
    )?;
    let flood = Flood::happen(&stack, plan.flood)?;
    ui::line(&flood.hostile.table());
    ui::line(&flood.memory.plot());
    ui::line("  requests that reached the origin, the people's included");
    for (route, count) in &flood.caused {
        ui::line(&format!("    {count:>7}  {route}"));
    }
    Ok(flood.row())
}

/// So many hostile requests of every kind, whatever the Worker answers. `good` is a token that holds.
pub(super) fn bombard(edge: u16, good: &str, count: usize) {
    flood(edge, good, Instant::now(), |sent| sent < count);
}

/// Hostile requests of every kind, `goes_on` for as long as it says of the number that were sent. `good` is a token that
/// holds.
fn flood(edge: u16, good: &str, began: Instant, goes_on: impl Fn(usize) -> bool + Sync) -> Count {
    let sent = AtomicUsize::new(0);
    let next = || {
        let serial = sent.fetch_add(1, Ordering::Relaxed);
        (goes_on(serial) && interrupt::check().is_ok()).then_some(serial)
    };
    thread::scope(|scope| {
        let next = &next;
        let lanes: Vec<_> = Kind::ALL
            .into_iter()
            .flat_map(|kind| [kind; LANES])
            .map(|kind| scope.spawn(move || hostile::lane(edge, kind, good, began, next)))
            .collect();
        let mut count = Count::default();
        for lane in lanes {
            count.add(&lane.join().unwrap_or_default());
        }
        count
    })
}

impl Flood {
    fn happen(stack: &Stack, least: usize) -> Result<Self> {
        let edge = port_of(&stack.url(Part::Edge))?;
        let people: Vec<Person> = (0..PEOPLE)
            .map(|number| Person::register(edge, number))
            .collect::<Result<_>>()?;
        let abuser = Person::register(edge, PEOPLE)?.into_token();

        ui::heading(&format!("Flood: {PEOPLE} people alone"));
        let began = Instant::now();
        let quiet = together(&people, edge, began, || began.elapsed() > QUIET)?;

        ui::heading(&format!("Flood: at least {least} hostile requests"));
        let log = stack.log_path(Part::Origin);
        let logged = fs::metadata(&log).map_or(0, |file| file.len());
        let began = Instant::now();
        let is_over = AtomicBool::new(false);
        let (asked, count, memory) = thread::scope(|scope| {
            let hostile = scope.spawn(|| {
                let count = flood(edge, &abuser, began, |sent| {
                    sent < least || began.elapsed() < LEAST
                });
                is_over.store(true, Ordering::Relaxed);
                count
            });
            let is_over = &is_over;
            let watch = scope.spawn(|| Memory::watch(stack, began, || is_over.load(Ordering::Relaxed)));
            let people = &people;
            let asking =
                scope.spawn(move || together(people, edge, began, || is_over.load(Ordering::Relaxed)));
            let count = hostile.join().unwrap_or_default();
            let ended = "a part of the flood ended early";
            let asked = asking.join().unwrap_or_else(|_| bail!(ended));
            let memory = watch.join().unwrap_or_else(|_| bail!(ended));
            (asked, count, memory)
        });
        interrupt::check()?;
        Ok(Self {
            quiet,
            asked: asked?,
            hostile: count,
            memory: memory?,
            took: began.elapsed(),
            caused: by_route(&log, logged)?,
        })
    }

    fn row(&self) -> Row {
        let refused = |from: Duration, to: Duration| {
            let of_phase = |asked: &&Asked| asked.errand != Errand::SignIn && asked.is_between(from, to);
            number(
                self.asked
                    .iter()
                    .filter(of_phase)
                    .filter(|asked| !asked.is_served())
                    .count(),
            )
        };
        let millis = |asked: &[Asked]| {
            let of_signed_in = asked.iter().filter(|asked| asked.errand != Errand::SignIn);
            of_signed_in.map(|asked| asked.millis).collect::<Vec<f64>>()
        };
        let (quiet, during) = (millis(&self.quiet), millis(&self.asked));
        let sign_ins = || self.asked.iter().filter(|asked| asked.errand == Errand::SignIn);
        let broken =
            self.asked.iter().filter(|asked| asked.status == 500).count() + self.hostile.with_status(500);
        let [edge, origin] = self.memory.growth_since(SETTLED);
        Row::figures(
            &format!(
                "flood, {} hostile requests in {:.0} s",
                self.hostile.all(),
                self.took.as_secs_f64()
            ),
            vec![
                Figure::new(
                    "people refused once the limits have settled",
                    refused(SETTLED, Duration::MAX),
                    "requests",
                )
                .below(1.0),
                Figure::new(
                    "people refused before that",
                    refused(Duration::ZERO, SETTLED),
                    "requests",
                ),
                Figure::new("answers with the status 500", number(broken), "answers").below(1.0),
                Figure::new("people's requests", number(during.len()), "requests"),
                Figure::new("people alone, median", percentile(&quiet, 50), "ms"),
                Figure::new("people alone, p95", percentile(&quiet, 95), "ms"),
                Figure::new("people in the flood, median", percentile(&during, 50), "ms"),
                Figure::new("people in the flood, p95", percentile(&during, 95), "ms"),
                Figure::new(
                    "people's sign-ins in the flood",
                    number(sign_ins().count()),
                    "sign-ins",
                ),
                Figure::new(
                    "of those, refused",
                    number(sign_ins().filter(|asked| !asked.is_served()).count()),
                    "sign-ins",
                ),
                Figure::new("memory of wrangler dev, grown once settled", edge, "MiB"),
                Figure::new("memory of the origin, grown once settled", origin, "MiB").below(MOST_GROWTH),
                Figure::new(
                    "requests that reached the origin",
                    number(self.caused.iter().map(|(_, count)| count).sum()),
                    "requests",
                ),
            ],
        )
    }
}

/// All people at once, until it is over.
fn together(
    people: &[Person],
    edge: u16,
    began: Instant,
    is_over: impl Fn() -> bool + Sync,
) -> Result<Vec<Asked>> {
    thread::scope(|scope| {
        let is_over = &is_over;
        let asking: Vec<_> = people
            .iter()
            .map(|person| scope.spawn(move || person.use_it(edge, began, is_over)))
            .collect();
        let mut all = Vec::new();
        for person in asking {
            all.extend(person.join().unwrap_or_else(|_| bail!("somebody ended early"))?);
        }
        Ok(all)
    })
}

/// A count as a figure; far below what a float holds exactly.
fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

fn port_of(url: &str) -> Result<u16> {
    url.rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
        .with_context(|| format!("{url:?} has no port"))
}
