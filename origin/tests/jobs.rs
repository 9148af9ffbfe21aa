//! The job queue over real Postgres.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use portcullis_origin::jobs::{self, JobError, Jobs, Task};
use portcullis_origin::kernel::clock::{Clock, SystemClock};
use portcullis_origin::kernel::time::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::common::{TestDatabase, eventually};
use crate::fixtures::server;

/// What an attempt at an errand comes to.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
enum Outcome {
    Done,
    Failed,
    FailedForGood,
    Never,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
struct Errand {
    outcome: Outcome,
}

impl Task for Errand {
    const NAME: &'static str = "errand";
    const ATTEMPTS: i32 = 2;
    const TIME_LIMIT: Duration = Duration::from_secs(1);
}

/// How many attempts were made.
type Attempts = Arc<AtomicUsize>;

async fn run_errand(attempts: Attempts, now: Timestamp, errand: Errand) -> Result<(), JobError> {
    assert!(now <= SystemClock.now());
    attempts.fetch_add(1, Ordering::SeqCst);
    match errand.outcome {
        Outcome::Done => Ok(()),
        Outcome::Failed => Err("not yet".into()),
        Outcome::FailedForGood => Err(JobError::final_because("never")),
        Outcome::Never => std::future::pending().await,
    }
}

async fn count_run(runs: Attempts, now: Timestamp) -> Result<u64, JobError> {
    assert!(now <= SystemClock.now());
    runs.fetch_add(1, Ordering::SeqCst);
    Ok(1)
}

/// A worker that does errands, and a duty that is never due within a test.
struct TestWorker {
    attempts: Attempts,
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl TestWorker {
    fn start(pool: &PgPool) -> Self {
        let (attempts, stop) = (Attempts::default(), CancellationToken::new());
        let jobs = Jobs::new(Arc::clone(&attempts), Arc::new(SystemClock))
            .duty("new_year", "0 0 1 1 *", count_run)
            .task(run_errand);
        Self {
            attempts,
            running: tokio::spawn(jobs.run(pool.clone(), stop.clone())),
            stop,
        }
    }

    fn attempts(&self) -> usize {
        self.attempts.load(Ordering::SeqCst)
    }

    async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.running)
            .await
            .expect("the worker stops when asked")
            .unwrap();
    }
}

async fn migrated() -> TestDatabase {
    let database = TestDatabase::create().await;
    jobs::migrate(database.pool()).await.unwrap();
    database
}

async fn enqueue(pool: &PgPool, outcome: Outcome) {
    let mut connection = pool.acquire().await.unwrap();
    jobs::enqueue(&mut connection, &Errand { outcome }).await.unwrap();
}

