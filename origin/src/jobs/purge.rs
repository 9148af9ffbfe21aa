//! The scheduled removal of sessions that ended.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use graphile_worker::{IntoTaskHandlerResult, TaskHandler, WorkerContext};
use serde::{Deserialize, Serialize};

use crate::kernel::clock::Clock;
use crate::kernel::time::Timestamp;

/// Why a job failed. It is tried again later, up to the queue's limit of attempts.
#[derive(Debug, thiserror::Error)]
#[error("the job failed")]
pub struct DutyError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl DutyError {
    /// Wraps the error of the room that did the work.
    pub fn new(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

type Purge = dyn Fn(Timestamp) -> BoxFuture<'static, Result<u64, DutyError>> + Send + Sync;

/// What the sessions room does about sessions that are over at a moment; it answers how many it removed.
#[derive(Clone)]
pub struct PurgeExpiredSessions {
    clock: Arc<dyn Clock>,
    purge: Arc<Purge>,
}

impl PurgeExpiredSessions {
    /// The job and the clock it goes by.
    pub fn new(
        clock: Arc<dyn Clock>,
        purge: impl Fn(Timestamp) -> BoxFuture<'static, Result<u64, DutyError>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            clock,
            purge: Arc::new(purge),
        }
    }
}

impl fmt::Debug for PurgeExpiredSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PurgeExpiredSessions").finish_non_exhaustive()
    }
}

/// The payload: nothing. (Braces, because the scheduler sends an object.)
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct PurgeTask {}

impl TaskHandler for PurgeTask {
    const IDENTIFIER: &'static str = "purge_expired_sessions";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(job) = context.get_ext::<PurgeExpiredSessions>() else {
            return Err(DutyError::new("the job was not handed in"));
        };
        let removed = (job.purge)(job.clock.now()).await?;
        if removed > 0 {
            tracing::info!(removed, "expired sessions were removed");
        }
        Ok(())
    }
}
