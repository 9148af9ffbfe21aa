//! What this room asks the queue's tables. No query here is a checked one: the schema of the queue is its own, and
//! absent where queries are checked.

use serde::Serialize;
use sqlx::PgConnection;
use sqlx::types::Json;

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
