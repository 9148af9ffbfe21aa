//! Months come, and months go.

use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::random::Entropy;
use crate::kernel::time::{TimeDelta, Timestamp, rfc3339};

use super::model::{Event, EventKind};
use super::store;

/// Makes the partitions that will be needed within a year. Returns how many were missing.
pub async fn prepare(connection: &mut PgConnection, now: Timestamp) -> Result<u64, sqlx::Error> {
    store::create_partitions(connection, now).await
}

/// Prepares the months to come, and removes those that ended longer ago than `retention`, if there is one. What was removed is an
/// event itself. Returns how many partitions were made and events removed.
pub async fn keep(
    pool: &Pool,
    retention: Option<TimeDelta>,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<u64, sqlx::Error> {
    let made = prepare(&mut *pool.acquire().await?, now).await?;
    let Some(retention) = retention else {
        return Ok(made);
    };
    let before = now - retention;
    let mut transaction = pool.begin().await?;
    let removed = store::remove_events(&mut transaction, before).await?;
    if removed > 0 {
        let event = Event::of_operator(now, entropy, EventKind::AuditTrimmed)
            .detail("before", rfc3339(before))
            .detail("events", removed);
        store::record(&mut transaction, event).await?;
    }
    transaction.commit().await?;
    // A transaction of its own: it locks the heads of the chains before the links, the other one after the events.
    store::remove_links(&mut *pool.acquire().await?, before).await?;
    Ok(made + removed)
}
