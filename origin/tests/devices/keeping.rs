//! How long devices are kept, and how many.

use portcullis_origin::devices::purge_unseen;
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::time::TimeDelta;

use super::{ADA, devices, letters, list, login_on, registered, server, token};
use crate::common::TestServer;
use crate::fixtures::{count, execute};

async fn purge(server: &TestServer) -> u64 {
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    purge_unseen(&mut connection, server.clock.now()).await.unwrap()
}

#[tokio::test]
async fn a_device_is_known_for_180_days_after_it_was_seen_last() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    server.clock.advance(TimeDelta::days(180) - TimeDelta::seconds(1));
    assert_eq!(purge(&server).await, 0);
    assert_eq!(token(&login_on(&server, ADA, Some(&known)).await), known);
    server.clock.advance(TimeDelta::days(180));
    // Whether or not its row is still there.
    let ada = login_on(&server, ADA, Some(&known)).await;
    assert_ne!(token(&ada), known);
    assert_eq!(letters(&server).await, 1);
    assert_eq!(list(&server, &ada).await.len(), 1);
    execute(
        &server,
        "DELETE FROM sessions WHERE created_at < (SELECT max(created_at) FROM sessions)",
    )
    .await;
    assert_eq!(purge(&server).await, 1);
    assert_eq!(devices(&server).await, 1);
}

#[tokio::test]
async fn a_device_stays_as_long_as_a_session_that_is_on_it() {
    let (server, _folder) = server().await;
    registered(&server, ADA).await;
    server.clock.advance(TimeDelta::days(200));
    assert_eq!(purge(&server).await, 0);
    execute(&server, "DELETE FROM sessions").await;
    assert_eq!(purge(&server).await, 1);
}

#[tokio::test]
async fn the_fifty_first_device_takes_the_place_of_the_one_that_was_seen_longest_ago() {
    let (server, _folder) = server().await;
    let (_, oldest) = registered(&server, ADA).await;
    execute(
        &server,
        "INSERT INTO devices (id, tenant_id, user_id, token_digest, first_seen_at, last_seen_at)
             SELECT gen_random_uuid(), tenant_id, user_id, sha256(n::text::bytea), last_seen_at + interval '1 second',
                    last_seen_at + interval '1 second'
             FROM devices, generate_series(1, 49) AS n",
    )
    .await;
    server.clock.advance(TimeDelta::minutes(1));
    let newest = token(&login_on(&server, ADA, None).await);
    assert_eq!(devices(&server).await, 50);
    server.clock.advance(TimeDelta::minutes(1));
    assert_eq!(token(&login_on(&server, ADA, Some(&newest)).await), newest);
    assert_ne!(token(&login_on(&server, ADA, Some(&oldest)).await), oldest);
    assert_eq!(
        count(&server, "SELECT count(*) FROM sessions WHERE device_id IS NULL").await,
        1,
        "the session goes on"
    );
}

#[tokio::test]
async fn a_clock_that_is_behind_makes_no_device_older_than_itself() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    execute(
        &server,
        "UPDATE devices SET first_seen_at = first_seen_at + interval '1 minute',
                            last_seen_at = last_seen_at + interval '1 minute'",
    )
    .await;
    assert_eq!(token(&login_on(&server, ADA, Some(&known)).await), known);
}

#[tokio::test]
async fn an_account_that_is_gone_leaves_no_device_behind() {
    let (server, _folder) = server().await;
    registered(&server, ADA).await;
    execute(&server, "DELETE FROM users").await;
    assert_eq!(devices(&server).await, 0);
    assert_eq!(count(&server, "SELECT count(*) FROM sessions").await, 0);
}
