//! The connection pool to Postgres, and the migrations of `migrations/`.

use std::str::FromStr;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::Connection;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::config::DatabaseConfig;

/// The pool of connections to Postgres.
pub type Pool = sqlx::PgPool;

/// A connection, as every store function takes one.
pub use sqlx::PgConnection;

/// The schema, in order. `portcullis migrate` applies it; `serve` never does.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// How long a request waits for a connection before it is answered `unavailable`.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);

/// A connection that was unused for longer is asked whether it is still there before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// A pool that connects when it is first used, so that a server starts (and says it is not ready) without
/// Postgres. Fails only if the URL is not one; the message does not repeat it, since it holds a password.
pub fn connect(config: &DatabaseConfig) -> Result<Pool, sqlx::Error> {
    let options =
        PgConnectOptions::from_str(config.url.expose_secret())?.application_name("portcullis-origin");
    Ok(PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        // A connection that was used a moment ago is there; asking it first would double the round trips.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options))
}

/// A transaction that changes nothing, and in which all queries see the database as it was at the first of them.
pub async fn snapshot(pool: &Pool) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, sqlx::Error> {
    pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
}

/// Asks Postgres for an answer, whatever it is.
pub async fn ping(pool: &Pool) -> Result<(), sqlx::Error> {
    pool.acquire().await?.ping().await
}

/// Key of the advisory lock of [`MigrationTurn`].
const MIGRATION_LOCK: i64 = 0x0070_6f72_7463_756c;

/// Makes concurrent migrations take turns: whoever has it migrates, until it is dropped.
#[derive(Debug)]
pub struct MigrationTurn(
    #[expect(dead_code, reason = "the lock is held by the open connection")] PgConnection,
);

impl MigrationTurn {
    /// Waits for the turn, on a connection of its own, since the lock belongs to the connection.
    pub async fn wait(config: &DatabaseConfig) -> Result<Self, sqlx::Error> {
        let mut connection = PgConnection::connect(config.url.expose_secret()).await?;
        sqlx::query!("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
            .execute(&mut connection)
            .await?;
        Ok(Self(connection))
    }
}
