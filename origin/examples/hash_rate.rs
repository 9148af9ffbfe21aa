//! How many passwords a second the origin hashes on this machine, with its own hasher at its default cost.
//!
//! Usage: `hash_rate SECONDS`. Prints `{"hashes": …, "seconds": …}`. One permit for each core, as `serve` has, and twice
//! as many callers, so that no permit is ever idle.

use std::{
    env, thread,
    time::{Duration, Instant},
};

use portcullis_origin::kernel::passwords::{Hasher, HasherConfig, HasherError, Password};
use secrecy::SecretString;
use serde_json::json;
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds: u32 = env::args().nth(1).ok_or("usage: hash_rate SECONDS")?.parse()?;
    let permits = u32::try_from(thread::available_parallelism()?.get())?;
    let hasher = Hasher::new(&HasherConfig {
        memory_kib: 65_536,
        iterations: 3,
        parallelism: 4,
        permits,
        queue: 2 * permits,
    })?;

    // The first hashes meet cold memory and a cold clock.
    run(&hasher, 2 * permits, Duration::ZERO).await?;
    let began = Instant::now();
    let computed = run(&hasher, 2 * permits, Duration::from_secs(seconds.into())).await?;
    println!(
        "{}",
        json!({"hashes": computed, "seconds": began.elapsed().as_secs_f64()})
    );
    Ok(())
}

/// `callers` hash until `time` is over, each at least once.
async fn run(hasher: &Hasher, callers: u32, time: Duration) -> Result<u32, HasherError> {
    let deadline = Instant::now() + time;
    let mut lanes = JoinSet::new();
    for _ in 0..callers {
        let hasher = hasher.clone();
        lanes.spawn(async move {
            let password = Password::new(&SecretString::from("correct horse battery staple"));
            let mut computed = 0;
            loop {
                hasher.hash(password.clone(), [7; 16]).await?;
                computed += 1;
                if Instant::now() >= deadline {
                    return Ok(computed);
                }
            }
        });
    }
    lanes.join_all().await.into_iter().sum()
}
