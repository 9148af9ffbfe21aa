//! `portcullis jobs …`.

use std::fmt::Write as _;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use crate::audit::{self, Event, EventKind};
use crate::jobs::{self, JobState, JobSummary};
use crate::kernel::clock::{Clock, SystemClock};
use crate::kernel::config::Config;
use crate::kernel::db::{self, Pool};
use crate::kernel::random::SystemEntropy;
use crate::kernel::time::rfc3339;

use super::{Attempt, CliError, block_on, say};

const UNREACHABLE: &str = "the database cannot be reached";
const UNREADABLE: &str = "the jobs cannot be read";
const NOT_PUT_BACK: &str = "nothing was put back";

#[derive(Debug, Subcommand)]
pub(super) enum JobsCommand {
    /// List the jobs that are not done, and say how many there are
    ///
    /// ready: due, and taken by the next server that has a place free; running: a server is at it; waiting: due later, mostly
    /// because an attempt has failed; dead: kept, and not tried again. What a job is about are identifiers, never
    /// a secret, an address or a name.
    List {
        /// Only those in this state
        #[arg(long, value_enum)]
        state: Option<StateArgument>,

        /// How many to show; those that are due first come first
        #[arg(long, value_name = "JOBS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        limit: u32,

        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },

    /// Have a job tried again at once that is dead or waits
    ///
    /// It has its attempts before it again, at least eight within an hour. First mend why it failed: `jobs list` says it. A
    /// link that has expired meanwhile is not sent.
    Retry(Chosen),
}

/// Which jobs are meant.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Chosen {
    /// The job, by its number, as `jobs list` shows it
    #[arg(value_name = "ID")]
    id: Option<i64>,

    /// Every job that is dead
    #[arg(long)]
    dead: bool,
}

/// How a job stands.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum StateArgument {
    /// Due
    Ready,
    /// A server is at it
    Running,
    /// Due later
    Waiting,
    /// Not tried again
    Dead,
}

impl From<StateArgument> for JobState {
    fn from(state: StateArgument) -> Self {
        match state {
            StateArgument::Ready => Self::Ready,
            StateArgument::Running => Self::Running,
            StateArgument::Waiting => Self::Waiting,
            StateArgument::Dead => Self::Dead,
        }
    }
}

/// Does what was asked.
pub(super) fn run(config: &Config, command: JobsCommand) -> Result<(), CliError> {
    block_on(async move {
        let pool = db::connect(&config.database).attempt(UNREACHABLE)?;
        match command {
            JobsCommand::List { state, limit, json } => {
                list(&pool, state.map(JobState::from), limit, json).await
            }
            JobsCommand::Retry(chosen) => retry(&pool, &chosen).await,
        }
    })
}

async fn list(pool: &Pool, state: Option<JobState>, limit: u32, json: bool) -> Result<(), CliError> {
    let mut snapshot = pool.snapshot().await.attempt(UNREACHABLE)?;
    let found = jobs::list(&mut snapshot, state, limit)
        .await
        .attempt(UNREADABLE)?;
    if json {
        for job in &found {
            say(serde_json::to_string(job).attempt(UNREADABLE)?);
        }
        return Ok(());
    }
    let tally = jobs::tally(&mut snapshot).await.attempt(UNREADABLE)?;
    if !found.is_empty() {
        say(table(&found));
    }
    let counts: Vec<String> = tally
        .iter()
        .map(|(state, jobs)| format!("{jobs} {state}"))
        .collect();
    say(if counts.is_empty() {
        "no jobs".to_owned()
    } else {
        counts.join(", ")
    });
    Ok(())
}

/// Each column as wide as what stands in it; why an attempt failed stands on a line of its own.
fn table(jobs: &[JobSummary]) -> String {
    let rows: Vec<[String; 6]> = jobs.iter().map(row).collect();
    let head = ["ID", "STATE", "TRIED", "DUE", "TASK", "ABOUT"].map(str::to_owned);
    let width = |column: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let errors = std::iter::once(None).chain(jobs.iter().map(|job| job.last_error.as_deref()));
    let mut text = String::new();
    for (row, error) in std::iter::once(&head).chain(&rows).zip(errors) {
        let cells = row.iter().zip(widths);
        let line: Vec<String> = cells.map(|(cell, width)| format!("{cell:<width$}")).collect();
        let _infallible = writeln!(text, "{}", line.join("  ").trim_end());
        if let Some(error) = error {
            let indent = widths.first().copied().unwrap_or_default();
            let _infallible = writeln!(text, "{:indent$}  {}", "", printable(error));
        }
    }
    text
}

fn row(job: &JobSummary) -> [String; 6] {
    [
        job.id.to_string(),
        job.state.to_string(),
        format!("{}/{}", job.attempts, job.max_attempts),
        rfc3339(job.due_at),
        printable(&job.task),
        printable(&about(&job.payload)),
    ]
}

/// The words of a payload: the kind of a letter and what it is about, the name of a duty.
fn about(payload: &Value) -> String {
    let Value::Object(fields) = payload else {
        return payload.to_string();
    };
    // What begins with `_` is what the scheduler has added.
    let own = fields.iter().filter(|(name, _)| !name.starts_with('_'));
    let words: Vec<String> = own
        .map(|(_, value)| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect();
    words.join(" ")
}

/// The queue is filled by whoever may write to the database: nothing of it is to command a terminal.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

async fn retry(pool: &Pool, chosen: &Chosen) -> Result<(), CliError> {
    let mut transaction = pool.begin().await.attempt(UNREACHABLE)?;
    let retried = match chosen.id {
        Some(id) => jobs::retry(&mut transaction, id).await.map(|()| vec![id]),
        None => jobs::retry_dead(&mut transaction).await,
    }
    .attempt(NOT_PUT_BACK)?;
    if !retried.is_empty() {
        let event = Event::of_operator(SystemClock.now(), &SystemEntropy, EventKind::JobsRetried);
        let event = match chosen.id {
            Some(id) => event.detail("job", id),
            None => event.detail("dead_jobs", retried.len()),
        };
        audit::record(&mut transaction, event)
            .await
            .attempt(NOT_PUT_BACK)?;
    }
    transaction.commit().await.attempt(NOT_PUT_BACK)?;
    say(match (chosen.id, retried.len()) {
        (Some(id), _) => format!("job {id} is due now"),
        (None, 0) => "no job is dead".to_owned(),
        (None, 1) => "1 job was dead, and is due now".to_owned(),
        (None, many) => format!("{many} jobs were dead, and are due now"),
    });
    Ok(())
}