async fn count(pool: &PgPool, condition: &'static str) -> i64 {
    let sql = format!("SELECT count(*) FROM graphile_worker._private_jobs WHERE {condition}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_long_queue_is_worked_off_as_fast_as_its_jobs_are_done() {
    let database = migrated().await;
    for _ in 0..200 {
        enqueue(database.pool(), Outcome::Done).await;
    }
    let worker = TestWorker::start(database.pool());
    // Four at each look, with one every two seconds, would take longer than anybody waits here.
    eventually("all errands are done", || async { worker.attempts() == 200 }).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_task_is_done_and_gone_and_the_worker_stops_when_asked() {
    let database = migrated().await;
    jobs::migrate(database.pool()).await.unwrap();
    enqueue(database.pool(), Outcome::Done).await;

    let worker = TestWorker::start(database.pool());
    eventually("the task was done", || async {
        count(database.pool(), "true").await == 0
    })
    .await;
    assert_eq!(worker.attempts(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_task_of_a_transaction_that_is_rolled_back_never_was() {
    let database = migrated().await;
    let mut transaction = database.pool().begin().await.unwrap();
    let errand = Errand {
        outcome: Outcome::Done,
    };
    jobs::enqueue(&mut transaction, &errand).await.unwrap();
    assert_eq!(
        count(database.pool(), "true").await,
        0,
        "nobody sees it before the commit"
    );
    transaction.rollback().await.unwrap();
    assert_eq!(count(database.pool(), "true").await, 0);
}

#[tokio::test]
async fn a_task_that_fails_stays_for_another_attempt() {
    let database = migrated().await;
    enqueue(database.pool(), Outcome::Failed).await;

    let worker = TestWorker::start(database.pool());
    eventually("the task has failed", || async {
        count(
            database.pool(),
            "attempts = 1 AND is_available AND last_error LIKE '%not yet%'",
        )
        .await
            == 1
    })
    .await;
    eventually("it was tried as often as it may be", || async {
        count(
            database.pool(),
            "attempts = 2 AND NOT is_available AND locked_at IS NULL",
        )
        .await
            == 1
    })
    .await;
    assert_eq!(worker.attempts(), 2);
    worker.stop().await;
}

#[tokio::test]
async fn a_task_that_fails_for_good_is_kept_and_not_tried_again() {
    let database = migrated().await;
    enqueue(database.pool(), Outcome::FailedForGood).await;

    let worker = TestWorker::start(database.pool());
    eventually("the task was given up", || async {
        count(
            database.pool(),
            "attempts = 1 AND NOT is_available AND locked_at IS NULL",
        )
        .await
            == 1
    })
    .await;
    assert_eq!(worker.attempts(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn tasks_that_hang_keep_nobody_waiting_for_ever() {
    let database = migrated().await;
    for _ in 0..8 {
        enqueue(database.pool(), Outcome::Never).await;
    }
    enqueue(database.pool(), Outcome::Done).await;

    let worker = TestWorker::start(database.pool());
    eventually("all that hang have failed, and the other is done", || async {
        count(database.pool(), "last_error LIKE '%the attempt took too long%'").await == 8
            && count(database.pool(), "true").await == 8
    })
    .await;
    worker.stop().await;
}

#[tokio::test]
async fn a_job_whose_worker_was_killed_is_done_by_the_next() {
    let database = migrated().await;
    enqueue(database.pool(), Outcome::Done).await;
    // What a worker leaves behind that took the job and was killed: the lock, and a heartbeat that has stopped.
    sqlx::raw_sql(
        "UPDATE graphile_worker._private_jobs
         SET attempts = 1, locked_by = 'killed', locked_at = now() - interval '2 minutes';
         INSERT INTO graphile_worker._private_workers (id, started_at, last_heartbeat_at)
         VALUES ('killed', now() - interval '1 hour', now() - interval '2 minutes')",
    )
    .execute(database.pool())
    .await
    .unwrap();

    let worker = TestWorker::start(database.pool());
    eventually("the job was done", || async {
        count(database.pool(), "true").await == 0
    })
    .await;
    assert_eq!(worker.attempts(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn a_duty_that_is_due_is_done_before_any_task() {
    let database = migrated().await;
    sqlx::query(
        "SELECT graphile_worker.add_job('duty', '{\"duty\": \"new_year\"}'::json, priority => -1),
                graphile_worker.add_job('duty', '{\"duty\": \"of a later release\"}'::json)",
    )
    .execute(database.pool())
    .await
    .unwrap();
    let worker = TestWorker::start(database.pool());
    eventually("the one was done, the other waits for who knows it", || async {
        count(database.pool(), "true").await == 1
            && count(
                database.pool(),
                "is_available AND last_error LIKE '%no such duty%'",
            )
            .await
                == 1
    })
    .await;
    assert_eq!(worker.attempts(), 1);
    worker.stop().await;
}

#[tokio::test]
async fn the_application_schedules_its_duties() {
    let server = server().await;
    let pool = server.pool();
    jobs::migrate(pool).await.unwrap();
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (app, stop) = (server.app.clone(), stop.clone());
        async move { app.run_jobs(stop).await }
    });
    eventually("the schedule is known", || async {
        let known: Vec<String> =
            sqlx::query_scalar("SELECT identifier FROM graphile_worker._private_known_crontabs")
                .fetch_all(pool)
                .await
                .unwrap();
        known.contains(&"purge_expired_sessions".to_owned())
    })
    .await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn the_worker_waits_for_the_schema_and_never_makes_it() {
    let database = TestDatabase::empty().await;
    let worker = TestWorker::start(database.pool());
    worker.stop().await;
    let made: bool = sqlx::query_scalar("SELECT to_regnamespace('graphile_worker') IS NOT NULL")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert!(!made);
}
