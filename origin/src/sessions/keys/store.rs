//! All SQL on `secret_keys`.

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{Id as _, SecretKeyId};
use crate::kernel::secrets::Sealed;
use crate::kernel::time::Timestamp;

/// A sealed key, as `secret_keys` holds it.
pub(super) struct SealedKey {
    pub(super) id: SecretKeyId,
    pub(super) sealed: Vec<u8>,
    pub(super) master_key_id: String,
}

/// The key that new chains are derived under.
pub(super) async fn find_active_key(connection: &mut PgConnection) -> Result<Option<SealedKey>, sqlx::Error> {
    sqlx::query_as!(
        SealedKey,
        r#"SELECT id AS "id: SecretKeyId", sealed, master_key_id
           FROM secret_keys WHERE purpose = 'refresh_token' AND state = 'active'"#,
    )
    .fetch_optional(connection)
    .await
}

/// A key that some chain is derived under, active or retired.
pub(super) async fn find_key(
    connection: &mut PgConnection,
    id: SecretKeyId,
) -> Result<Option<SealedKey>, sqlx::Error> {
    sqlx::query_as!(
        SealedKey,
        r#"SELECT id AS "id: SecretKeyId", sealed, master_key_id
           FROM secret_keys WHERE id = $1 AND purpose = 'refresh_token'"#,
        id.uuid(),
    )
    .fetch_optional(connection)
    .await
}

/// Makes `key` the active one, unless another replica has just done so with its own.
pub(super) async fn insert_active_key(
    connection: &mut PgConnection,
    key: &SealedKey,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO secret_keys (id, purpose, state, sealed, master_key_id, created_at)
         VALUES ($1, 'refresh_token', 'active', $2, $3, $4)
         ON CONFLICT (purpose) WHERE state = 'active' DO NOTHING",
        key.id.uuid(),
        &key.sealed,
        key.master_key_id,
        now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Up to `limit` keys under another master key than the current one whose ids come after `after`, in their order.
pub(super) async fn find_keys_sealed_elsewhere(
    connection: &mut PgConnection,
    current: &str,
    after: SecretKeyId,
    limit: i64,
) -> Result<Vec<SealedKey>, sqlx::Error> {
    sqlx::query_as!(
        SealedKey,
        r#"SELECT id AS "id: SecretKeyId", sealed, master_key_id
           FROM secret_keys WHERE master_key_id <> $1 AND id > $2 ORDER BY id LIMIT $3"#,
        current,
        after.uuid(),
        limit,
    )
    .fetch_all(connection)
    .await
}

/// How many keys are under another master key than the current one.
pub(super) async fn count_keys_sealed_elsewhere(
    connection: &mut PgConnection,
    current: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM secret_keys WHERE master_key_id <> $1"#,
        current,
    )
    .fetch_one(connection)
    .await
}

/// Puts `new` in the place of `old`, unless somebody else has done so.
pub(super) async fn reseal_key(
    connection: &mut PgConnection,
    id: SecretKeyId,
    old: &Sealed,
    new: &Sealed,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE secret_keys SET sealed = $4, master_key_id = $5
         WHERE id = $1 AND master_key_id = $2 AND sealed = $3",
        id.uuid(),
        old.key_id,
        &old.bytes,
        &new.bytes,
        new.key_id,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
