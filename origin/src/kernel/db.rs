//! The connection pool to Postgres, and the migrations of `migrations/`.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::migrate::Migrator;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Postgres};

use super::config::DatabaseConfig;

/// A connection, as every store function takes one.
pub use sqlx::PgConnection;

/// A transaction, rolled back unless it is committed.
pub type Transaction<'c> = sqlx::Transaction<'c, Postgres>;

/// The schema, in order. `portcullis migrate` applies it; `serve` never does.
pub static MIGRATIONS: Migrator = sqlx::migrate!("../migrations");

/// A connection that was unused for longer is asked whether it is still there before it is used.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);

/// How long one statement of a job may take: as long as a duty may, whose task would otherwise end without it.
const STATEMENT_OF_A_JOB: Duration = Duration::from_mins(5);

/// How long a command waits for a lock, and may pause while others wait for its own. An operator sees it wait, so that this
/// is longer than what a request has.
const LOCK_OF_A_COMMAND: Duration = Duration::from_secs(30);

/// The pool of connections to Postgres. Cloning shares it.
///
/// Whatever takes a lock begins a transaction here, and nowhere else: so each has a limit to how long it waits for a lock, works and
/// pauses, and a few that are stuck do not keep all connections. Past the limit Postgres ends it, and the request is answered 503.
#[derive(Clone, Debug)]
pub struct Pool {
    connections: PgPool,
    limits: TimeLimits,
    begin: Arc<str>,
}

impl Pool {
    fn new(connections: PgPool, limits: TimeLimits) -> Self {
        Self {
            connections,
            limits,
            begin: limits.begin("").into(),
        }
    }

    /// The same connections for work on many rows at once that nobody waits for: only the limit of statements is wider.
    #[must_use]
    pub fn for_jobs(&self) -> Self {
        let limits = TimeLimits {
            statement: Some(STATEMENT_OF_A_JOB),
            ..self.limits
        };
        Self::new(self.connections.clone(), limits)
    }

    /// The same connections for a command: statements may take as long as they need, such as to walk along all of the audit log.
    #[must_use]
    pub fn for_commands(&self) -> Self {
        let limits = TimeLimits {
            lock: LOCK_OF_A_COMMAND,
            statement: None,
            pause: LOCK_OF_A_COMMAND,
        };
        Self::new(self.connections.clone(), limits)
    }

    /// A connection for statements that wait for nobody. What locks anything belongs into a transaction.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        self.connections.acquire().await
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Result<Transaction<'static>, sqlx::Error> {
        self.connections
            .begin_with(AssertSqlSafe(Arc::clone(&self.begin)))
            .await
    }

    /// Begins a transaction on a connection that is needed beyond it.
    pub async fn begin_on<'c>(
        &self,
        connection: &'c mut PgConnection,
    ) -> Result<Transaction<'c>, sqlx::Error> {
        connection
            .begin_with(AssertSqlSafe(Arc::clone(&self.begin)))
            .await
    }

    /// A transaction that changes nothing, and in which all queries see the database as it was at the first of them.
    pub async fn snapshot(&self) -> Result<Transaction<'static>, sqlx::Error> {
        self.connections
            .begin_with(AssertSqlSafe(
                self.limits.begin(" ISOLATION LEVEL REPEATABLE READ READ ONLY"),
            ))
            .await
    }

    /// Asks Postgres for an answer, whatever it is.
    pub async fn ping(&self) -> Result<(), sqlx::Error> {
        self.acquire().await?.ping().await
    }

    /// Gives all connections back, and no more out.
    pub async fn close(&self) {
        self.connections.close().await;
    }

    /// The connections as such, for what brings its own transactions: migrations and the job queue.
    #[must_use]
    pub fn connections(&self) -> &PgPool {
        &self.connections
    }
}

/// What one transaction may take, each counted by Postgres.
#[derive(Clone, Copy, Debug)]
struct TimeLimits {
    /// Waiting for one lock, advisory ones included.
    lock: Duration,
    /// One statement. `None`: as long as it takes.
    statement: Option<Duration>,
    /// Between two statements.
    pause: Duration,
}

impl TimeLimits {
    /// The beginning of a transaction of this mode with these limits: one message, so that they cost no round trip, and for this transaction
    /// alone, since a pooler hands the session on.
    fn begin(self, mode: &str) -> String {
        let statement = self.statement.unwrap_or_default().as_millis();
        let (lock, pause) = (self.lock.as_millis(), self.pause.as_millis());
        format!(
            "BEGIN{mode}; SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {statement}; \
             SET LOCAL idle_in_transaction_session_timeout = {pause}"
        )
    }
}

/// A pool that connects when it is first used, so that a server starts (and says it is not ready) without
/// Postgres. Fails only if the URL is not one; the message does not repeat it, since it holds a password.
pub fn connect(config: &DatabaseConfig) -> Result<Pool, sqlx::Error> {
    let options =
        PgConnectOptions::from_str(config.url.expose_secret())?.application_name("portcullis-origin");
    let connections = PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(config.acquire_timeout)
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
        .connect_lazy_with(options);
    let limits = TimeLimits {
        lock: config.lock_timeout,
        statement: Some(config.statement_timeout),
        pause: config.statement_timeout,
    };
    Ok(Pool::new(connections, limits))
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
