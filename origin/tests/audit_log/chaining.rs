//! Transactions of every shape leave chains without gaps.

use portcullis_origin::audit;
use sqlx::{Acquire as _, Connection as _};
use tokio::task::JoinSet;

use super::{assert_holds, default_tenant, event, other_tenant, run, write};
use crate::common::TestDatabase;

#[tokio::test]
async fn events_of_two_tenants_and_of_none_are_three_chains() {
    let database = TestDatabase::create().await;
    let other = other_tenant(database.pool()).await;
    let mut transaction = database.pool().begin().await.unwrap();
    for tenant in [Some(other), None, Some(default_tenant()), None] {
        audit::record(&mut transaction, event(tenant)).await.unwrap();
    }
    transaction.commit().await.unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let chains = audit::chains(&mut connection, None).await.unwrap();
    let mut lengths: Vec<i64> = chains.iter().map(|chain| chain.position).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [1, 1, 2]);
    assert_eq!(assert_holds(&database).await, 4);
}

#[tokio::test]
async fn what_is_rolled_back_leaves_no_gap() {
    let database = TestDatabase::create().await;
    let mut transaction = database.pool().begin().await.unwrap();
    audit::record(&mut transaction, event(None)).await.unwrap();
    let mut savepoint = transaction.begin().await.unwrap();
    audit::record(&mut savepoint, event(Some(default_tenant())))
        .await
        .unwrap();
    savepoint.rollback().await.unwrap();
    audit::record(&mut transaction, event(None)).await.unwrap();
    transaction.commit().await.unwrap();

    let mut lost = database.pool().begin().await.unwrap();
    audit::record(&mut lost, event(None)).await.unwrap();
    lost.rollback().await.unwrap();
    write(database.pool(), 1).await;
    assert_eq!(assert_holds(&database).await, 3);
}

#[tokio::test]
async fn an_event_keeps_nobody_waiting_before_its_transaction_ends() {
    let database = TestDatabase::create().await;
    let mut slow = database.pool().begin().await.unwrap();
    audit::record(&mut slow, event(Some(default_tenant())))
        .await
        .unwrap();
    // Would wait for ever if the head were locked by now.
    write(database.pool(), 3).await;
    slow.commit().await.unwrap();
    assert_eq!(assert_holds(&database).await, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_transactions_over_two_tenants_neither_deadlock_nor_leave_gaps() {
    let database = TestDatabase::create().await;
    let tenants = [Some(default_tenant()), Some(other_tenant(database.pool()).await)];
    let mut tasks = JoinSet::new();
    for number in 0..50_usize {
        let pool = database.pool().clone();
        tasks.spawn(async move {
            let mut transaction = pool.begin().await.unwrap();
            // Half of them in the one order, half in the other.
            for turn in 0..4 {
                let event = event(tenants[(number + turn) % 2]);
                audit::record(&mut transaction, event).await.unwrap();
            }
            if number % 5 == 0 {
                transaction.rollback().await.unwrap();
            } else {
                transaction.commit().await.unwrap();
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    assert_eq!(assert_holds(&database).await, 160);
}

#[tokio::test]
async fn a_moment_that_no_partition_was_made_for_is_recorded_all_the_same() {
    let database = TestDatabase::create().await;
    let sql = "INSERT INTO audit_events (id, type, occurred_at) VALUES
                   (gen_random_uuid(), 'logged_in', 'epoch'), (gen_random_uuid(), 'logged_in', '2400-01-01Z'),
                   (gen_random_uuid(), 'logged_in', '1999-01-01Z')";
    run(database.pool(), sql).await;
    assert_eq!(assert_holds(&database).await, 3);
    // Its month stays where it began, and does not keep the others from being made.
    let mut connection = sqlx::PgConnection::connect(database.url()).await.unwrap();
    let made = audit::prepare(&mut connection, "2400-01-15T00:00:00Z".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(made, 24);
    assert_eq!(assert_holds(&database).await, 3);
}
