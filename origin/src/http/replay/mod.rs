//! Refuses what the edge has signed once and somebody sends twice.
//!
//! Invariants:
//! - Only nonces of signatures that hold are remembered, so nobody but the edge can fill what they are kept in.
//! - A nonce is remembered for as long as any replica could accept its signature: until it expires, and for as long
//!   again as clocks may differ.
//! - One replica never accepts a nonce twice, with Redis or without, and not after a restart either. All replicas together do
//!   not while Redis answers; without it each may accept a nonce once. That is logged once for each outage.
//! - Memory is bounded. Where it is full and Redis away, a request is refused with 503 rather than accepted unseen; and so is,
//!   while Redis is away, a signature so old that it may have been accepted without being remembered: before the process
//!   started, or on the word of Redis while memory was full.

mod memory;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use portcullis_shared::problem::ProblemCode;
use portcullis_shared::request_signature::{CLOCK_SKEW_SECONDS, SignatureParameters};
use redis::RedisError;

use super::problem::Problem;
use crate::kernel::outage::Outage;
use crate::kernel::redis::Redis;
use crate::kernel::time::Timestamp;
use memory::{Memory, Nonce, Recall};

/// Most nonces that one process remembers: 5,000 requests in each of the 40 seconds that a nonce can be good for. At
/// 17 bytes and what a hash table leaves empty, some 8 MB.
const MOST_NONCES: usize = 200_000;

/// Remembers nonces, in this process and in Redis.
pub(super) struct ReplayGuard {
    redis: Redis,
    outage: Outage,
    memory: Mutex<Memory>,
    /// The last second, since the epoch, at which a nonce may have been accepted that is not in memory.
    unseen_until: AtomicI64,
}

/// Why a request is not accepted although its signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum ReplayError {
    #[error("the nonce of the signature was used before")]
    UsedBefore,
    #[error("Redis is away, and this process remembers as many nonces as it may")]
    Full,
    #[error("Redis is away, and the signature is older than what this process remembers")]
    Unseen,
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::UsedBefore => Self::new(ProblemCode::InvalidEdgeSignature)
                .detail("The request was signed by the edge, but has come before.")
                .caused_by(error),
            ReplayError::Full => Self::new(ProblemCode::Overloaded).caused_by(error),
            ReplayError::Unseen => Self::unavailable(error),
        }
    }
}

impl ReplayGuard {
    /// A guard that shares what it remembers through `redis`. It knows nothing of what was accepted until `now`.
    pub(super) fn new(redis: Redis, now: Timestamp) -> Self {
        Self {
            unseen_until: AtomicI64::new(now.timestamp()),
            redis,
            outage: Outage::default(),
            memory: Mutex::new(Memory::new(MOST_NONCES)),
        }
    }

    /// Accepts the request of a signature that holds, unless one with its nonce was accepted before.
    pub(super) async fn admit(
        &self,
        parameters: &SignatureParameters,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let nonce = Nonce::of(parameters);
        let forget_at = parameters.expires.saturating_add(CLOCK_SKEW_SECONDS);
        let recall = self
            .memory
            .lock()
            // A set is whole at every moment, so a panic elsewhere does not spoil it.
            .unwrap_or_else(PoisonError::into_inner)
            .take_in(nonce, forget_at, now.timestamp());
        let is_first = match recall {
            Recall::Known => Some(false),
            Recall::New | Recall::Full => self.is_first_of_all(nonce, forget_at, now).await,
        };
        match is_first {
            Some(false) => Err(ReplayError::UsedBefore.into()),
            None if recall == Recall::Full => Err(ReplayError::Full.into()),
            None if self.may_be_unseen(parameters) => Err(ReplayError::Unseen.into()),
            Some(true) if recall == Recall::Full => {
                self.unseen_until.fetch_max(now.timestamp(), Ordering::Relaxed);
                Ok(())
            }
            Some(true) | None => Ok(()),
        }
    }

