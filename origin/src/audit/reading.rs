//! The log from one end to the other, page by page.

use uuid::Uuid;

use crate::kernel::db::PgConnection;
use crate::kernel::ids::TenantId;
use crate::kernel::time::Timestamp;

use super::chain::{Chain, Fault, Walk};
use super::entry::Entry;
use super::store;

/// How many entries are in memory at once.
const PAGE: i64 = 500;

/// The chain of this tenant, or all chains, as they are now.
pub async fn chains(
    connection: &mut PgConnection,
    tenant: Option<TenantId>,
) -> Result<Vec<Chain>, sqlx::Error> {
    store::find_chains(connection, tenant).await
}

/// An event, of this tenant or of any, that is in no chain: it was written past the triggers. Reads the whole log.
pub async fn find_unchained(
    connection: &mut PgConnection,
    tenant: Option<TenantId>,
) -> Result<Option<Uuid>, sqlx::Error> {
    store::find_unchained(connection, tenant).await
}

/// Where and why a chain does not hold.
#[derive(Clone, Debug)]
pub struct Break {
    /// The first position that does not hold.
    pub position: i64,
    /// The event that should be, or is, there; `None` where that is not known.
    pub event: Option<Uuid>,
    /// What is wrong.
    pub fault: Fault,
}

/// Walks along a chain up to its head and says how far it holds. `progress` is told how many positions were passed.
pub async fn verify(
    connection: &mut PgConnection,
    chain: &Chain,
    mut progress: impl FnMut(u64),
) -> Result<(Walk, Option<Break>), sqlx::Error> {
    let mut walk = Walk::along(chain);
    let mut after = chain.removed_position;
    loop {
        let page = store::find_page(connection, chain.id, after, chain.position, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        // Read after the page: retention says what it removes in the transaction that removes it.
        let removed_before = store::find_removed_before(connection, chain.id).await?;
        for entry in &page {
            if let Err(fault) = walk.pass(entry, is_before(entry, removed_before)) {
                let due = walk.due().unwrap_or(entry.position);
                let broken = Break {
                    position: if fault == Fault::Gap { due } else { entry.position },
                    event: (fault != Fault::Gap).then_some(entry.id),
                    fault,
                };
                return Ok((walk, Some(broken)));
            }
        }
        progress(walk.passed);
    }
    let broken = end_of(connection, chain, &walk).await?;
    Ok((walk, broken))
}

/// What is wrong with the end of the chain.
async fn end_of(
    connection: &mut PgConnection,
    chain: &Chain,
    walk: &Walk,
) -> Result<Option<Break>, sqlx::Error> {
    let at = |position, fault| Break {
        position,
        event: None,
        fault,
    };
    let (position, hash) = walk.head().unwrap_or((0, ""));
    if position < chain.position {
        return Ok(Some(at(position + 1, Fault::TailMissing)));
    }
    if hash != chain.hash {
        return Ok(Some(at(position, Fault::Hash)));
    }
    let beyond = store::find_beyond_head(connection, chain.id).await?;
    Ok(beyond.map(|position| at(position, Fault::BeyondHead)))
}

fn is_before(entry: &Entry, moment: Option<Timestamp>) -> bool {
    let at = entry.at.parse::<Timestamp>().ok();
    at.zip(moment).is_some_and(|(at, moment)| at < moment)
}

/// Hands over each entry of a chain that was linked from `since` until before `until`, in order and without gaps. A
/// link is as old as the newest event before it, so that the bounds are meant as those of the events, to the length of a
/// transaction. Ends with the first refusal of `take`.
pub async fn export<E: From<sqlx::Error>>(
    connection: &mut PgConnection,
    chain: &Chain,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    mut take: impl FnMut(&Entry) -> Result<(), E>,
) -> Result<(), E> {
    let Some((first, last)) = store::find_range(connection, chain.id, since, until).await? else {
        return Ok(());
    };
    let mut after = first - 1;
    loop {
        let page = store::find_page(connection, chain.id, after, last, PAGE).await?;
        for entry in &page {
            take(entry)?;
        }
        match page.last() {
            Some(entry) => after = entry.position,
            None => return Ok(()),
        }
    }
}
