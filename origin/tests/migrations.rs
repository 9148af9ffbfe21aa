//! The rules of `migrations/README.md`, held against the files and against the schema that they make.

use std::collections::BTreeSet;
use std::path::Path;

use portcullis_origin::kernel::db::MIGRATIONS;

use crate::common::TestDatabase;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations")
}

fn sql_files(folder: &Path) -> BTreeSet<String> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|extension| extension == "sql")
        })
        .collect()
}

#[test]
fn each_migration_is_named_by_time_and_deed_and_has_samples() {
    let files = sql_files(&folder());
    assert_eq!(files.len(), MIGRATIONS.iter().count());
    assert_eq!(files, sql_files(&folder().join("samples")));
    for name in &files {
        let (time, deed) = name.split_once('_').unwrap();
        assert!(
            time.len() == 14 && time.bytes().all(|b| b.is_ascii_digit()),
            "{name}"
        );
        assert!(
            deed.trim_end_matches(".sql").contains('_'),
            "{name} should say verb and noun"
        );
    }
}

#[tokio::test]
async fn each_migration_applies_to_a_database_that_is_not_empty() {
    let database = TestDatabase::empty().await;
    for name in sql_files(&folder()) {
        for folder in [folder(), folder().join("samples")] {
            let sql = std::fs::read_to_string(folder.join(&name)).unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(database.pool())
                .await
                .unwrap_or_else(|error| {
                    panic!("{}: {error}", folder.join(&name).display());
                });
        }
    }
}

#[tokio::test]
async fn migrating_twice_changes_nothing() {
    let database = TestDatabase::create().await;
    MIGRATIONS.run(database.pool()).await.unwrap();
    let tenants = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM tenants");
    assert_eq!(tenants.fetch_one(database.pool()).await.unwrap(), 1);
}

#[tokio::test]
async fn every_constraint_and_index_has_a_name_of_its_own_making() {
    let database = TestDatabase::create().await;
    let constraints = sqlx::query_as::<_, (String, String, String)>(
        "SELECT conrelid::regclass::text, conname::text, contype::text FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND conrelid <> 0
           AND conrelid <> '_sqlx_migrations'::regclass AND contype <> 't'",
    );
    for (table, name, kind) in constraints.fetch_all(database.pool()).await.unwrap() {
        let suffix = match kind.as_str() {
            "p" => "_pkey",
            "u" => "_key",
            "f" => "_fkey",
            "c" => "_check",
            other => panic!("{name} is of the unforeseen kind {other}"),
        };
        assert!(
            name.starts_with(&format!("{table}_")) && name.ends_with(suffix),
            "{name}"
        );
    }
    let indexes = sqlx::query_as::<_, (String, String, bool)>(
        "SELECT indrelid::regclass::text, indexrelid::regclass::text, indisunique FROM pg_index
         WHERE indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
           AND indrelid <> '_sqlx_migrations'::regclass",
    );
    for (table, name, unique) in indexes.fetch_all(database.pool()).await.unwrap() {
        let fits = if unique {
            name.ends_with("_key") || name.ends_with("_pkey")
        } else {
            name.ends_with("_idx")
        };
        assert!(name.starts_with(&format!("{table}_")) && fits, "{name}");
    }
}

#[tokio::test]
async fn every_foreign_key_between_rows_of_tenants_carries_the_tenant() {
    let database = TestDatabase::create().await;
    let loose = sqlx::query_scalar::<_, String>(
        "SELECT conname::text FROM pg_constraint c
         WHERE contype = 'f' AND connamespace = 'public'::regnamespace
           AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.conrelid AND attname = 'tenant_id')
           AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.confrelid AND attname = 'tenant_id')
           AND NOT EXISTS (SELECT FROM pg_attribute
                           WHERE attrelid = c.conrelid AND attnum = ANY (c.conkey) AND attname = 'tenant_id')",
    );
    assert_eq!(
        loose.fetch_all(database.pool()).await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn every_table_says_what_it_is_for() {
    let database = TestDatabase::create().await;
    let silent = sqlx::query_scalar::<_, String>(
        "SELECT relname::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> '_sqlx_migrations'
           AND obj_description(oid, 'pg_class') IS NULL",
    );
    assert_eq!(
        silent.fetch_all(database.pool()).await.unwrap(),
        Vec::<String>::new()
    );
}

#[tokio::test]
async fn no_column_takes_the_time_from_the_database() {
    let database = TestDatabase::create().await;
    let defaults = sqlx::query_scalar::<_, String>(
        "SELECT table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'
           AND column_default ~* 'now\\(|current_|clock_timestamp'",
    );
    assert_eq!(
        defaults.fetch_all(database.pool()).await.unwrap(),
        Vec::<String>::new()
    );
}
