//! The audit log is written with what it tells of, and never changed.

use portcullis_origin::audit::{self, Event, EventKind};
use portcullis_origin::kernel::clock::{Clock, SystemClock};
use portcullis_origin::kernel::ids::{Id, UserId};
use portcullis_origin::kernel::random::SystemEntropy;

use crate::common::TestDatabase;

fn event(kind: EventKind) -> Event {
    Event::of_operator(SystemClock.now(), &SystemEntropy, kind)
}

#[tokio::test]
async fn every_kind_of_event_can_be_recorded() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool().acquire().await.unwrap();
    let kinds = [
        EventKind::Registered,
        EventKind::LoggedIn,
        EventKind::LoginFailed,
        EventKind::RefreshReplayed,
        EventKind::RefreshReused,
        EventKind::LoggedOut,
        EventKind::TokenRevoked,
        EventKind::ClientRefused,
        EventKind::KeyGenerated,
        EventKind::KeyImported,
        EventKind::KeyActivated,
    ];
    let user = UserId::generate(SystemClock.now(), &SystemEntropy);
    for kind in kinds {
        let event = event(kind).actor(user).subject(user).detail("kid", "a");
        audit::record(&mut connection, event).await.unwrap();
    }
    let stored: Vec<(String, serde_json::Value)> =
        sqlx::query_as("SELECT type, detail FROM audit_events ORDER BY seq")
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    let expected = kinds.map(|kind| (kind.as_str().to_owned(), serde_json::json!({"kid": "a"})));
    assert_eq!(stored, expected);
}

#[tokio::test]
async fn an_event_goes_with_the_transaction_that_it_was_written_in() {
    let database = TestDatabase::create().await;
    let mut transaction = database.pool().begin().await.unwrap();
    audit::record(&mut transaction, event(EventKind::Registered))
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_events")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(count, 0);
}
