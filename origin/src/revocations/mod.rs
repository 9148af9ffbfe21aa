//! What the edge is told about access tokens that must no longer pass, although they are good by themselves.
//!
//! Invariants:
//! - Whatever takes access away says so through [`publish`], in the transaction that takes it away: both are
//!   there, or neither.
//! - Numbers become visible in their order. A publisher takes them from one row and keeps the lock on it until its
//!   transaction ends, so that the next publisher begins where everybody can see what came before. Whoever reads up
//!   to a number has read everything below it.
//! - That lock is the last one a transaction takes: rows of accounts and sessions first, audit events next, then
//!   [`publish`], then the commit. Publishers would otherwise wait for each other in a circle. It is not waited for, nor
//!   kept by a server that has gone silent, for more than seconds.
//! - The state is read before the entries, and the entries up to its number: both belong together.
//! - A reader that knows more than the database is the proof that the database was set back to an earlier state.
//!   The numbers then begin a new epoch, and nobody takes an older state for a newer one.
//! - An entry is told for as long as a token that it concerns may be alive ([`lifetime`]), and purged after that.

mod model;
mod store;

pub use model::{Revocation, Told};

use chrono::SubsecRound as _;
use portcullis_shared::revocation::Cursor;

use crate::kernel::db::PgConnection;
use crate::kernel::time::{TimeDelta, Timestamp};

/// How much longer than a token an entry lives: clocks of replicas and edges differ, a verifier grants some leeway,
/// and a token may be issued for the beginning of the next second.
const MARGIN: TimeDelta = TimeDelta::seconds(60);

/// How many epochs a reader may be ahead and still be believed to know of a lost life of the database.
const MOST_EPOCHS_AHEAD: u64 = 1_000;

/// For how long an entry matters where access tokens live for `access_ttl`.
#[must_use]
pub fn lifetime(access_ttl: TimeDelta) -> TimeDelta {
    access_ttl + MARGIN
}

/// The moment before which tokens are stale when what they say has changed at `change`: the start of the next
/// second, because tokens name whole seconds, and one that was issued within the second of the change may have been
/// issued before it.
#[must_use]
pub fn not_before(change: Timestamp) -> Timestamp {
    change.trunc_subsecs(0) + TimeDelta::seconds(1)
}

/// Tells the edge, when the caller's transaction commits. It must be the last thing that the transaction does but
/// for publishing more, since it holds a lock that every other publisher waits for. Does nothing for no entries.
pub async fn publish(
    connection: &mut PgConnection,
    revocations: &[Revocation],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    if revocations.is_empty() {
        return Ok(());
    }
    store::insert(connection, revocations, now).await
}

/// What there is to tell, at `now`, to somebody who knows the state `known`, or nothing at all. Entries matter for
/// `lifetime`.
pub async fn read(
    connection: &mut PgConnection,
    known: Option<Cursor>,
    lifetime: TimeDelta,
    now: Timestamp,
) -> Result<Told, sqlx::Error> {
    let state = store::find_state(connection).await?;
    // Nothing that happens to a database puts an edge that far ahead; a cursor that was made up must not use up the numbers.
    let known = known.filter(|known| known.epoch.saturating_sub(state.epoch) <= MOST_EPOCHS_AHEAD);
    let known = known.filter(|known| known.epoch == state.epoch || *known > state);
    let since = known.filter(|known| *known <= state).map(|known| known.seq);
    let (sessions, subjects) = if known == Some(state) {
        // The usual case by far, and all that it takes is the one row above.
        Default::default()
    } else {
        store::find_between(connection, since.unwrap_or(0), state.seq, now - lifetime).await?
    };
    Ok(Told {
        state,
        since,
        reader_is_ahead: known.is_some_and(|known| known > state),
        sessions,
        subjects,
    })
}

/// Begins a new epoch, if `known` lies ahead of the database; `None` if it does not, or does not any more. Returns
/// the new epoch. Belongs in a transaction with the audit of it.
pub async fn begin_epoch_after(
    connection: &mut PgConnection,
    known: Cursor,
) -> Result<Option<u64>, sqlx::Error> {
    store::raise_epoch(connection, known).await
}

/// How many entries one statement removes, so that no lock is held for long.
const PURGE_BATCH: u16 = 1_000;

/// Removes the entries that no longer matter at `now`, in batches. Returns how many were removed.
pub async fn purge_expired(
    connection: &mut PgConnection,
    lifetime: TimeDelta,
    now: Timestamp,
) -> Result<u64, sqlx::Error> {
    let mut removed = 0;
    loop {
        let batch = store::purge(connection, now - lifetime, i64::from(PURGE_BATCH)).await?;
        removed += batch;
        if batch < u64::from(PURGE_BATCH) {
            return Ok(removed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_the_second_of_a_change_are_stale_also_at_its_very_start() {
        let start = Timestamp::from_timestamp(1_700_000_000, 0).unwrap();
        let next = start + TimeDelta::seconds(1);
        for micros in [0, 1, 999_999] {
            assert_eq!(not_before(start + TimeDelta::microseconds(micros)), next);
        }
    }
}
