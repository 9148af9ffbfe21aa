//! What replicas that start together, purges and lost keys do to sessions.

use std::collections::BTreeSet;

use axum::extract::FromRef as _;
use futures_util::future::join_all;
use portcullis_origin::kernel::clock::{Clock as _, SystemClock};
use portcullis_origin::kernel::ids::{Id as _, TenantId, UserId};
use portcullis_origin::kernel::random::SystemEntropy;
use portcullis_origin::kernel::secrets::{MasterKey, SecretBytes};
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_origin::sessions::{
    self, Authentication, Lifetimes, NewSession, Opened, Presented, Sessions, SessionsError,
};
use uuid::Uuid;

use crate::common::TestDatabase;
use crate::fixtures::{count, login, register, server, try_refresh};

fn lifetimes() -> Lifetimes {
    Lifetimes {
        idle: TimeDelta::days(30),
        absolute: TimeDelta::days(90),
        replay_window: TimeDelta::seconds(60),
    }
}

fn sessions_of(master: u8) -> Sessions {
    Sessions::new(
        MasterKey::new("1", SecretBytes::new(vec![master; 32])).unwrap(),
        lifetimes(),
    )
}

async fn database_with_a_user() -> TestDatabase {
    let database = TestDatabase::create().await;
    let sql = "INSERT INTO users (id, tenant_id, email, first_name, last_name, created_at, updated_at)
               VALUES ('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-000000000001',
                       'ada@example.com', 'A', 'L', 'epoch', 'epoch')";
    sqlx::raw_sql(sql).execute(database.pool()).await.unwrap();
    database
}

async fn open(database: &TestDatabase, sessions: &Sessions) -> Result<Opened, SessionsError> {
    let now = SystemClock.now();
    let new = NewSession {
        user_id: UserId::from_uuid(Uuid::from_u128(0xa1)),
        tenant_id: TenantId::from_uuid(Uuid::from_u128(1)),
        authentication: Authentication::by_password(now),
        ip_address: [192, 0, 2, 1].into(),
        user_agent: Some("test".to_owned()),
        device_id: None,
        device_name: None,
    };
    let mut transaction = database.pool().begin().await.unwrap();
    let opened = sessions.open(&mut transaction, new, now, &SystemEntropy).await?;
    transaction.commit().await.unwrap();
    Ok(opened)
}

async fn is_accepted(database: &TestDatabase, sessions: &Sessions, opened: &Opened) -> bool {
    let mut transaction = database.pool().begin().await.unwrap();
    let presented = sessions
        .present(&mut transaction, &opened.refresh_token, None, SystemClock.now())
        .await
        .unwrap();
    matches!(presented, Presented::Accepted(_))
}

#[tokio::test]
async fn replicas_that_open_their_first_session_at_once_agree_on_one_key() {
    let database = database_with_a_user().await;
    let replicas: Vec<Sessions> = (0..6).map(|_| sessions_of(7)).collect();
    let opened = join_all(replicas.iter().map(|replica| open(&database, replica))).await;
    let keys = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM secret_keys");
    assert_eq!(keys.fetch_one(database.pool()).await.unwrap(), 1);
    for (number, opened) in opened.into_iter().enumerate() {
        let another = &replicas[(number + 1) % replicas.len()];
        assert!(is_accepted(&database, another, &opened.unwrap()).await);
    }
}

#[tokio::test]
async fn a_chain_goes_on_under_its_own_key_when_a_new_one_is_active() {
    let database = database_with_a_user().await;
    let opened = open(&database, &sessions_of(7)).await.unwrap();
    sqlx::raw_sql("UPDATE secret_keys SET state = 'retired'")
        .execute(database.pool())
        .await
        .unwrap();
    let restarted = sessions_of(7);
    let newer = open(&database, &restarted).await.unwrap();
    assert!(is_accepted(&database, &restarted, &opened).await);
    assert!(is_accepted(&database, &restarted, &newer).await);
    let keys = sqlx::query_scalar::<_, i64>("SELECT count(DISTINCT mac_key_id) FROM sessions");
    assert_eq!(keys.fetch_one(database.pool()).await.unwrap(), 2);
}