    /// Whether the signature is so old that it may have been accepted without being remembered. The clock of the edge may be
    /// ahead.
    fn may_be_unseen(&self, parameters: &SignatureParameters) -> bool {
        let made_before_it_came = self
            .unseen_until
            .load(Ordering::Relaxed)
            .saturating_add(CLOCK_SKEW_SECONDS);
        parameters.created <= made_before_it_came
    }

    /// Whether no replica has seen the nonce; `None` where Redis does not say.
    async fn is_first_of_all(&self, nonce: Nonce, forget_at: i64, now: Timestamp) -> Option<bool> {
        if self.outage.is_pausing(now) {
            return None;
        }
        match self.claim(nonce, forget_at, now).await {
            Ok(is_first) => {
                if self.outage.has_answered() {
                    tracing::info!("nonces of the edge are shared through Redis again");
                }
                Some(is_first)
            }
            Err(error) => {
                if self.outage.has_failed(now) {
                    tracing::warn!(%error, "Redis does not answer; each replica remembers the edge's nonces alone");
                }
                None
            }
        }
    }

    async fn claim(&self, nonce: Nonce, forget_at: i64, now: Timestamp) -> Result<bool, RedisError> {
        let millis = forget_at
            .saturating_mul(1000)
            .saturating_sub(now.timestamp_millis());
        let mut command = redis::cmd("SET");
        command
            .arg(nonce.key())
            .arg(1)
            .arg("NX")
            .arg("PX")
            .arg(millis.max(1));
        let set: Option<String> = self.redis.query(&command).await?;
        Ok(set.is_some())
    }
}

#[cfg(test)]
mod tests {
    use portcullis_shared::request_signature::Purpose;

    use super::*;
    use crate::kernel::config::RedisConfig;
    use crate::kernel::time::TimeDelta;

    /// Without Redis, and with room for one nonce.
    fn guard(now: Timestamp) -> ReplayGuard {
        let nowhere = RedisConfig {
            urls: vec!["redis://127.0.0.1:1".into()],
            cluster: false,
        };
        ReplayGuard {
            memory: Mutex::new(Memory::new(1)),
            ..ReplayGuard::new(Redis::connect(&nowhere).unwrap(), now)
        }
    }

    fn made_at(moment: Timestamp, nonce: &str) -> SignatureParameters {
        SignatureParameters {
            purpose: Purpose::Forwarded,
            keyid: "one".to_owned(),
            created: moment.timestamp(),
            expires: moment.timestamp() + 30,
            nonce: nonce.to_owned(),
        }
    }

    fn start() -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000, 0).unwrap()
    }

    async fn code(
        guard: &ReplayGuard,
        parameters: &SignatureParameters,
        now: Timestamp,
    ) -> Option<ProblemCode> {
        guard
            .admit(parameters, now)
            .await
            .err()
            .map(|problem| problem.code())
    }

    #[tokio::test]
    async fn a_full_memory_without_redis_accepts_nothing_that_it_cannot_remember() {
        let guard = guard(start());
        let later = start() + TimeDelta::seconds(10);
        assert_eq!(code(&guard, &made_at(later, "a"), later).await, None);
        assert_eq!(
            code(&guard, &made_at(later, "b"), later).await,
            Some(ProblemCode::Overloaded)
        );
        assert_eq!(
            code(&guard, &made_at(later, "a"), later).await,
            Some(ProblemCode::InvalidEdgeSignature)
        );
    }

    #[tokio::test]
    async fn without_redis_a_signature_from_before_the_start_may_have_been_accepted() {
        let later = start() + TimeDelta::seconds(20);
        for (made, refusal) in [
            (-3, Some(ProblemCode::Unavailable)),
            (5, Some(ProblemCode::Unavailable)),
            (6, None),
        ] {
            let parameters = made_at(start() + TimeDelta::seconds(made), "a");
            assert_eq!(
                code(&guard(start()), &parameters, later).await,
                refusal,
                "{made} s"
            );
        }
    }
}
