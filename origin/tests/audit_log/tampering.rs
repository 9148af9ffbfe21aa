//! Whoever may do everything to the database is found out by the chain.

use portcullis_origin::audit::{self, Fault};

use super::{assert_holds, verify, write};
use crate::common::TestDatabase;

/// What is done to five events of one tenant, and what is found at which position.
const CASES: [(&str, i64, Fault); 14] = [
    (
        "UPDATE audit_events SET type = 'logged_out' WHERE id = pg_temp.at(3)",
        3,
        Fault::Content,
    ),
    (
        "UPDATE audit_events SET detail = '{}' WHERE id = pg_temp.at(3)",
        3,
        Fault::Content,
    ),
    (
        "UPDATE audit_events SET occurred_at = occurred_at + interval '1 us' WHERE id = pg_temp.at(3)",
        3,
        Fault::EventMissing,
    ),
    (
        "UPDATE audit_events SET subject_id = gen_random_uuid() WHERE id = pg_temp.at(5)",
        5,
        Fault::Content,
    ),
    (
        "UPDATE audit_events SET tenant_id = NULL WHERE id = pg_temp.at(2)",
        2,
        Fault::Content,
    ),
    (
        "UPDATE audit_events SET origin = sha256('a') WHERE id = pg_temp.at(2)",
        2,
        Fault::Content,
    ),
    (
        "UPDATE audit_events SET ip_address = '192.0.2.7' WHERE id = pg_temp.at(2)",
        2,
        Fault::Origin,
    ),
    (
        "DELETE FROM audit_events WHERE id = pg_temp.at(4)",
        4,
        Fault::EventMissing,
    ),
    ("DELETE FROM audit_links WHERE position = 1", 1, Fault::Gap),
    ("DELETE FROM audit_links WHERE position = 3", 3, Fault::Gap),
    (
        "DELETE FROM audit_links WHERE position >= 4",
        4,
        Fault::TailMissing,
    ),
    (
        "UPDATE audit_chains SET position = 4, hash = (SELECT hash FROM audit_links WHERE position = 4)
         WHERE position = 5",
        5,
        Fault::BeyondHead,
    ),
    (
        "UPDATE audit_links a SET event_id = b.event_id, occurred_at = b.occurred_at, digest = b.digest
         FROM audit_links b WHERE (a.position, b.position) IN ((2, 3), (3, 2))",
        2,
        Fault::Hash,
    ),
    (
        "UPDATE audit_links SET prev_hash = sha256('a'), hash = sha256(sha256('a') || digest) WHERE position = 3",
        3,
        Fault::Unlinked,
    ),
];

/// Names the event at a position, and lifts what keeps others from what follows.
const AS_SUPERUSER: &str = "
CREATE TEMP TABLE places ON COMMIT DROP AS SELECT position, event_id FROM audit_links;
CREATE FUNCTION pg_temp.at(wanted bigint) RETURNS uuid LANGUAGE sql AS
    $$ SELECT event_id FROM pg_temp.places WHERE position = wanted $$;
SET LOCAL session_replication_role = replica;
";

#[tokio::test]
async fn each_way_to_tamper_is_found_where_it_was_done() {
    let database = TestDatabase::create().await;
    write(database.pool(), 5).await;
    for (sql, position, fault) in CASES {
        let mut transaction = database.pool().begin().await.unwrap();
        sqlx::raw_sql(AS_SUPERUSER)
            .execute(&mut *transaction)
            .await
            .unwrap();
        let changed = sqlx::raw_sql(sql).execute(&mut *transaction).await.unwrap();
        assert!(changed.rows_affected() > 0, "{sql}");
        let broken: Vec<_> = verify(&mut transaction)
            .await
            .into_iter()
            .filter_map(|(_, broken)| broken)
            .map(|broken| (broken.position, broken.fault))
            .collect();
        assert_eq!(broken, [(position, fault)], "{sql}");
        transaction.rollback().await.unwrap();
    }
    assert_eq!(assert_holds(&database).await, 5);
}

#[tokio::test]
async fn an_event_that_was_slipped_in_is_in_no_chain() {
    let database = TestDatabase::create().await;
    write(database.pool(), 2).await;
    let mut transaction = database.pool().begin().await.unwrap();
    let sql = "SET LOCAL session_replication_role = replica;
               INSERT INTO audit_events (id, type, occurred_at)
               VALUES ('01890000-0000-7000-8000-000000000001', 'logged_in', 'epoch')";
    sqlx::raw_sql(sql).execute(&mut *transaction).await.unwrap();
    let found = audit::find_unchained(&mut transaction, None).await.unwrap();
    assert_eq!(found.unwrap().to_string(), "01890000-0000-7000-8000-000000000001");
}

#[tokio::test]
async fn no_statement_changes_the_log_neither_at_the_front_door_nor_in_a_partition() {
    let database = TestDatabase::create().await;
    write(database.pool(), 1).await;
    let mut tables: Vec<String> = sqlx::query_scalar(
        "SELECT inhrelid::regclass::text FROM pg_inherits
         WHERE inhparent IN ('audit_events'::regclass, 'audit_links'::regclass)",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    assert!(tables.len() > 20, "{tables:?}");
    tables.extend(["audit_events", "audit_links"].map(str::to_owned));
    let mut statements = vec!["DELETE FROM audit_chains".to_owned()];
    for table in tables {
        let column = if table.contains("events") {
            "type = type"
        } else {
            "position = position"
        };
        statements.extend([
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            format!("UPDATE {table} SET {column}"),
        ]);
    }
    for sql in statements {
        let refused = refusal(&database, &sql).await;
        assert!(refused.ends_with("_append_only"), "{sql}: {refused}");
    }
    let change = "UPDATE audit_events SET user_agent = 'other'";
    assert_eq!(refusal(&database, change).await, "audit_events_erase_only");
}

/// The name of the rule that refuses the statement.
async fn refusal(database: &TestDatabase, sql: &str) -> String {
    let outcome = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(database.pool())
        .await;
    let refused = outcome.unwrap_err();
    let rule = refused.as_database_error().and_then(|error| error.constraint());
    rule.unwrap_or_default().to_owned()
}
