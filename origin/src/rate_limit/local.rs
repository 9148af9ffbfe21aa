//! The same quotas within this process, for as long as Redis is away.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, RateLimiter};

use super::quota::{Allowed, Limited, Quota};

/// Above this many keys, those whose quota is whole again are forgotten.
const MAX_KEYS: usize = 50_000;

/// One limiter for each quota that is in use; there are a handful.
#[derive(Default)]
pub(super) struct LocalLimiter {
    clock: DefaultClock,
    by_quota: Mutex<HashMap<Quota, Arc<DefaultKeyedRateLimiter<String>>>>,
    /// Until when the keys that were refused have no place. `governor` cannot be asked without taking one.
    exhausted: Mutex<HashMap<String, Instant>>,
}

impl LocalLimiter {
    /// Takes one place. The key already names the scope.
    pub(super) fn check(&self, scope: &'static str, key: &str, quota: Quota) -> Result<Allowed, Limited> {
        let limiter = self.limiter(quota);
        if limiter.len() > MAX_KEYS {
            limiter.retain_recent();
        }
        match limiter.check_key(&key.to_owned()) {
            Ok(()) => Ok(Allowed {
                remaining: 0,
                reset_seconds: 0,
                exact: false,
            }),
            Err(not_until) => {
                let wait = not_until.wait_time_from(self.clock.now());
                self.note_exhausted(key, wait);
                Err(Limited {
                    scope,
                    quota,
                    retry_after: wait.as_secs() + 1,
                })
            }
        }
    }

    /// Refuses a key that was refused a place and has none yet. Takes none.
    pub(super) fn look(&self, scope: &'static str, key: &str, quota: Quota) -> Result<(), Limited> {
        let exhausted = self.exhausted.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = exhausted
            .get(key)
            .map(|until| until.saturating_duration_since(Instant::now()));
        match wait {
            Some(wait) if !wait.is_zero() => Err(Limited {
                scope,
                quota,
                retry_after: wait.as_secs() + 1,
            }),
            Some(_) | None => Ok(()),
        }
    }

    fn note_exhausted(&self, key: &str, wait: Duration) {
        let now = Instant::now();
        let mut exhausted = self.exhausted.lock().unwrap_or_else(PoisonError::into_inner);
        if exhausted.len() >= MAX_KEYS {
            exhausted.retain(|_, until| *until > now);
        }
        if exhausted.len() < MAX_KEYS {
            exhausted.insert(key.to_owned(), now + wait);
        }
    }

    fn limiter(&self, quota: Quota) -> Arc<DefaultKeyedRateLimiter<String>> {
        let mut limiters = self.by_quota.lock().unwrap_or_else(PoisonError::into_inner);
        let limiter = limiters.entry(quota).or_insert_with(|| {
            let period = Duration::from_micros(quota.interval_micros().max(1));
            let per_minute = governor::Quota::per_minute(quota.limit);
            let governed = governor::Quota::with_period(period)
                .map_or(per_minute, |governed| governed.allow_burst(quota.limit));
            Arc::new(RateLimiter::keyed(governed))
        });
        Arc::clone(limiter)
    }
}
