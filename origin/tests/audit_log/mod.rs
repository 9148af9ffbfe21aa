//! The audit log as a chain of hashes: that it holds, that tampering is found, and what may be removed from it.

mod chaining;
mod command_line;
mod erasure;
mod privileges;
mod refusals;
mod tampering;

use portcullis_origin::audit::{self, Break, Event, EventKind, Walk};
use portcullis_origin::kernel::clock::{Clock, SystemClock};
use portcullis_origin::kernel::db::PgConnection;
use portcullis_origin::kernel::ids::{Id, TenantId};
use portcullis_origin::kernel::random::SystemEntropy;
use sqlx::AssertSqlSafe;
use sqlx::PgPool;

use crate::common::TestDatabase;
use crate::fixtures::DEFAULT_TENANT;

/// An event of the present moment, in this tenant or in none.
fn event(tenant: Option<TenantId>) -> Event {
    let event = Event::of_operator(SystemClock.now(), &SystemEntropy, EventKind::LoggedIn);
    let event = event.detail("list", serde_json::json!(["é\u{1}\"\\", { "b": null, "a": -1 }]));
    match tenant {
        Some(tenant) => event.tenant(tenant),
        None => event,
    }
}

fn default_tenant() -> TenantId {
    DEFAULT_TENANT.parse().unwrap()
}

/// A tenant beside the default one.
async fn other_tenant(pool: &PgPool) -> TenantId {
    let tenant = TenantId::generate(SystemClock.now(), &SystemEntropy);
    let sql = format!("INSERT INTO tenants VALUES ('{tenant}', 'other', 'Other', 'epoch')");
    run(pool, &sql).await;
    tenant
}

/// Writes `count` events in the default tenant, each in a transaction of its own.
async fn write(pool: &PgPool, count: usize) {
    for _ in 0..count {
        let mut connection = pool.acquire().await.unwrap();
        audit::record(&mut connection, event(Some(default_tenant())))
            .await
            .unwrap();
    }
}

async fn run(pool: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(pool)
        .await
        .unwrap();
}

/// How each chain fares.
async fn verify(connection: &mut PgConnection) -> Vec<(Walk, Option<Break>)> {
    let mut outcomes = Vec::new();
    for chain in audit::chains(connection, None).await.unwrap() {
        outcomes.push(audit::verify(connection, &chain, |_| ()).await.unwrap());
    }
    outcomes
}

/// How many events hold, in all chains together. Fails if anything does not.
async fn assert_holds(database: &TestDatabase) -> u64 {
    let mut connection = database.pool().acquire().await.unwrap();
    let outcomes = verify(&mut connection).await;
    for (_, broken) in &outcomes {
        assert!(broken.is_none(), "{broken:?}");
    }
    let unchained = audit::find_unchained(&mut connection, None).await.unwrap();
    assert_eq!(unchained, None);
    outcomes.iter().map(|(walk, _)| walk.passed).sum()
}
