//! Refuses what the edge has signed once and somebody sends twice.
//!
//! Invariants:
//! - Only nonces of signatures that hold are remembered, so nobody but the edge can fill what they are kept in.
//! - A nonce is remembered for as long as any replica could accept its signature: until it expires, and for as long
//!   again as clocks may differ.
//! - One process never accepts a nonce twice, with Redis or without. All replicas together do not while Redis
//!   answers; without it each may accept a nonce once. That is logged once for each outage.
//! - Memory is bounded. Where it is full and Redis away, a request is refused with 503 rather than accepted unseen.

mod memory;

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
}

/// Why a request is not accepted although its signature holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum ReplayError {
    #[error("the nonce of the signature was used before")]
    UsedBefore,
    #[error("Redis is away, and this process remembers as many nonces as it may")]
    Full,
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::UsedBefore => Self::new(ProblemCode::InvalidEdgeSignature)
                .detail("The request was signed by the edge, but has come before.")
                .caused_by(error),
            ReplayError::Full => Self::new(ProblemCode::Overloaded).caused_by(error),
        }
    }
}

impl ReplayGuard {
    /// A guard that shares what it remembers through `redis`.
    pub(super) fn new(redis: Redis) -> Self {
        Self {
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
            Some(true) | None => Ok(()),
        }
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
