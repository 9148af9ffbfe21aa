//! All SQL on `revocation_state` and `revocations`.

use std::collections::BTreeMap;

use portcullis_shared::revocation::Cursor;
use uuid::Uuid;

use crate::kernel::db::PgConnection;
use crate::kernel::ids::Id as _;
use crate::kernel::time::Timestamp;

use super::model::Revocation;

/// Takes a number for each entry, under the lock on the one row of `revocation_state`, and writes the entries.
pub(super) async fn insert(
    connection: &mut PgConnection,
    revocations: &[Revocation],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let count = revocations.len();
    let (mut tenants, mut sessions) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let (mut users, mut moments) = (Vec::with_capacity(count), Vec::with_capacity(count));
    for revocation in revocations {
        let (tenant, session, user, moment) = match *revocation {
            Revocation::Session { tenant, session } => (tenant, Some(session.uuid()), None, None),
            Revocation::Subject {
                tenant,
                user,
                not_before,
            } => (tenant, None, Some(user.uuid()), Some(not_before)),
        };
        tenants.push(tenant.uuid());
        sessions.push(session);
        users.push(user);
        moments.push(moment);
    }
    sqlx::query!(
        "WITH taken AS (
             UPDATE revocation_state SET seq = seq + cardinality($1::uuid[])
             RETURNING seq - cardinality($1::uuid[]) AS last
         )
         INSERT INTO revocations (seq, tenant_id, session_id, user_id, not_before, published_at)
         SELECT taken.last + entry.number, entry.tenant_id, entry.session_id, entry.user_id, entry.not_before, $5
         FROM taken, unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[])
              WITH ORDINALITY AS entry (tenant_id, session_id, user_id, not_before, number)",
        &tenants,
        &sessions as &[Option<Uuid>],
        &users as &[Option<Uuid>],
        &moments as &[Option<Timestamp>],
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The number of the newest entry that there is.
pub(super) async fn find_state(connection: &mut PgConnection) -> Result<Cursor, sqlx::Error> {
    let row = sqlx::query!("SELECT epoch, seq FROM revocation_state")
        .fetch_one(connection)
        .await?;
    Ok(Cursor {
        // The constraints of the table keep both from being negative.
        epoch: row.epoch.unsigned_abs(),
        seq: row.seq.unsigned_abs(),
    })
}

/// The entries with a greater number than `since`, up to `last`, that were published after `cutoff`: sessions, and accounts with the
/// newest moment before which their tokens are stale, in Unix seconds.
pub(super) async fn find_between(
    connection: &mut PgConnection,
    since: u64,
    last: u64,
    cutoff: Timestamp,
) -> Result<(Vec<Uuid>, BTreeMap<Uuid, i64>), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT COALESCE(array_agg(session_id) FILTER (WHERE session_id IS NOT NULL), '{}') AS "sessions!: Vec<Uuid>",
                  COALESCE(array_agg(user_id) FILTER (WHERE user_id IS NOT NULL), '{}') AS "users!: Vec<Uuid>",
                  COALESCE(array_agg(not_before) FILTER (WHERE user_id IS NOT NULL), '{}') AS "moments!: Vec<Timestamp>"
           FROM revocations
           WHERE seq > $1 AND seq <= $2 AND published_at > $3"#,
        stored(since),
        stored(last),
        cutoff,
    )
    .fetch_one(connection)
    .await?;
    let mut subjects = BTreeMap::new();
    for (user, moment) in row.users.into_iter().zip(row.moments) {
        let newest = subjects.entry(user).or_insert(i64::MIN);
        *newest = moment.timestamp().max(*newest);
    }
    Ok((row.sessions, subjects))
}

/// Begins the epoch after all that were heard of, provided that `known` lies ahead of the state.
pub(super) async fn raise_epoch(
    connection: &mut PgConnection,
    known: Cursor,
) -> Result<Option<u64>, sqlx::Error> {
    let epoch = sqlx::query_scalar!(
        "UPDATE revocation_state SET epoch = $1::bigint + 1
         WHERE epoch < $1 OR (epoch = $1 AND seq < $2)
         RETURNING epoch",
        stored(known.epoch),
        stored(known.seq),
    )
    .fetch_optional(connection)
    .await?;
    Ok(epoch.map(i64::unsigned_abs))
}

/// Removes up to `limit` entries that were published at `cutoff` or before. Returns how many there were.
pub(super) async fn purge(
    connection: &mut PgConnection,
    cutoff: Timestamp,
    limit: i64,
) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM revocations WHERE seq IN (
             SELECT seq FROM revocations WHERE published_at <= $1
             ORDER BY published_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        cutoff,
        limit,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// A number as the columns have it. Cursors are read with 63 bits at most.
fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
