//! All SQL on `signing_keys`.

use portcullis_shared::jwk::RsaVerifyingKey;

use crate::kernel::db::PgConnection;
use crate::kernel::secrets::Sealed;
use crate::kernel::time::Timestamp;

use super::model::{KeyState, KeySummary};

/// A key that verifiers are told of.
pub(super) struct PublishedKey {
    pub(super) kid: String,
    pub(super) state: KeyState,
    pub(super) modulus: Vec<u8>,
    pub(super) exponent: Vec<u8>,
    /// Sealed. Of the active key only; nobody needs the others.
    pub(super) private_sealed: Option<Vec<u8>>,
    pub(super) master_key_id: Option<String>,
}

/// A key that is about to be kept.
pub(super) struct NewKey<'k> {
    kid: &'k str,
    modulus: &'k [u8],
    exponent: &'k [u8],
    private_sealed: &'k [u8],
    master_key_id: &'k str,
}

impl<'k> NewKey<'k> {
    pub(super) fn new(public: &'k RsaVerifyingKey, private: &'k Sealed) -> Self {
        Self {
            kid: public.kid(),
            modulus: public.modulus(),
            exponent: public.exponent(),
            private_sealed: &private.bytes,
            master_key_id: &private.key_id,
        }
    }
}

/// The keys of the key set at `now`: the active one first, then in the order of their names.
pub(super) async fn find_published(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<Vec<PublishedKey>, sqlx::Error> {
    sqlx::query_as!(
        PublishedKey,
        r#"SELECT kid, state AS "state: KeyState", modulus, exponent,
                  CASE WHEN state = 'active' THEN private_sealed END AS private_sealed,
                  master_key_id
           FROM signing_keys
           WHERE state IN ('next', 'active', 'retired') AND (publish_until IS NULL OR publish_until > $1)
           ORDER BY state <> 'active', kid"#,
        now,
    )
    .fetch_all(connection)
    .await
}

/// All keys there ever were, in the order in which they came.
pub(super) async fn list(connection: &mut PgConnection) -> Result<Vec<KeySummary>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT kid, state AS "state: KeyState", octet_length(modulus) AS "bytes!",
                  created_at, activated_at, retired_at, publish_until
           FROM signing_keys ORDER BY created_at, kid"#,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| KeySummary {
            kid: row.kid,
            state: row.state,
            bits: usize::try_from(row.bytes).unwrap_or_default() * 8,
            created_at: row.created_at,
            activated_at: row.activated_at,
            retired_at: row.retired_at,
            publish_until: row.publish_until,
        })
        .collect())
}

/// Keeps `key` in the state `active` or `retired`; a retired one is published until it is removed by hand. False
/// if it was to be active and there is an active one. Fails on `signing_keys_pkey` if the name is taken.
pub(super) async fn insert(
    connection: &mut PgConnection,
    key: &NewKey<'_>,
    state: KeyState,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "INSERT INTO signing_keys (kid, state, modulus, exponent, private_sealed, master_key_id, created_at,
                                   activated_at, retired_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, CASE WHEN $2 = 'active' THEN $7::timestamptz END,
                 CASE WHEN $2 = 'retired' THEN $7::timestamptz END)
         ON CONFLICT (state) WHERE state = 'active' DO NOTHING",
        key.kid,
        state.as_str(),
        key.modulus,
        key.exponent,
        key.private_sealed,
        key.master_key_id,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Retires the active key, if there is one, and names it. It stays published until `publish_until`.
pub(super) async fn retire_active(
    connection: &mut PgConnection,
    now: Timestamp,
    publish_until: Timestamp,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "UPDATE signing_keys SET state = 'retired', retired_at = $1, publish_until = $2
         WHERE state = 'active' RETURNING kid",
        now,
        publish_until,
    )
    .fetch_optional(connection)
    .await
}