#[tokio::test]
async fn a_key_does_not_open_under_another_master_key_or_in_another_row() {
    let database = database_with_a_user().await;
    open(&database, &sessions_of(7)).await.unwrap();
    assert!(matches!(
        open(&database, &sessions_of(8)).await,
        Err(SessionsError::Sealed(_))
    ));
    sqlx::raw_sql(
        "INSERT INTO secret_keys SELECT gen_random_uuid(), purpose, 'retired', sealed, master_key_id, created_at
         FROM secret_keys;
         UPDATE sessions SET mac_key_id = (SELECT id FROM secret_keys WHERE state = 'retired')",
    )
    .execute(database.pool())
    .await
    .unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    let family: Uuid = sqlx::query_scalar("SELECT family_id FROM sessions")
        .fetch_one(&mut *connection)
        .await
        .unwrap();
    let forged = {
        use base64ct::{Base64UrlUnpadded, Encoding as _};
        let family = Base64UrlUnpadded::encode_string(family.as_bytes());
        format!("pcr_{family}.0.{}", "A".repeat(43))
    };
    let presented = sessions_of(7)
        .present(&mut connection, &forged.into(), None, SystemClock.now())
        .await;
    assert!(matches!(presented, Err(SessionsError::Sealed(_))));
}

#[tokio::test]
async fn nothing_in_the_row_is_a_token() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let row: String = sqlx::query_scalar("SELECT row_to_json(s)::text FROM sessions s")
        .fetch_one(server.pool())
        .await
        .unwrap();
    let mac = person.refresh.rsplit('.').next().unwrap();
    assert!(!row.contains(mac) && !row.contains(&person.access), "{row}");
    let columns: BTreeSet<String> = serde_json::from_str::<serde_json::Map<_, _>>(&row)
        .unwrap()
        .into_iter()
        .filter_map(|(name, value)| value.is_string().then_some(name))
        .collect();
    let known = [
        "absolute_expires_at",
        "acr",
        "auth_time",
        "created_at",
        "device_id",
        "family_id",
        "id",
        "idle_expires_at",
        "ip_address",
        "last_active_at",
        "mac_key_id",
        "rotated_at",
        "tenant_id",
        "user_id",
    ];
    assert_eq!(columns, known.map(str::to_owned).into());
}

#[tokio::test]
async fn the_purge_removes_what_has_run_out_for_good_and_nothing_else() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::days(60));
    let young = login(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::days(29));
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let now = || server.app.core().clock().now();
    assert_eq!(sessions::purge_expired(&mut connection, now()).await.unwrap(), 0);
    server.clock.advance(TimeDelta::days(1));
    assert_eq!(sessions::purge_expired(&mut connection, now()).await.unwrap(), 1);
    assert_eq!(count(&server, "SELECT count(*) FROM sessions").await, 1);
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM audit_events WHERE session_id IS NOT NULL"
        )
        .await,
        2
    );
    drop(young);
}

#[tokio::test]
async fn the_purge_goes_on_until_all_batches_are_done() {
    let database = database_with_a_user().await;
    open(&database, &sessions_of(7)).await.unwrap();
    let sql = "INSERT INTO sessions (id, tenant_id, user_id, family_id, mac_key_id, created_at, rotated_at,
                   last_active_at, idle_expires_at, absolute_expires_at, auth_time, amr, acr)
               SELECT gen_random_uuid(), tenant_id, user_id, gen_random_uuid(), mac_key_id, created_at, rotated_at,
                   last_active_at, 'epoch', 'epoch', auth_time, amr, acr FROM sessions, generate_series(1, 2345)";
    sqlx::raw_sql(sql).execute(database.pool()).await.unwrap();
    let mut connection = database.pool().acquire().await.unwrap();
    assert_eq!(
        sessions::purge_expired(&mut connection, SystemClock.now())
            .await
            .unwrap(),
        2345
    );
    let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM sessions");
    assert_eq!(left.fetch_one(&mut *connection).await.unwrap(), 1);
}

#[tokio::test]
async fn the_purge_does_not_wait_for_a_session_that_is_in_use() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::days(91));
    let mut holder = server.app.core().pool().begin().await.unwrap();
    sqlx::query("SELECT id FROM sessions FOR UPDATE")
        .execute(&mut *holder)
        .await
        .unwrap();
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let now = server.app.core().clock().now();
    assert_eq!(sessions::purge_expired(&mut connection, now).await.unwrap(), 0);
    holder.rollback().await.unwrap();
    assert_eq!(sessions::purge_expired(&mut connection, now).await.unwrap(), 1);
}

#[tokio::test]
async fn a_purged_session_is_refused_like_any_other_that_is_over() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::days(91));
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let now = server.app.core().clock().now();
    sessions::purge_expired(&mut connection, now).await.unwrap();
    let answer = try_refresh(&server, &person.refresh).await;
    crate::fixtures::assert_refused(answer, 401, "invalid_refresh_token").await;
    let state = Sessions::from_ref(&server.app);
    assert_eq!(
        state
            .owner_of_token(&mut connection, &person.refresh.into())
            .await
            .unwrap(),
        None
    );
}
