//! Starts the worker, restarts it when Postgres was away, and stops it.

use std::time::Duration;

use graphile_worker::{
    Cron, CrontabTimerError, Worker, WorkerBuildError, WorkerOptions, WorkerShutdownConfig, WorkerUtils,
};
use tokio_util::sync::CancellationToken;

use crate::kernel::causes;
use crate::kernel::db::Pool;

use super::purge::{PurgeExpiredSessions, PurgeTask};
use super::store;

/// The schema of the queue's own tables.
const SCHEMA: &str = "graphile_worker";
/// Jobs that run at once on one replica.
const CONCURRENCY: usize = 2;
/// How often the queue is looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Minute of the hour at which expired sessions are removed.
const PURGE_MINUTE: u32 = 17;
/// Pause before the worker is started again after it failed.
const RESTART_PAUSE: Duration = Duration::from_secs(5);
/// How long running jobs may take after a stop was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Why the worker does not run.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// `portcullis migrate` was not run.
    #[error("the job tables are not there; run `portcullis migrate`")]
    NotMigrated,
    /// Postgres refused or is away.
    #[error("the job tables cannot be read")]
    Database(#[from] sqlx::Error),
    /// The tables could not be brought up to date.
    #[error("the job tables cannot be migrated")]
    Migrate(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The schedule is not one.
    #[error("the schedule is wrong")]
    Schedule(#[from] CrontabTimerError),
    /// The worker did not start.
    #[error("the worker did not start")]
    Start(#[from] WorkerBuildError),
    /// The worker stopped by itself.
    #[error("the worker stopped")]
    Run(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Brings the queue's own tables up to date. Part of `portcullis migrate`.
pub async fn migrate(pool: &Pool) -> Result<(), JobsError> {
    WorkerUtils::new(pool.clone(), SCHEMA)
        .migrate()
        .await
        .map_err(|error| JobsError::Migrate(Box::new(error)))
}

/// Runs jobs until `stop`, whatever happens to Postgres meanwhile.
pub async fn run(pool: Pool, purge: PurgeExpiredSessions, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let outcome = match start(&pool, purge.clone(), stop.clone()).await {
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

async fn start(
    pool: &Pool,
    purge: PurgeExpiredSessions,
    stop: CancellationToken,
) -> Result<Worker, JobsError> {
    let installed = store::is_installed(&mut *pool.acquire().await?).await?;
    if !installed {
        return Err(JobsError::NotMigrated);
    }
    let worker = WorkerOptions::default()
        .schema(SCHEMA)
        .pg_pool(pool.clone())
        .concurrency(CONCURRENCY)
        .poll_interval(POLL_INTERVAL)
        .use_notification_delivery(false)
        .worker_shutdown(
            WorkerShutdownConfig::default()
                .listen_os_shutdown_signals(false)
                .grace_period(GRACE)
                .shutdown_signal(async move { stop.cancelled().await }),
        )
        .add_extension(purge)
        .define_job::<PurgeTask>()
        .with_cron(Cron::hourly_at::<PurgeTask>(PURGE_MINUTE)?)
        .init()
        .await?;
    Ok(worker)
}
