//! What may go wrong with one job, and with the worker that runs them.

use std::error::Error;
use std::fmt;

use graphile_worker::WorkerBuildError;

use crate::kernel::causes;

use super::inspection::JobState;

/// Why an attempt at a job failed. Made by `?` from any error, in which case the job is tried again later, up to
/// its number of attempts.
///
/// The queue keeps and logs it as it is shown here: the causes on one line. They must not name a person.
pub struct JobError {
    cause: Box<dyn Error + Send + Sync>,
    is_final: bool,
}

impl JobError {
    /// No further attempt could do better: the job is kept, and not tried again.
    pub fn final_because(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            cause: cause.into(),
            is_final: true,
        }
    }

    /// Whether the job is given up.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.is_final
    }
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for JobError {
    fn from(cause: E) -> Self {
        Self {
            cause: cause.into(),
            is_final: false,
        }
    }
}

impl fmt::Debug for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&causes::on_one_line(&*self.cause))
    }
}

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
    Migrate(#[source] Box<dyn Error + Send + Sync>),
    /// The schedule of this duty is not one.
    #[error("the schedule of {0} is wrong")]
    Schedule(&'static str),
    /// The worker did not start.
    #[error("the worker did not start")]
    Start(#[from] WorkerBuildError),
    /// The worker stopped by itself.
    #[error("the worker stopped")]
    Run(#[source] Box<dyn Error + Send + Sync>),
}

/// Why a job was not put back.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// It is done, or never was.
    #[error("there is no job {0}; a job that is done is gone")]
    Unknown(i64),
    /// It will be tried without this.
    #[error("job {id} is {state} as it is")]
    Pointless {
        /// The job.
        id: i64,
        /// How it stands.
        state: JobState,
    },
    /// The queue cannot be asked.
    #[error(transparent)]
    Queue(#[from] JobsError),
}

impl From<sqlx::Error> for RetryError {
    fn from(error: sqlx::Error) -> Self {
        Self::Queue(error.into())
    }
}
