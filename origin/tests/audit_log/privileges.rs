//! A server under a role that has only what `docs/grants.sql` grants.

use portcullis_origin::audit;
use portcullis_origin::jobs;
use portcullis_origin::kernel::random::{self, SystemEntropy};
use portcullis_origin::kernel::time::TimeDelta;
use sqlx::AssertSqlSafe;
use sqlx::error::DatabaseError;

use super::{assert_holds, default_tenant, run};
use crate::common::{TestDatabase, TestServer};
use crate::fixtures::{login, register, try_login, without_limits};

const GRANTS: &str = include_str!("../../../docs/grants.sql");

/// A role that may sign in and owns nothing; dropped with [`Role::drop_from`].
struct Role(String);

impl Role {
    async fn create(database: &TestDatabase) -> Self {
        let name = format!("test_{:032x}", u128::from_ne_bytes(random::bytes(&SystemEntropy)));
        run(
            database.pool(),
            &format!("CREATE ROLE {name} LOGIN PASSWORD '{name}'"),
        )
        .await;
        run(database.pool(), &GRANTS.replace(":\"role\"", &name)).await;
        Self(name)
    }

    /// The URL of the database, as this role.
    fn url(&self, database: &TestDatabase) -> String {
        let mut url = reqwest::Url::parse(database.url()).unwrap();
        url.set_username(&self.0).unwrap();
        url.set_password(Some(&self.0)).unwrap();
        url.into()
    }

    async fn drop_from(self, database: &TestDatabase) {
        let Self(name) = self;
        run(
            database.pool(),
            &format!("DROP OWNED BY {name}; DROP ROLE {name}"),
        )
        .await;
    }
}

#[tokio::test]
async fn a_server_without_more_than_the_documented_grants_writes_events_and_changes_none() {
    let database = TestDatabase::create().await;
    jobs::migrate(database.pool()).await.unwrap();
    let role = Role::create(&database).await;
    let server = TestServer::start_on(&role.url(&database), without_limits).await;
    server.app.prepare().await.unwrap();
    let ada = register(&server, "ada@example.com").await;
    login(&server, "ada@example.com").await;
    try_login(&server, "ada@example.com", "a wrong password").await;

    let pool = server.pool();
    for sql in [
        "UPDATE audit_events SET type = 'logged_out'",
        "UPDATE audit_events SET ip_address = NULL",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "INSERT INTO audit_links SELECT * FROM audit_links",
        "UPDATE audit_links SET position = 1",
        "DELETE FROM audit_links",
        "UPDATE audit_chains SET position = 0",
        "INSERT INTO audit_chains (id) VALUES (gen_random_uuid())",
        "DROP TABLE audit_log.events_earlier",
        "DELETE FROM audit_log.events_earlier",
        "ALTER TABLE audit_events DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
    ] {
        let refused = sqlx::raw_sql(AssertSqlSafe(sql)).execute(pool).await.unwrap_err();
        let code = refused.as_database_error().and_then(DatabaseError::code);
        assert_eq!(code.as_deref(), Some("42501"), "{sql}: {refused}");
    }

    let mut transaction = pool.begin().await.unwrap();
    let erased = audit::pseudonymise(&mut transaction, default_tenant(), ada.user_id.parse().unwrap())
        .await
        .unwrap();
    assert!(erased > 0);
    transaction.commit().await.unwrap();
    let now = server.app.core().clock().now();
    audit::keep(
        server.app.core().pool(),
        Some(TimeDelta::days(400)),
        &SystemEntropy,
        now,
    )
    .await
    .unwrap();
    assert!(assert_holds(&database).await > 3);
    pool.close().await;
    role.drop_from(&database).await;
}
