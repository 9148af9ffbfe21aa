//! The connection to Redis, which holds only what may be lost: rate limits, nonces, caches.
//!
//! Invariant: no request waits long for Redis. Every command has a short deadline; what happens when it passes
//! is decided, and documented, by the caller.

use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisError, Script, ToRedisArgs};
use secrecy::ExposeSecret;

use super::config::RedisConfig;

/// How long one command may take, connecting included.
const COMMAND_TIMEOUT: Duration = Duration::from_millis(250);
/// The longest pause between two attempts to reconnect.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// A shared connection that comes back by itself. Cloning is cheap and shares it.
#[derive(Clone)]
pub struct Redis {
    manager: ConnectionManager,
}

impl Redis {
    /// Prepares a connection that is made at first use. Fails only if the URL is not one; the message does not
    /// repeat it, since it may hold a password. Must be called within a Tokio runtime.
    pub fn connect(config: &RedisConfig) -> Result<Self, RedisError> {
        let client = Client::open(config.url.expose_secret())?;
        let manager_config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(COMMAND_TIMEOUT))
            .set_response_timeout(Some(COMMAND_TIMEOUT))
            .set_number_of_retries(0)
            .set_max_delay(RECONNECT_PAUSE);
        Ok(Self {
            manager: ConnectionManager::new_lazy_with_config(client, manager_config)?,
        })
    }

    /// Runs one command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut connection = self.manager.clone();
        within_deadline(command.query_async(&mut connection)).await
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
        let mut connection = self.manager.clone();
        within_deadline(invocation.invoke_async(&mut connection)).await
    }

    /// Whether Redis answers now.
    pub async fn is_up(&self) -> bool {
        self.query::<String>(&redis::cmd("PING")).await.is_ok()
    }
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
