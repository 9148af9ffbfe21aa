//! The wiring: which room gets what. Nothing imports this but the command line and the tests.

use std::sync::Arc;

use axum::Router;
use axum::extract::FromRef;
use axum::middleware::from_fn_with_state;
use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use crate::http::AppState;
use crate::jobs::{self, DutyError, PurgeExpiredSessions};
use crate::kernel::clock::Clock;
use crate::kernel::config::Config;
use crate::kernel::db::{self, Pool};
use crate::kernel::passwords::{Hasher, HasherError};
use crate::kernel::random::Entropy;
use crate::kernel::redis::Redis;
use crate::kernel::secrets::SecretsError;
use crate::rate_limit::Limiter;
use crate::sessions::{self, Lifetimes, Sessions};
use crate::tokens::{CsrfKeyError, CsrfTokens, KeysError, Tokens};
use crate::{http, login, tokens};

/// The state of all rooms.
#[derive(Clone, FromRef)]
pub struct App {
    core: AppState,
    csrf: CsrfTokens,
    limiter: Limiter,
    sessions: Sessions,
    tokens: Tokens,
}

/// Why the parts do not fit together.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database URL cannot be used.
    #[error("the connection to Postgres cannot be set up")]
    Database(#[from] sqlx::Error),
    /// The Redis URL cannot be used.
    #[error("the connection to Redis cannot be set up")]
    Redis(#[from] redis::RedisError),
    /// Argon2 does not accept the configured cost.
    #[error("the password hasher cannot be set up")]
    Hasher(#[from] HasherError),
    /// A key could not be derived from the master key.
    #[error("the keys of the rate limiter cannot be derived")]
    Secrets(#[from] SecretsError),
    /// There is no key for CSRF tokens.
    #[error("the key of CSRF tokens cannot be made")]
    Csrf(#[from] CsrfKeyError),
}

impl App {
    /// Puts everything together. Neither Postgres nor Redis needs to be there yet. Must be called within a Tokio
    /// runtime.
    pub fn new(config: Config, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self, StartError> {
        let pool = db::connect(&config.database)?;
        let redis = Redis::connect(&config.redis)?;
        let hasher = Hasher::new(&config.passwords)?;
        let lifetimes = Lifetimes {
            idle: config.tokens.refresh_idle,
            absolute: config.tokens.refresh_absolute,
            replay_window: config.tokens.refresh_replay,
        };
        Ok(Self {
            csrf: CsrfTokens::new(&config.edge_keys, &config.master_key)?,
            limiter: Limiter::new(redis.clone(), &config.master_key)?,
            sessions: Sessions::new(config.master_key.clone(), lifetimes),
            tokens: Tokens::new(&config.tokens, pool.clone(), config.master_key.clone()),
            core: AppState::new(config, pool, redis, hasher, clock, entropy),
        })
    }

    /// What all rooms share.
    #[must_use]
    pub fn core(&self) -> &AppState {
        &self.core
    }

    /// The maker and verifier of access tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Makes the first signing key where there is none yet.
    pub async fn prepare(&self) -> Result<(), KeysError> {
        self.tokens
            .prepare(self.core.clock().now(), &*self.core.entropy())
            .await
    }

    /// All routes.
    pub fn router(&self) -> Router {
        let routes = Router::new()
            .merge(tokens::router::<Self>())
            .merge(login::router::<Self>());
        let guarded = routes.layer(from_fn_with_state(self.clone(), tokens::guard::<Self>));
        http::application(guarded, self.clone())
    }

    /// Runs the jobs until `stop`.
    pub async fn run_jobs(&self, stop: CancellationToken) {
        let pool = self.core.pool().clone();
        let purge = {
            let pool = pool.clone();
            PurgeExpiredSessions::new(self.core.clock(), move |now| {
                let pool: Pool = pool.clone();
                async move {
                    let mut connection = pool.acquire().await.map_err(DutyError::new)?;
                    sessions::purge_expired(&mut connection, now)
                        .await
                        .map_err(DutyError::new)
                }
                .boxed()
            })
        };
        jobs::run(pool, purge, stop).await;
    }
}
