//! A database for one test.

use std::str::FromStr;
use std::time::Duration;

use portcullis_origin::kernel::config::DatabaseConfig;
use portcullis_origin::kernel::db::{self, MIGRATIONS, Pool};
use portcullis_origin::kernel::random::{self, SystemEntropy};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// The server that tests make their databases on.
fn server_url() -> String {
    std::env::var("DATABASE_URL")
        .expect("the tests need a Postgres server: set DATABASE_URL, or run them with `cargo xtask test`")
}

/// The Redis that tests share; every test server has keys of its own, since they depend on its master key.
pub(crate) fn redis_url() -> String {
    std::env::var("REDIS_URL")
        .expect("the tests need a Redis server: set REDIS_URL, or run them with `cargo xtask test`")
}

/// A migrated database that is dropped with the value.
#[derive(Debug)]
pub(crate) struct TestDatabase {
    name: String,
    url: String,
    pool: PgPool,
}

impl TestDatabase {
    /// Makes a database and applies the migrations.
    pub(crate) async fn create() -> Self {
        let database = Self::empty().await;
        MIGRATIONS.run(&database.pool).await.unwrap();
        database
    }

    /// Makes a database without a schema.
    pub(crate) async fn empty() -> Self {
        let name = format!("test_{:032x}", u128::from_ne_bytes(random::bytes(&SystemEntropy)));
        let server = PgConnectOptions::from_str(&server_url()).expect("DATABASE_URL is a Postgres URL");
        let mut connection = PgConnection::connect_with(&server)
            .await
            .expect("the server of DATABASE_URL answers");
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();

        let mut url = reqwest::Url::parse(&server_url()).unwrap();
        url.set_path(&name);
        let pool = PgPoolOptions::new()
            .max_connections(8)
            .connect_lazy_with(server.database(&name));
        Self {
            name,
            url: url.into(),
            pool,
        }
    }

    /// The URL, for a server of its own.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Connections as a server makes them.
    pub(crate) fn pool_of_a_server(&self) -> Pool {
        db::connect(&DatabaseConfig {
            url: self.url.clone().into(),
            max_connections: 4,
            acquire_timeout: Duration::from_secs(2),
            lock_timeout: Duration::from_mins(1),
            statement_timeout: Duration::from_mins(1),
        })
        .unwrap()
    }

    /// Connections for the test itself.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let drop_it = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        // The test's runtime may be about to end, so this one has its own.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server_url()).await?;
                sqlx::query(drop_it).execute(&mut connection).await?;
                connection.close().await
            })
        })
        .join();
        if !std::thread::panicking() {
            dropped.unwrap().unwrap();
        }
    }
}
