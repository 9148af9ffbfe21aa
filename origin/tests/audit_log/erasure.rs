//! What may be taken out of the log: the origins of an account that is purged, and months that are too old.

use portcullis_origin::audit;
use portcullis_origin::kernel::random::SystemEntropy;
use portcullis_origin::kernel::time::TimeDelta;

use super::{assert_holds, default_tenant, run, verify, write};
use crate::common::TestDatabase;
use crate::fixtures::{count, register, server, try_login};

#[tokio::test]
async fn a_pseudonymised_account_has_no_origins_and_its_chain_holds() {
    let server = server().await;
    let database = server.database.as_ref().unwrap();
    let ada = register(&server, "ada@example.com").await;
    register(&server, "grace@example.com").await;
    try_login(&server, "ada@example.com", "a wrong password").await;
    let before = assert_holds(database).await;
    let with_origin = "SELECT count(*) FROM audit_events WHERE ip_address IS NOT NULL AND salt IS NOT NULL";
    let all = count(&server, with_origin).await;

    let mut transaction = database.pool().begin().await.unwrap();
    let user = ada.user_id.parse().unwrap();
    let erased = audit::pseudonymise(&mut transaction, default_tenant(), user)
        .await
        .unwrap();
    assert!(erased >= 3, "{erased}");
    let again = audit::pseudonymise(&mut transaction, default_tenant(), user)
        .await
        .unwrap();
    assert_eq!(again, 0);
    transaction.commit().await.unwrap();

    let left = count(&server, with_origin).await;
    assert_eq!(left, all - i64::try_from(erased).unwrap());
    assert!(left > 0, "nobody else's origins are erased");
    assert_eq!(assert_holds(database).await, before);
    let mut connection = database.pool().acquire().await.unwrap();
    let counted: u64 = verify(&mut connection)
        .await
        .iter()
        .map(|(walk, _)| walk.erased)
        .sum();
    assert_eq!(counted, erased);
}

#[tokio::test]
async fn an_account_of_another_tenant_is_not_pseudonymised() {
    let server = server().await;
    let ada = register(&server, "ada@example.com").await;
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let other = "01890000-0000-7000-8000-000000000001".parse().unwrap();
    let erased = audit::pseudonymise(&mut connection, other, ada.user_id.parse().unwrap())
        .await
        .unwrap();
    assert_eq!(erased, 0);
}

/// Two events that are too old, one that came late into a younger month, and one of each month after.
const OLD: [&str; 5] = [
    "2026-11-29T00:00:00Z",
    "2026-11-30T00:00:00Z",
    "2027-01-01T00:00:00Z",
    "2026-11-30T23:59:59Z",
    "2027-02-01T00:00:00Z",
];

#[tokio::test]
async fn months_that_are_too_old_are_removed_and_the_rest_of_the_chain_holds() {
    let database = TestDatabase::create().await;
    // The database's own clock is the judge of what is old: the months are moved to its past.
    run(database.pool(), &in_the_past()).await;
    assert_eq!(assert_holds(&database).await, 5);

    let now = "2000-03-15T00:00:00Z".parse().unwrap();
    let retention = Some(TimeDelta::days(60));
    let removed = audit::keep(&database.pool_of_a_server(), retention, &SystemEntropy, now)
        .await
        .unwrap();
    assert_eq!(removed, 3, "both of the old month, and the one that came late");
    let mut connection = database.pool().acquire().await.unwrap();
    let chains = audit::chains(&mut connection, None).await.unwrap();
    let installation = chains.iter().find(|chain| chain.tenant.is_none()).unwrap();
    assert_eq!(installation.removed_position, 2);
    let (walk, broken) = audit::verify(&mut connection, installation, |_| ())
        .await
        .unwrap();
    assert!(broken.is_none(), "{broken:?}");
    // Three that were there, and the event that tells of the removal.
    assert_eq!((walk.first, walk.passed, walk.removed), (Some(3), 4, 1));
    let trimmed: i64 = sqlx::query_scalar(
        "SELECT (detail ->> 'events')::bigint FROM audit_events WHERE type = 'audit_trimmed'",
    )
    .fetch_one(database.pool())
    .await
    .unwrap();
    assert_eq!(trimmed, 3);
    let again = audit::keep(&database.pool_of_a_server(), retention, &SystemEntropy, now).await;
    assert_eq!(again.unwrap(), 0);
}

/// Partitions of November 1999 to February 2000, and the events in them.
fn in_the_past() -> String {
    let partitions = String::from(
        "DROP TABLE audit_log.events_earlier, audit_log.links_earlier;
         SELECT audit_attach(kind, to_char(month, 'YYYY_MM'),
                             format('FOR VALUES FROM (%L) TO (%L)', month, month + interval '1 month'))
         FROM unnest(ARRAY['events', 'links']) AS kind,
              generate_series('1999-11-01Z'::timestamptz, '2001-03-01Z', '1 month') AS month;",
    );
    let insertions = OLD.map(|at| {
        let at = at.replace("2026", "1999").replace("2027", "2000");
        format!(
            "INSERT INTO audit_events (id, type, occurred_at) VALUES (gen_random_uuid(), 'logged_in', '{at}');"
        )
    });
    partitions + &insertions.concat()
}

#[tokio::test]
async fn without_a_retention_nothing_is_removed_and_never_what_is_young() {
    let database = TestDatabase::create().await;
    write(database.pool(), 1).await;
    let far = "2400-01-01T00:00:00Z".parse().unwrap();
    audit::keep(&database.pool_of_a_server(), None, &SystemEntropy, far)
        .await
        .unwrap();
    let refused = audit::keep(
        &database.pool_of_a_server(),
        Some(TimeDelta::days(31)),
        &SystemEntropy,
        far,
    )
    .await;
    let refused = refused.unwrap_err();
    assert_eq!(
        refused.as_database_error().unwrap().constraint(),
        Some("audit_retention_check")
    );
    assert_eq!(assert_holds(&database).await, 1);
}
