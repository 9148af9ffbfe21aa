//! All SQL on `login_failures`.

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{Id as _, TenantId};
use crate::kernel::time::{TimeDelta, Timestamp};

use super::group::{Group, GroupKey};
use super::model::{Found, Kind};
use super::tally::Tally;

/// The rows of these groups, as far as there are any.
pub(super) async fn find(connection: &mut PgConnection, keys: &[&[u8]]) -> Result<Vec<Found>, sqlx::Error> {
    sqlx::query_as!(
        Found,
        r#"SELECT key, kind AS "kind: Kind", locked_until FROM login_failures WHERE key = ANY ($1)"#,
        keys as &[&[u8]],
    )
    .fetch_all(connection)
    .await
}

/// What is remembered of a group, its row locked until the transaction ends. Where there is none it is made, so that there is always
/// something to take turns at.
pub(super) async fn lock(
    connection: &mut PgConnection,
    group: &Group,
    tenant: TenantId,
    now: Timestamp,
) -> Result<Tally, sqlx::Error> {
    sqlx::query_as!(
        Tally,
        "INSERT INTO login_failures AS known (key, kind, tenant_id, account, failed_at, forget_at)
         VALUES ($1, $2, $3, $4, '{}', $5)
         ON CONFLICT ON CONSTRAINT login_failures_pkey DO UPDATE SET kind = known.kind
         RETURNING failed_at, locked_until",
        group.key.as_slice(),
        group.kind as Kind,
        group.account.map(|_| tenant.uuid()),
        group.account.as_ref().map(GroupKey::as_slice),
        now,
    )
    .fetch_one(connection)
    .await
}

/// Stores what is remembered of a group that the caller has locked.
pub(super) async fn save(
    connection: &mut PgConnection,
    key: &GroupKey,
    tally: &Tally,
    window: TimeDelta,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE login_failures SET failed_at = $2, locked_until = $3, forget_at = $4 WHERE key = $1",
        key.as_slice(),
        &tally.failed_at,
        tally.locked_until,
        tally.forget_at(window, now),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets the failures of a group, unless it is locked at `now`.
pub(super) async fn forget(
    connection: &mut PgConnection,
    key: &[u8],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM login_failures WHERE key = $1 AND (locked_until IS NULL OR locked_until <= $2)",
        key,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets the failures and ends the locks of the groups of an account that are of these kinds. How many locks were on at `now`.
pub(super) async fn forget_account(
    connection: &mut PgConnection,
    account: &GroupKey,
    kinds: &[Kind],
    now: Timestamp,
) -> Result<usize, sqlx::Error> {
    let gone = sqlx::query_scalar!(
        "DELETE FROM login_failures WHERE account = $1 AND kind = ANY ($2) RETURNING locked_until",
        account.as_slice(),
        kinds as &[Kind],
    )
    .fetch_all(connection)
    .await?;
    Ok(gone.into_iter().flatten().filter(|until| *until > now).count())
}

/// Removes the rows that say nothing any more, but for those that somebody is just counting in. How many.
pub async fn purge(connection: &mut PgConnection, now: Timestamp) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM login_failures WHERE key IN (
             SELECT key FROM login_failures WHERE forget_at <= $1 FOR UPDATE SKIP LOCKED)",
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
