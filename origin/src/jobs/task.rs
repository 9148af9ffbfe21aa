//! Work that follows from something that happened, enqueued with it.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::kernel::clock::Clock;
use crate::kernel::db::PgConnection;
use crate::kernel::time::Timestamp;

use super::error::JobError;
use super::store;

/// One kind of task. The value is its payload: identifiers alone, since the queue logs it.
pub trait Task: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The name in the queue. It never changes, since jobs outlive releases.
    const NAME: &'static str;
    /// How often it is tried, from 1. The pause after the n-th attempt is eⁿ seconds, and 6.1 hours from the tenth.
    const ATTEMPTS: i32;
    /// How long one attempt may take.
    const TIME_LIMIT: Duration;
}

/// Adds a task in the caller's transaction: it is done if, and only if, that commits.
pub async fn enqueue<T: Task>(connection: &mut PgConnection, task: &T) -> Result<(), sqlx::Error> {
    store::add(connection, T::NAME, task, T::ATTEMPTS).await
}

type Run<T> = dyn Fn(Timestamp, T) -> BoxFuture<'static, Result<(), JobError>> + Send + Sync;

/// What the wiring has handed in for tasks of one kind.
pub(super) struct Handler<T> {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) run: Arc<Run<T>>,
}

/// Something that the wiring has handed in, as the queue passes it to a job: shared, and with nothing to show.
pub(super) struct Handed<T>(Arc<T>);

impl<T> Handed<T> {
    pub(super) fn new(what: T) -> Self {
        Self(Arc::new(what))
    }
}

impl<T> Clone for Handed<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Handed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Handed")
    }
}

impl<T> Deref for Handed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// A task as the queue knows it.
#[derive(Deserialize, Serialize)]
#[serde(transparent, bound = "T: Task")]
pub(super) struct Queued<T>(T);

impl<T: Task> TaskHandler for Queued<T> {
    const IDENTIFIER: &'static str = T::NAME;

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(handler) = context.get_ext::<Handed<Handler<T>>>() else {
            return Err(JobError::from("nobody was handed in for this task"));
        };
        let attempt = (handler.run)(handler.clock.now(), self.0);
        let outcome = within(T::TIME_LIMIT, attempt).await;
        if outcome.as_ref().is_err_and(JobError::is_final) {
            let mut connection = context.pg_pool().acquire().await?;
            store::forbid_further_attempts(&mut connection, *context.job().id(), context.worker_id()).await?;
        }
        outcome
    }
}

/// The outcome of the work, or a failure if there is none in time.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, JobError>>,
) -> Result<T, JobError> {
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| Err(JobError::from("the attempt took too long")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_that_hangs_fails_when_its_time_is_up() {
        let started = tokio::time::Instant::now();
        let outcome: Result<(), _> = within(Duration::from_secs(30), std::future::pending()).await;
        assert_eq!(format!("{:?}", outcome.unwrap_err()), "the attempt took too long");
        assert_eq!(started.elapsed(), Duration::from_secs(30));
    }
}
