//! Starts the worker, restarts it when Postgres was away, and stops it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use graphile_worker::{
    Crontab, LocalQueueConfig, Worker, WorkerOptions, WorkerRecoveryConfig, WorkerShutdownConfig, WorkerUtils,
};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::kernel::causes;
use crate::kernel::clock::Clock;
use crate::kernel::time::Timestamp;

use super::duty::{DueDuty, Duties, Duty};
use super::error::{JobError, JobsError};
use super::store;
use super::task::{Handed, Handler, Queued, Task};

/// The schema of the queue's own tables.
const SCHEMA: &str = "graphile_worker";
/// Jobs that run at once on one replica.
const CONCURRENCY: usize = 4;
/// Jobs that one replica takes at a time, so that a queue is worked off as fast as its jobs are done: without this, each place would
/// take one job each time the queue is looked at. Few, since those of a replica that dies wait until that is noticed.
const BATCH: usize = 4 * CONCURRENCY;
/// How often a queue is looked at that was found empty.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// How often a replica says that it lives, and looks whether the others do.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A replica that was silent for this long is dead, and its jobs are free again.
const DEAD_AFTER: Duration = Duration::from_mins(1);
/// Pause before the worker is started again after it failed.
const RESTART_PAUSE: Duration = Duration::from_secs(5);
/// How long running jobs may take after a stop was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Brings the queue's own tables up to date. Part of `portcullis migrate`.
pub async fn migrate(pool: &PgPool) -> Result<(), JobsError> {
    WorkerUtils::new(pool.clone(), SCHEMA)
        .migrate()
        .await
        .map_err(|error| JobsError::Migrate(Box::new(error)))
}

type Define = dyn Fn(WorkerOptions) -> WorkerOptions + Send + Sync;

/// Everything that one replica does beside answering requests. `S` is what the functions are given to work with.
pub struct Jobs<S> {
    state: S,
    clock: Arc<dyn Clock>,
    duties: Vec<Duty>,
    tasks: Vec<Box<Define>>,
}

impl<S: Clone + Send + Sync + 'static> Jobs<S> {
    /// No jobs yet. Each run of one is given a copy of `state`, and the moment at which it starts.
    pub fn new(state: S, clock: Arc<dyn Clock>) -> Self {
        Self {
            state,
            clock,
            duties: Vec::new(),
            tasks: Vec::new(),
        }
    }

    /// Adds work that comes round. `name` never changes; `schedule` is minute, hour, day of the month, month and day of
    /// the week as in a crontab, in UTC: `17 * * * *`. A run that was missed because no replica ran is not made up for.
    /// The function answers how many things it did something about.
    #[must_use]
    pub fn duty<F>(
        mut self,
        name: &'static str,
        schedule: &'static str,
        run: impl Fn(S, Timestamp) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<u64, JobError>> + Send + 'static,
    {
        let state = self.state.clone();
        self.duties.push(Duty {
            name,
            schedule,
            run: Arc::new(move |now| run(state.clone(), now).boxed()),
        });
        self
    }

    /// Takes tasks of the kind `T` from the queue. Without this, they wait for a replica that does.
    #[must_use]
    pub fn task<T: Task, F>(mut self, run: impl Fn(S, Timestamp, T) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let state = self.state.clone();
        let handler = Handed::new(Handler::<T> {
            clock: Arc::clone(&self.clock),
            run: Arc::new(move |now, task| run(state.clone(), now, task).boxed()),
        });
        self.tasks.push(Box::new(move |options| {
            options.add_extension(handler.clone()).define_job::<Queued<T>>()
        }));
        self
    }

    /// Runs jobs until `stop`, whatever happens to Postgres meanwhile.
    pub async fn run(self, pool: PgPool, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let outcome = match self.start(&pool, stop.clone()).await {
                Ok(worker) => worker
                    .run()
                    .await
                    .map_err(|error| JobsError::Run(Box::new(error))),
                Err(error) => Err(error),
            };
            if let Err(error) = outcome {
                tracing::warn!(
                    cause = causes::on_one_line(&error),
                    "jobs do not run at the moment"
                );
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(RESTART_PAUSE) => {}
                }
            }
        }
    }

    async fn start(&self, pool: &PgPool, stop: CancellationToken) -> Result<Worker, JobsError> {
        let schedule: Vec<Crontab> = self.duties.iter().map(Duty::crontab).collect::<Result<_, _>>()?;
        let installed = store::is_installed(&mut *pool.acquire().await?).await?;
        if !installed {
            return Err(JobsError::NotMigrated);
        }
        let options = WorkerOptions::default()
            .schema(SCHEMA)
            .pg_pool(pool.clone())
            .concurrency(CONCURRENCY)
            .poll_interval(POLL_INTERVAL)
            .use_notification_delivery(false)
            .local_queue(LocalQueueConfig::builder().size(BATCH).build())
            .worker_recovery(
                WorkerRecoveryConfig::default()
                    .heartbeat_interval(HEARTBEAT)
                    .sweep_interval(HEARTBEAT)
                    .sweep_threshold(DEAD_AFTER)
                    .recovery_delay(Duration::ZERO),
            )
            .worker_shutdown(
                WorkerShutdownConfig::default()
                    .listen_os_shutdown_signals(false)
                    .grace_period(GRACE)
                    .interrupted_job_retry_delay(Duration::ZERO)
                    .shutdown_signal(async move { stop.cancelled().await }),
            )
            .add_extension(Handed::new(Duties::new(Arc::clone(&self.clock), &self.duties)))
            .define_job::<DueDuty>()
            .with_crons(schedule);
        let options = self.tasks.iter().fold(options, |options, define| define(options));
        Ok(options.init().await?)
    }
}
