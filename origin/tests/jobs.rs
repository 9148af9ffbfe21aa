//! The job queue over real Postgres.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use portcullis_origin::jobs::{self, DutyError, PurgeExpiredSessions};
use portcullis_origin::kernel::clock::{Clock, SystemClock};
use portcullis_origin::kernel::db::Pool;
use tokio_util::sync::CancellationToken;

use crate::common::{TestDatabase, eventually};

/// A purge that counts its runs; the first ones fail.
fn counted(failures: usize) -> (PurgeExpiredSessions, Arc<AtomicUsize>) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&runs);
    let purge = PurgeExpiredSessions::new(Arc::new(SystemClock), move |now| {
        assert!(now <= SystemClock.now());
        let run = counter.fetch_add(1, Ordering::SeqCst);
        async move {
            if run < failures {
                Err(DutyError::new("not yet"))
            } else {
                Ok(1)
            }
        }
        .boxed()
    });
    (purge, runs)
}

async fn enqueue(pool: &Pool) {
    sqlx::query("SELECT graphile_worker.add_job('purge_expired_sessions', '{}'::json)")
        .execute(pool)
        .await
        .unwrap();
}

async fn waiting(pool: &Pool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM graphile_worker._private_jobs")
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_job_is_done_and_gone_and_the_worker_stops_when_asked() {
    let database = TestDatabase::create().await;
    jobs::migrate(database.pool()).await.unwrap();
    jobs::migrate(database.pool()).await.unwrap();
    enqueue(database.pool()).await;

    let (purge, runs) = counted(0);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(jobs::run(database.pool().clone(), purge, stop.clone()));
    eventually("the job was done", || async {
        waiting(database.pool()).await == 0
    })
    .await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    stop.cancel();
    tokio::time::timeout(std::time::Duration::from_secs(10), worker)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_job_that_fails_stays_for_another_attempt() {
    let database = TestDatabase::create().await;
    jobs::migrate(database.pool()).await.unwrap();
    enqueue(database.pool()).await;

    let (purge, runs) = counted(usize::MAX);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(jobs::run(database.pool().clone(), purge, stop.clone()));
    eventually("the job has failed", || async {
        let failed: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM graphile_worker._private_jobs WHERE attempts = 1 AND last_error IS NOT NULL",
        )
        .fetch_one(database.pool())
        .await
        .unwrap();
        failed == 1
    })
    .await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    assert_eq!(waiting(database.pool()).await, 1);
    stop.cancel();
    worker.await.unwrap();
}

#[tokio::test]
async fn the_worker_waits_for_the_schema_and_never_makes_it() {
    let database = TestDatabase::empty().await;
    let (purge, _) = counted(0);
    let stop = CancellationToken::new();
    let worker = tokio::spawn(jobs::run(database.pool().clone(), purge, stop.clone()));
    stop.cancel();
    tokio::time::timeout(std::time::Duration::from_secs(10), worker)
        .await
        .unwrap()
        .unwrap();
    let made: bool = sqlx::query_scalar("SELECT to_regnamespace('graphile_worker') IS NOT NULL")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert!(!made);
}
