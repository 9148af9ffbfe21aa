//! Locks that are not to be had, and transactions that stand still: each costs those who need the lock a 503, and nobody else
//! anything.

use std::time::Duration;

use portcullis_origin::http::Problem;
use portcullis_shared::problem::ProblemCode;
use reqwest::{Response, StatusCode};
use serde_json::json;
use sqlx::{AssertSqlSafe, Postgres, Transaction};

use crate::common::{Settings, TestServer};
use crate::fixtures::{
    DEFAULT_TENANT, assert_refused, audit_trail, count, login, me, refresh, register, try_login, try_refresh,
    without_limits,
};

const VENUE: &str = "11111111-1111-7111-8111-111111111111";

fn impatient(settings: &mut Settings) {
    without_limits(settings);
    settings.insert("PORTCULLIS__DATABASE__LOCK_TIMEOUT_SECONDS".into(), "1".into());
}

/// A server whose transactions wait a second for a lock.
async fn server() -> TestServer {
    TestServer::start_with(impatient).await
}

/// Somebody else's transaction, in which this statement has taken locks.
async fn holder(server: &TestServer, sql: &str) -> Transaction<'static, Postgres> {
    let mut holder = server.database.as_ref().unwrap().pool().begin().await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(&mut *holder)
        .await
        .unwrap();
    holder
}

/// What comes of this within ten seconds: a second, and the patience of a busy machine.
async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, work)
        .await
        .expect("nobody waits for ever")
}

/// The answer must be a 503, in time.
async fn assert_shed(answer: impl Future<Output = Response>) {
    let refused = in_time(answer).await;
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_refused(refused, 503, "unavailable").await;
}

#[tokio::test]
async fn a_refresh_does_not_wait_for_ever_for_its_session_and_others_go_on() {
    let server = server().await;
    let ada = register(&server, "ada@example.com").await;
    let bob = register(&server, "bob@example.com").await;
    let sql = format!(
        "SELECT 1 FROM sessions WHERE id = '{}' FOR UPDATE",
        ada.session_id
    );
    let holder = holder(&server, &sql).await;
    let ((), successor) = tokio::join!(
        assert_shed(try_refresh(&server, &ada.refresh)),
        refresh(&server, &bob.refresh)
    );
    refresh(&server, &successor).await;
    holder.rollback().await.unwrap();
    // Nothing was lost: the token that was refused for want of time is the current one.
    refresh(&server, &ada.refresh).await;
    assert!(
        !audit_trail(&server)
            .await
            .contains(&"refresh_replayed".to_owned())
    );
}

#[tokio::test]
async fn a_change_at_a_venue_does_not_wait_for_ever_for_its_turn() {
    let server = server().await;
    register(&server, "admin@example.com").await;
    sqlx::query("UPDATE users SET role = 'admin'")
        .execute(server.pool())
        .await
        .unwrap();
    let admin = login(&server, "admin@example.com").await;
    let staff = register(&server, "staff@example.com").await;
    let grant = || async {
        server
            .post(&format!("/auth/venues/{VENUE}/roles"))
            .bearer_auth(&admin.access)
            .json(&json!({"userId": staff.user_id, "role": "door-staff"}))
            .send()
            .await
            .unwrap()
    };
    let turn = format!("SELECT pg_advisory_xact_lock(x'766e75'::int, hashtext('{DEFAULT_TENANT}{VENUE}'))");
    let holder = holder(&server, &turn).await;
    assert_shed(grant()).await;
    assert_eq!(count(&server, "SELECT count(*) FROM venue_roles").await, 0);
    holder.rollback().await.unwrap();
    assert_eq!(grant().await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_trace_that_cannot_be_chained_is_not_waited_for_for_ever() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let holder = holder(&server, "SELECT 1 FROM audit_chains FOR UPDATE").await;
    assert_shed(try_login(
        &server,
        "ada@example.com",
        "wrong horse battery staple",
    ))
    .await;
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
    holder.rollback().await.unwrap();
    let refused = try_login(&server, "ada@example.com", "wrong horse battery staple").await;
    assert_refused(refused, 401, "invalid_credentials").await;
}

#[tokio::test]
async fn a_transaction_that_stands_still_is_ended_and_lets_go_of_its_locks() {
    let mut master_key = None;
    let brisk = TestServer::start_with(|settings| {
        without_limits(settings);
        master_key = settings.get("PORTCULLIS__SECRETS__MASTER_KEY").cloned();
        let limit = "PORTCULLIS__DATABASE__STATEMENT_TIMEOUT_SECONDS";
        settings.insert(limit.into(), "1".into());
    })
    .await;
    let url = brisk.database.as_ref().unwrap().url().to_owned();
    let server = TestServer::start_on(&url, |settings| {
        without_limits(settings);
        settings.insert("PORTCULLIS__SECRETS__MASTER_KEY".into(), master_key.unwrap());
    })
    .await;
    let person = register(&server, "ada@example.com").await;
    let mut stuck = brisk.app.core().pool().begin().await.unwrap();
    sqlx::query("SELECT 1 FROM sessions FOR UPDATE")
        .execute(&mut *stuck)
        .await
        .unwrap();
    // Who waits has a minute for the lock here, and 15 seconds for the statement: it is the other transaction that ends.
    in_time(refresh(&server, &person.refresh)).await;
    let ended = sqlx::query("SELECT 1").execute(&mut *stuck).await.unwrap_err();
    assert_eq!(Problem::database(ended).code(), ProblemCode::Unavailable);
    drop(stuck);
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_ended() {
    let server = TestServer::start_with(|settings| {
        settings.insert(
            "PORTCULLIS__DATABASE__STATEMENT_TIMEOUT_SECONDS".into(),
            "1".into(),
        );
    })
    .await;
    let pool = server.app.core().pool();
    for mut transaction in [pool.begin().await.unwrap(), pool.snapshot().await.unwrap()] {
        let endless = sqlx::query("SELECT pg_sleep(60)");
        let ended = in_time(endless.execute(&mut *transaction)).await.unwrap_err();
        assert_eq!(Problem::database(ended).code(), ProblemCode::Unavailable);
    }
}

#[tokio::test]
async fn the_limits_are_those_of_the_transaction_and_not_of_the_session() {
    let server = TestServer::start_with(|settings| {
        impatient(settings);
        settings.insert("PORTCULLIS__DATABASE__MAX_CONNECTIONS".into(), "1".into());
    })
    .await;
    let pool = server.app.core().pool();
    let of = "SELECT concat_ws(' ', current_setting('lock_timeout'), current_setting('statement_timeout'),
                               current_setting('idle_in_transaction_session_timeout'))";
    for (pool, limits) in [
        (pool.clone(), "1s 15s 15s"),
        (pool.for_jobs(), "1s 5min 15s"),
        (pool.for_commands(), "30s 0 30s"),
    ] {
        let mut transaction = pool.begin().await.unwrap();
        let within: String = sqlx::query_scalar(of).fetch_one(&mut *transaction).await.unwrap();
        transaction.commit().await.unwrap();
        // A pooler would hand the session on like this.
        let mut connection = pool.acquire().await.unwrap();
        let after: String = sqlx::query_scalar(of).fetch_one(&mut *connection).await.unwrap();
        assert_eq!((within.as_str(), after.as_str()), (limits, "0 0 0"));
        let on = pool.begin_on(&mut connection).await.unwrap();
        drop(on);
    }
}
