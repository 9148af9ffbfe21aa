//! What the integration tests stand on.

mod clock;
mod database;
mod redis_cluster;
mod server;

use portcullis_origin::kernel::random::{self, SystemEntropy};

pub(crate) use clock::TestClock;
pub(crate) use database::{TestDatabase, redis_url};
pub(crate) use redis_cluster::RedisCluster;
pub(crate) use server::{Settings, TestServer, raw_exchange};

/// A nonce that no other request has.
pub(crate) fn fresh_nonce() -> String {
    format!("{:032x}", u128::from_ne_bytes(random::bytes(&SystemEntropy)))
}

/// Polls until the condition holds; fails after half a minute.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !condition().await {
        assert!(std::time::Instant::now() < deadline, "never happened: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
