//! The limiter: a script in Redis, and what happens without Redis.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding};
use redis::{RedisError, Script};

use crate::http::{Problem, RequestContext};
use crate::kernel::outage::Outage;
use crate::kernel::redis::Redis;
use crate::kernel::secrets::{MasterKey, SecretsError};
use crate::kernel::time::Timestamp;

use super::local::LocalLimiter;
use super::quota::{Allowed, Limited, Quota, announce};

/// The generic cell rate algorithm. State: the theoretical arrival time of the next request, in microseconds.
/// Answers allowed (0 or 1), places left, microseconds until one is free, microseconds until all are.
const SCRIPT: &str = r"
local now, interval, limit = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = arrival + interval - now - interval * limit
if wait > 0 then
  return {0, 0, string.format('%.0f', wait), string.format('%.0f', arrival - now)}
end
arrival = arrival + interval
redis.call('SET', KEYS[1], string.format('%.0f', arrival), 'PX', math.ceil((arrival - now) / 1000))
local left = math.floor((interval * limit - (arrival - now)) / interval)
return {1, left, '0', string.format('%.0f', arrival - now)}
";

/// Checks quotas. Cloning shares the state.
#[derive(Clone)]
pub struct Limiter(Arc<Inner>);

struct Inner {
    redis: Redis,
    script: Script,
    key: hmac::Key,
    local: LocalLimiter,
    outage: Outage,
}

impl Limiter {
    /// A limiter that keeps its state in `redis`, under keys that only the holder of the master key can compute.
    pub fn new(redis: Redis, master_key: &MasterKey) -> Result<Self, SecretsError> {
        let key = master_key.derive("rate-limit-keys")?;
        Ok(Self(Arc::new(Inner {
            redis,
            script: Script::new(SCRIPT),
            key: hmac::Key::new(hmac::HMAC_SHA256, key.expose()),
            local: LocalLimiter::default(),
            outage: Outage::default(),
        })))
    }

    /// Takes one place of the quota of `key` for this request, tells the client about the limit, and refuses with
    /// 429 `rate_limited` when there was none. `scope` names the limit, for example `login-client`; `key` is who
    /// is limited, for example [`client_key`](super::client_key) or an address; it is not stored.
    pub async fn enforce(
        &self,
        context: &RequestContext,
        scope: &'static str,
        key: &str,
        quota: Quota,
    ) -> Result<(), Problem> {
        let outcome = self.check(scope, key, quota, context.now).await;
        announce(context, scope, quota, &outcome);
        outcome?;
        Ok(())
    }

    /// Takes one place of the quota of `key` at the moment `now`. A refused request takes none.
    pub async fn check(
        &self,
        scope: &'static str,
        key: &str,
        quota: Quota,
        now: Timestamp,
    ) -> Result<Allowed, Limited> {
        let key = self.storage_key(scope, key);
        match self.of_redis(now, self.take(&key, quota, now)).await {
            Some((1, remaining, _, reset)) => Ok(Allowed {
                remaining,
                reset_seconds: whole_seconds(reset),
                exact: true,
            }),
            Some((_, _, wait, _)) => Err(refusal(scope, quota, wait)),
            None => self.0.local.check(scope, &key, quota),
        }
    }

    /// Refuses as [`enforce`](Self::enforce) does where the quota of `key` is used up, and takes no place: for what is counted only
    /// once it has failed.
    pub async fn refuse_exhausted(
        &self,
        context: &RequestContext,
        scope: &'static str,
        key: &str,
        quota: Quota,
    ) -> Result<(), Problem> {
        let key = self.storage_key(scope, key);
        let command = redis::Cmd::get(&key);
        let outcome = match self.of_redis(context.now, self.0.redis.query(&command)).await {
            Some(arrival) => look(scope, quota, arrival, context.now),
            None => self.0.local.look(scope, &key, quota),
        };
        outcome.map_err(|limited| {
            announce(context, scope, quota, &Err(limited));
            limited.into()
        })
    }

    /// What Redis answers; `None` while it is away.
    async fn of_redis<T>(
        &self,
        now: Timestamp,
        asked: impl Future<Output = Result<T, RedisError>>,
    ) -> Option<T> {
        if self.0.outage.is_pausing(now) {
            return None;
        }
        match asked.await {
            Ok(answer) => {
                if self.0.outage.has_answered() {
                    tracing::info!("rate limits are kept in Redis again");
                }
                Some(answer)
            }
            Err(error) => {
                if self.0.outage.has_failed(now) {
                    tracing::warn!(%error, "Redis does not answer; rate limits are kept in this process");
                }
                None
            }
        }
    }

    async fn take(&self, key: &str, quota: Quota, now: Timestamp) -> Result<(u8, u32, u64, u64), RedisError> {
        let interval = i64::try_from(quota.interval_micros()).unwrap_or(i64::MAX);
        let arguments = [now.timestamp_micros(), interval, i64::from(quota.limit.get())];
        self.0.redis.run(&self.0.script, key, &arguments).await
    }

    /// `rl:{scope:mac}`; the braces keep a key on one node of a cluster, whatever follows.
    fn storage_key(&self, scope: &str, key: &str) -> String {
        let mut context = hmac::Context::with_key(&self.0.key);
        context.update(scope.as_bytes());
        context.update(&[0]);
        context.update(key.as_bytes());
        let mac = Base64UrlUnpadded::encode_string(context.sign().as_ref());
        format!("rl:{{{scope}:{mac}}}")
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").finish_non_exhaustive()
    }
}

/// Whether a place is free at `now`, by the theoretical arrival time of the next request.
fn look(scope: &'static str, quota: Quota, arrival: Option<i64>, now: Timestamp) -> Result<(), Limited> {
    let now = now.timestamp_micros();
    let interval = i64::try_from(quota.interval_micros()).unwrap_or(i64::MAX);
    let others = i64::from(quota.limit.get()).saturating_sub(1);
    let free_at = arrival
        .unwrap_or_default()
        .saturating_sub(interval.saturating_mul(others));
    match u64::try_from(free_at.saturating_sub(now)) {
        Ok(0) | Err(_) => Ok(()),
        Ok(wait) => Err(refusal(scope, quota, wait)),
    }
}

fn refusal(scope: &'static str, quota: Quota, wait_micros: u64) -> Limited {
    Limited {
        scope,
        quota,
        retry_after: whole_seconds(wait_micros).max(1),
    }
}

fn whole_seconds(micros: u64) -> u64 {
    micros.div_ceil(1_000_000)
}
