//! What every handler may use. A room with state of its own gives it out by `FromRef` beside this.

use std::fmt;
use std::sync::Arc;

use crate::kernel::clock::Clock;
use crate::kernel::config::Config;
use crate::kernel::db::Pool;
use crate::kernel::passwords::Hasher;
use crate::kernel::random::Entropy;
use crate::kernel::redis::Redis;

use super::health::Readiness;
use super::replay::ReplayGuard;

/// The parts that all rooms share. Cloning shares them.
#[derive(Clone)]
pub struct AppState(Arc<Parts>);

struct Parts {
    config: Config,
    pool: Pool,
    redis: Redis,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    hasher: Hasher,
    readiness: Readiness,
    replays: ReplayGuard,
}

impl AppState {
    /// Puts the parts together. `clock` and `entropy` are read by the request context only.
    #[must_use]
    pub fn new(
        config: Config,
        pool: Pool,
        redis: Redis,
        hasher: Hasher,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let readiness = Readiness::default();
        let replays = ReplayGuard::new(redis.clone(), clock.now());
        Self(Arc::new(Parts {
            config,
            pool,
            redis,
            clock,
            entropy,
            hasher,
            readiness,
            replays,
        }))
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The connections to Postgres.
    #[must_use]
    pub fn pool(&self) -> &Pool {
        &self.0.pool
    }

    /// The connection to Redis.
    #[must_use]
    pub fn redis(&self) -> &Redis {
        &self.0.redis
    }

    /// The bounded password hasher.
    #[must_use]
    pub fn hasher(&self) -> &Hasher {
        &self.0.hasher
    }

    /// Whether the server takes requests, or is about to stop.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }

    pub(super) fn replays(&self) -> &ReplayGuard {
        &self.0.replays
    }

    /// The clock, for the request context and for what runs outside of requests.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.clock)
    }

    /// The source of randomness, for the request context and for what runs outside of requests.
    #[must_use]
    pub fn entropy(&self) -> Arc<dyn Entropy> {
        Arc::clone(&self.0.entropy)
    }
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").finish_non_exhaustive()
    }
}
