//! All SQL on `totp_factors` and `backup_codes`.

use crate::accounts::User;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{FactorId, Id as _};
use crate::kernel::secrets::Sealed;
use crate::kernel::time::Timestamp;

/// A factor as its row has it.
pub(super) struct Factor {
    pub(super) id: FactorId,
    pub(super) sealed: Sealed,
}

/// A factor that is being set up, in the place of another one, if there is one.
pub(super) async fn replace(
    connection: &mut PgConnection,
    user: &User,
    id: FactorId,
    sealed: &Sealed,
    now: Timestamp,
    pending_until: Timestamp,
) -> Result<(), sqlx::Error> {
    remove(connection, user).await?;
    sqlx::query!(
        "INSERT INTO totp_factors (id, tenant_id, user_id, sealed, master_key_id, created_at, pending_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        id.uuid(),
        user.tenant_id.uuid(),
        user.id.uuid(),
        sealed.bytes,
        sealed.key_id,
        now,
        pending_until,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The factor of an account that is being set up, unless its time is over.
pub(super) async fn find_pending(
    connection: &mut PgConnection,
    user: &User,
    now: Timestamp,
) -> Result<Option<Factor>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT id AS "id: FactorId", sealed, master_key_id FROM totp_factors
           WHERE tenant_id = $1 AND user_id = $2 AND pending_until > $3"#,
        user.tenant_id.uuid(),
        user.id.uuid(),
        now,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Factor {
        id: row.id,
        sealed: Sealed {
            key_id: row.master_key_id,
            bytes: row.sealed,
        },
    }))
}

/// The factor that an account is asked for.
pub(super) async fn find_enabled(
    connection: &mut PgConnection,
    user: &User,
) -> Result<Option<Factor>, sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT id AS "id: FactorId", sealed, master_key_id FROM totp_factors
           WHERE tenant_id = $1 AND user_id = $2 AND enabled_at IS NOT NULL"#,
        user.tenant_id.uuid(),
        user.id.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Factor {
        id: row.id,
        sealed: Sealed {
            key_id: row.master_key_id,
            bytes: row.sealed,
        },
    }))
}

/// Ends a set-up by its success.
pub(super) async fn enable(
    connection: &mut PgConnection,
    id: FactorId,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE totp_factors SET enabled_at = $2, pending_until = NULL WHERE id = $1",
        id.uuid(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a time step. Of all who try, one is told true, and nobody for an earlier one after that.
pub(super) async fn take_step(
    connection: &mut PgConnection,
    id: FactorId,
    step: i64,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE totp_factors SET last_step = $2 WHERE id = $1 AND (last_step IS NULL OR last_step < $2)",
        id.uuid(),
        step,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes the factor of an account, whatever its state, and its backup codes. Whether it was enabled.
pub(super) async fn remove(connection: &mut PgConnection, user: &User) -> Result<bool, sqlx::Error> {
    let removed = sqlx::query_scalar!(
        r#"DELETE FROM totp_factors WHERE tenant_id = $1 AND user_id = $2
           RETURNING enabled_at IS NOT NULL AS "was_enabled!""#,
        user.tenant_id.uuid(),
        user.id.uuid(),
    )
    .fetch_optional(connection)
    .await?;
    Ok(removed.unwrap_or(false))
}

pub(super) async fn add_codes(
    connection: &mut PgConnection,
    user: &User,
    factor: FactorId,
    digests: &[Vec<u8>],
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO backup_codes (factor_id, tenant_id, user_id, digest, created_at)
         SELECT $1, $2, $3, digest, $5 FROM unnest($4::bytea[]) AS digest",
        factor.uuid(),
        user.tenant_id.uuid(),
        user.id.uuid(),
        digests,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes a code. Of all who try, one is told true.
pub(super) async fn take_code(
    connection: &mut PgConnection,
    factor: FactorId,
    digest: &[u8],
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "DELETE FROM backup_codes WHERE factor_id = $1 AND digest = $2",
        factor.uuid(),
        digest,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn count_codes(connection: &mut PgConnection, factor: FactorId) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM backup_codes WHERE factor_id = $1"#,
        factor.uuid(),
    )
    .fetch_one(connection)
    .await?;
    Ok(count.unsigned_abs())
}

pub(super) async fn remove_codes(connection: &mut PgConnection, factor: FactorId) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM backup_codes WHERE factor_id = $1", factor.uuid())
        .execute(connection)
        .await?;
    Ok(())
}

/// Up to `limit` factors after `after` that are sealed under another master key, in order, locked.
pub(super) async fn find_sealed_elsewhere(
    connection: &mut PgConnection,
    master_key_id: &str,
    after: FactorId,
    limit: i64,
) -> Result<Vec<Factor>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: FactorId", sealed, master_key_id FROM totp_factors
           WHERE master_key_id <> $1 AND id > $2 ORDER BY id LIMIT $3"#,
        master_key_id,
        after.uuid(),
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Factor {
            id: row.id,
            sealed: Sealed {
                key_id: row.master_key_id,
                bytes: row.sealed,
            },
        })
        .collect())
}

/// Stores the same secrets under another master key, unless they were replaced meanwhile.
pub(super) async fn reseal(
    connection: &mut PgConnection,
    id: FactorId,
    old: &Sealed,
    new: &Sealed,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE totp_factors SET sealed = $3, master_key_id = $4 WHERE id = $1 AND sealed = $2",
        id.uuid(),
        old.bytes,
        new.bytes,
        new.key_id,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

pub(super) async fn count_sealed_elsewhere(
    connection: &mut PgConnection,
    master_key_id: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM totp_factors WHERE master_key_id <> $1"#,
        master_key_id,
    )
    .fetch_one(connection)
    .await
}

/// Removes the set-ups that were not confirmed in time. How many.
pub async fn purge_pending(connection: &mut PgConnection, now: Timestamp) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("DELETE FROM totp_factors WHERE pending_until <= $1", now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
