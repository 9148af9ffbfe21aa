//! What an operator sees of the queue, and what they may do about it.

use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::kernel::db::PgConnection;
use crate::kernel::time::{Timestamp, as_rfc3339};

use super::error::{JobsError, RetryError};
use super::store;

/// How many attempts a job has at least that was put back. The pauses in between add up to an hour, in which whoever put it
/// back sees what becomes of it. What was given up at once had its own number taken away.
const ATTEMPTS: i32 = 8;

/// How a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It is due, and the next replica that has a place free takes it.
    Ready,
    /// A replica is at it.
    Running,
    /// It is due later: mostly because an attempt has failed.
    Waiting,
    /// It is kept, and not tried again.
    Dead,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Ready, Self::Running, Self::Waiting, Self::Dead];

    /// What it is called.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Dead => "dead",
        }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for JobState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One job of the queue.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobSummary {
    /// By which it can be put back.
    pub id: i64,
    /// What kind of work it is.
    pub task: String,
    /// How it stands.
    pub state: JobState,
    /// What it is about: identifiers.
    pub payload: Value,
    /// How many attempts were begun.
    pub attempts: i16,
    /// After how many it is dead.
    pub max_attempts: i16,
    /// Since when it waits.
    #[serde(with = "as_rfc3339")]
    pub created_at: Timestamp,
    /// From when on it may be tried.
    #[serde(with = "as_rfc3339")]
    pub due_at: Timestamp,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
}

/// How many jobs are in a state.
pub type Tally = Vec<(JobState, i64)>;

/// The jobs in this state, or all; those that are due first come first, and at most `limit` of them.
pub async fn list(
    connection: &mut PgConnection,
    state: Option<JobState>,
    limit: u32,
) -> Result<Vec<JobSummary>, JobsError> {
    require_tables(connection).await?;
    Ok(store::list(connection, state.map(JobState::as_str), limit.into()).await?)
}

/// How many jobs are in each state; states without any are left out.
pub async fn tally(connection: &mut PgConnection) -> Result<Tally, JobsError> {
    require_tables(connection).await?;
    Ok(store::tally(connection).await?)
}

/// Makes a dead or a waiting job due at once, and gives it its attempts back.
pub async fn retry(connection: &mut PgConnection, id: i64) -> Result<(), RetryError> {
    require_tables(connection).await?;
    match store::lock_state(connection, id).await? {
        None => Err(RetryError::Unknown(id)),
        Some(state @ (JobState::Ready | JobState::Running)) => Err(RetryError::Pointless { id, state }),
        Some(JobState::Waiting | JobState::Dead) => {
            store::put_back(connection, &[id], ATTEMPTS).await?;
            Ok(())
        }
    }
}

/// Does the same with every dead job, and says which they were.
pub async fn retry_dead(connection: &mut PgConnection) -> Result<Vec<i64>, RetryError> {
    require_tables(connection).await?;
    let dead = store::lock_dead(connection).await?;
    store::put_back(connection, &dead, ATTEMPTS).await?;
    Ok(dead)
}

async fn require_tables(connection: &mut PgConnection) -> Result<(), JobsError> {
    if store::is_installed(connection).await? {
        Ok(())
    } else {
        Err(JobsError::NotMigrated)
    }
}
