//! What this room asks the queue's tables. No query here is a checked one: the schema of the queue is its own, and
//! absent where queries are checked.

use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::inspection::{JobState, JobSummary, Tally};

/// Whether the tables of the job queue are there.
pub(super) async fn is_installed(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT to_regclass('graphile_worker.migrations') IS NOT NULL")
        .fetch_one(connection)
        .await
}

/// Adds a job that is due at once, by the clock of Postgres, as all of the queue is.
pub(super) async fn add(
    connection: &mut PgConnection,
    task: &str,
    payload: &(impl Serialize + Sync),
    attempts: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT graphile_worker.add_job($1, $2::jsonb::json, max_attempts => $3)")
        .bind(task)
        .bind(Json(payload))
        .bind(attempts)
        .execute(connection)
        .await?;
    Ok(())
}

/// Makes the running attempt of a job the last one. The queue's own function for this refuses a job that is running.
pub(super) async fn forbid_further_attempts(
    connection: &mut PgConnection,
    job: i64,
    worker: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE graphile_worker._private_jobs SET max_attempts = attempts WHERE id = $1 AND locked_by = $2",
    )
    .bind(job)
    .bind(worker)
    .execute(connection)
    .await?;
    Ok(())
}

/// Every job with its state, by the clock of Postgres.
const STATES: &str = "
    SELECT job.id, task.identifier, job.payload, job.attempts, job.max_attempts, job.created_at, job.run_at, job.last_error,
           CASE WHEN job.locked_at IS NOT NULL THEN 'running'
                WHEN job.attempts >= job.max_attempts THEN 'dead'
                WHEN job.run_at > now() THEN 'waiting'
                ELSE 'ready' END AS state
    FROM graphile_worker._private_jobs AS job
    JOIN graphile_worker._private_tasks AS task ON task.id = job.task_id";

/// At most `limit` jobs that are in `state`, if that is given.
pub(super) async fn list(
    connection: &mut PgConnection,
    state: Option<&str>,
    limit: i64,
) -> Result<Vec<JobSummary>, sqlx::Error> {
    let sql = format!(
        "SELECT * FROM ({STATES}) AS jobs WHERE $1::text IS NULL OR state = $1 ORDER BY run_at, id LIMIT $2"
    );
    let rows = sqlx::query(AssertSqlSafe(sql))
        .bind(state)
        .bind(limit)
        .fetch_all(connection)
        .await?;
    rows.iter().map(summary).collect()
}

fn summary(row: &PgRow) -> Result<JobSummary, sqlx::Error> {
    Ok(JobSummary {
        id: row.try_get("id")?,
        task: row.try_get("identifier")?,
        state: state(row)?,
        payload: row.try_get("payload")?,
        attempts: row.try_get("attempts")?,
        max_attempts: row.try_get("max_attempts")?,
        created_at: row.try_get("created_at")?,
        due_at: row.try_get("run_at")?,
        last_error: row.try_get("last_error")?,
    })
}

fn state(row: &PgRow) -> Result<JobState, sqlx::Error> {
    let name: &str = row.try_get("state")?;
    JobState::parse(name).ok_or_else(|| sqlx::Error::Decode(format!("no such state: {name}").into()))
}

/// How many jobs are in each state.
pub(super) async fn tally(connection: &mut PgConnection) -> Result<Tally, sqlx::Error> {
    let sql = format!("SELECT state, count(*) AS jobs FROM ({STATES}) AS jobs GROUP BY state ORDER BY state");
    let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await?;
    rows.iter()
        .map(|row| Ok((state(row)?, row.try_get("jobs")?)))
        .collect()
}

/// The state of a job, which nobody changes until the transaction ends. `None`: there is no such job.
pub(super) async fn lock_state(
    connection: &mut PgConnection,
    id: i64,
) -> Result<Option<JobState>, sqlx::Error> {
    let sql = format!("{STATES} WHERE job.id = $1 FOR UPDATE OF job");
    let row = sqlx::query(AssertSqlSafe(sql))
        .bind(id)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(state).transpose()
}

/// All dead jobs, which nobody changes until the transaction ends.
pub(super) async fn lock_dead(connection: &mut PgConnection) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT id FROM graphile_worker._private_jobs
         WHERE locked_at IS NULL AND attempts >= max_attempts ORDER BY id FOR UPDATE",
    )
    .fetch_all(connection)
    .await
}

/// Makes jobs due at once, with none of their attempts used up, of which each has at least so many.
pub(super) async fn put_back(
    connection: &mut PgConnection,
    jobs: &[i64],
    attempts: i32,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "SELECT graphile_worker.reschedule_jobs(array_agg(id), run_at => now(), attempts => 0, max_attempts => most)
         FROM (SELECT id, greatest(max_attempts, $2) AS most FROM graphile_worker._private_jobs WHERE id = ANY($1)) AS jobs
         GROUP BY most",
    )
    .bind(jobs)
    .bind(attempts)
    .execute(connection)
    .await?;
    Ok(())
}
