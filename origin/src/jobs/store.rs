//! What this room asks the queue's tables.

use sqlx::PgConnection;

/// Whether the tables of the job queue are there.
pub(super) async fn is_installed(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    // Not a checked query: the schema of the queue is its own, and absent where queries are checked.
    sqlx::query_scalar("SELECT to_regclass('graphile_worker.migrations') IS NOT NULL")
        .fetch_one(connection)
        .await
}
