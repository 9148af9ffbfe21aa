//! The connection to Redis, which holds only what may be lost: rate limits, nonces, caches.
//!
//! Invariant: no request waits long for Redis. Every command has a short deadline; what happens when it passes
//! is decided, and documented, by the caller.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClientBuilder, ClusterConfig};
use redis::cluster_async::ClusterConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError, Script, ToRedisArgs};
use secrecy::ExposeSecret;

use super::config::RedisConfig;

/// How long one command may take, connecting included.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(250);
/// The longest pause between two attempts to reconnect.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);
/// How often a command is sent again to another node of a cluster. Once: a key has moved.
const REDIRECTIONS: u32 = 1;

/// A key that nobody sets.
const HEALTH_KEY: &str = "rl:{health}";

/// A shared connection that comes back by itself. Cloning is cheap and shares it.
#[derive(Clone)]
pub struct Redis(Connection);

#[derive(Clone)]
enum Connection {
    Single(ConnectionManager),
    Cluster(ClusterConnection),
}

impl Redis {
    /// Prepares a connection that is made at first use. Fails only if the URL is not one; the message does not
    /// repeat it, since it may hold a password. Must be called within a Tokio runtime.
    pub fn connect(config: &RedisConfig) -> Result<Self, RedisError> {
        let mut urls = config.urls.iter().map(ExposeSecret::expose_secret);
        if config.cluster {
            let client = ClusterClientBuilder::new(urls)
                .connection_timeout(COMMAND_TIMEOUT)
                .response_timeout(COMMAND_TIMEOUT)
                .retries(REDIRECTIONS)
                .build()?;
            let connection = client.get_pending_async_connection_with_config(ClusterConfig::new());
            return Ok(Self(Connection::Cluster(connection)));
        }
        let client = Client::open(urls.next_back().unwrap_or_default())?;
        let manager_config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(COMMAND_TIMEOUT))
            .set_response_timeout(Some(COMMAND_TIMEOUT))
            .set_number_of_retries(0)
            .set_max_delay(RECONNECT_PAUSE);
        let manager = ConnectionManager::new_lazy_with_config(client, manager_config)?;
        Ok(Self(Connection::Single(manager)))
    }

    /// Runs one command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        within_deadline(async {
            match self.0.clone() {
                Connection::Single(mut connection) => command.query_async(&mut connection).await,
                Connection::Cluster(mut connection) => command.query_async(&mut connection).await,
            }
        })
        .await
    }

    /// Runs a script on one key (one key per script, so that it also works on a cluster).
    pub async fn run<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &str,
        arguments: &[impl ToRedisArgs],
    ) -> Result<T, RedisError> {
        let mut invocation = script.prepare_invoke();
        invocation.key(key);
        for argument in arguments {
            invocation.arg(argument);
        }
        within_deadline(async {
            match self.0.clone() {
                Connection::Single(mut connection) => invocation.invoke_async(&mut connection).await,
                Connection::Cluster(mut connection) => invocation.invoke_async(&mut connection).await,
            }
        })
        .await
    }

    /// Whether Redis answers now. It is asked about a key, since a cluster that has lost a node answers a `PING`.
    pub async fn is_up(&self) -> bool {
        self.query::<bool>(&Cmd::exists(HEALTH_KEY)).await.is_ok()
    }
}

/// The server is of another kind than the configuration says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongKind {
    /// One server was expected.
    #[error("the server of redis.url is a node of a cluster: set redis.cluster to true")]
    Cluster,
    /// A cluster was expected.
    #[error(
        "the server of redis.url is no node of a cluster: set redis.cluster to false, and name one server"
    )]
    Single,
}

/// Asks the servers whether they are of the kind that they are taken for, which would otherwise show as an outage without
/// end. Those that do not answer, or may not say, are not judged.
pub async fn check_kind(config: &RedisConfig) -> Result<(), WrongKind> {
    for url in &config.urls {
        match is_cluster(url.expose_secret()).await {
            Ok(true) if !config.cluster => return Err(WrongKind::Cluster),
            Ok(false) if config.cluster => return Err(WrongKind::Single),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}

async fn is_cluster(url: &str) -> Result<bool, RedisError> {
    let settings = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(COMMAND_TIMEOUT))
        .set_response_timeout(Some(COMMAND_TIMEOUT));
    let mut connection = Client::open(url)?
        .get_multiplexed_async_connection_with_config(&settings)
        .await?;
    let info: String = redis::cmd("INFO")
        .arg("cluster")
        .query_async(&mut connection)
        .await?;
    Ok(info.lines().any(|line| line == "cluster_enabled:1"))
}

async fn within_deadline<T>(work: impl Future<Output = Result<T, RedisError>>) -> Result<T, RedisError> {
    match tokio::time::timeout(COMMAND_TIMEOUT, work).await {
        Ok(result) => result,
        Err(_elapsed) => Err(RedisError::from(std::io::Error::from(
            std::io::ErrorKind::TimedOut,
        ))),
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}
