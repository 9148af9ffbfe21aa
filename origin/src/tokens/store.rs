//! All SQL on `signing_keys` and `key_set`.

use portcullis_shared::jwk::RsaVerifyingKey;

use crate::kernel::db::PgConnection;
use crate::kernel::secrets::Sealed;
use crate::kernel::time::Timestamp;

use super::model::{KeyState, KeySummary};
use super::schedule::{self, ActiveKey, NextKey, Standing};

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

/// The key set as it is at a moment.
pub(super) struct PublishedKeys {
    /// Which set it is: greater is newer.
    pub(super) version: u64,
    /// The active one first, then in the order of their names.
    pub(super) keys: Vec<PublishedKey>,
}

/// The keys of the key set at `now`, and its version as of the same moment: one statement sees one snapshot.
pub(super) async fn find_published(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<PublishedKeys, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT s.version, k.kid AS "kid?", k.state AS "state?: KeyState", k.modulus AS "modulus?",
                  k.exponent AS "exponent?",
                  CASE WHEN k.state = 'active' THEN k.private_sealed END AS private_sealed, k.master_key_id
           FROM key_set s
           LEFT JOIN signing_keys k ON k.state IN ('next', 'active', 'retired')
                AND (k.publish_until IS NULL OR k.publish_until > $1)
           ORDER BY k.state <> 'active', k.kid"#,
        now,
    )
    .fetch_all(connection)
    .await?;
    let version = rows.first().map_or(0, |row| row.version.unsigned_abs());
    let keys = rows
        .into_iter()
        // A set without keys is one row without a key.
        .filter_map(|row| {
            Some(PublishedKey {
                kid: row.kid?,
                state: row.state?,
                modulus: row.modulus?,
                exponent: row.exponent?,
                private_sealed: row.private_sealed,
                master_key_id: row.master_key_id,
            })
        })
        .collect();
    Ok(PublishedKeys { version, keys })
}

/// How many keys the key set has at `now`.
pub(super) async fn count_published(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM signing_keys
           WHERE state IN ('next', 'active', 'retired') AND (publish_until IS NULL OR publish_until > $1)"#,
        now,
    )
    .fetch_one(connection)
    .await
}

/// Whoever changes what is in the key set, or which key signs, does this first: they take turns until they commit.
pub(super) async fn lock_set(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("SELECT version FROM key_set FOR UPDATE")
        .fetch_one(connection)
        .await?;
    Ok(())
}

/// Counts the key set's version up, because a key has entered it.
pub(super) async fn advance_version(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE key_set SET version = version + 1")
        .execute(connection)
        .await?;
    Ok(())
}

/// Counts the version up and makes it the oldest that may be used, because a key was taken out before its time.
pub(super) async fn forbid_older_versions(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE key_set SET version = version + 1, minimum_version = version + 1")
        .execute(connection)
        .await?;
    Ok(())
}

/// The oldest version of the key set that may be used.
pub(super) async fn find_minimum_version(connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
    let version = sqlx::query_scalar!("SELECT minimum_version FROM key_set")
        .fetch_one(connection)
        .await?;
    // The constraint key_set_minimum_version_check keeps it from being negative.
    Ok(version.unsigned_abs())
}

/// The next and the active key.
pub(super) async fn find_standing(connection: &mut PgConnection) -> Result<Standing, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT kid, state AS "state: KeyState", created_at, activated_at
           FROM signing_keys WHERE state IN ('next', 'active')"#,
    )
    .fetch_all(connection)
    .await?;
    let mut standing = Standing::default();
    for row in rows {
        if row.state == KeyState::Next {
            standing.next = Some(NextKey {
                kid: row.kid,
                published_at: row.created_at,
            });
        } else {
            standing.active = Some(ActiveKey {
                kid: row.kid,
                activated_at: row.activated_at.unwrap_or(row.created_at),
            });
        }
    }
    Ok(standing)
}

/// The state of the key of this name.
pub(super) async fn find_state(
    connection: &mut PgConnection,
    kid: &str,
) -> Result<Option<KeyState>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT state AS "state: KeyState" FROM signing_keys WHERE kid = $1"#,
        kid,
    )
    .fetch_optional(connection)
    .await
}

/// All keys there ever were, in the order in which they came.
pub(super) async fn list(connection: &mut PgConnection) -> Result<Vec<KeySummary>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT kid, state AS "state: KeyState", octet_length(modulus) AS "bytes!",
                  created_at, activated_at, retired_at, publish_until, removed_at, master_key_id
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
            activates_at: (row.state == KeyState::Next).then(|| schedule::activates_at(row.created_at)),
            activated_at: row.activated_at,
            retired_at: row.retired_at,
            publish_until: row.publish_until,
            removed_at: row.removed_at,
            master_key_id: row.master_key_id,
        })
        .collect())
}

/// Keeps `key` in the state `next`, `active` or `retired`; a retired one is published until it is removed by hand.
/// False if it was to be active and there is an active one. Fails on `signing_keys_pkey` if the name is taken.
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

/// Lets the next key of this name sign. False if there is none, or if there is an active one.
pub(super) async fn activate_next(
    connection: &mut PgConnection,
    kid: &str,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE signing_keys SET state = 'active', activated_at = $2
         WHERE kid = $1 AND state = 'next' AND NOT EXISTS (SELECT FROM signing_keys WHERE state = 'active')",
        kid,
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Takes the key of this name out of the key set, if it is in the state `from`, and forgets its private part.
pub(super) async fn remove(
    connection: &mut PgConnection,
    kid: &str,
    from: KeyState,
    now: Timestamp,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE signing_keys
         SET state = 'removed', removed_at = $3, private_sealed = NULL, master_key_id = NULL
         WHERE kid = $1 AND state = $2",
        kid,
        from.as_str(),
        now,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Removes the retired keys that have left the key set by `now`, and names them.
pub(super) async fn remove_expired(
    connection: &mut PgConnection,
    now: Timestamp,
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "UPDATE signing_keys
         SET state = 'removed', removed_at = $1, private_sealed = NULL, master_key_id = NULL
         WHERE state = 'retired' AND publish_until <= $1 RETURNING kid",
        now,
    )
    .fetch_all(connection)
    .await
}

/// A private part that is sealed under another master key than the current one.
pub(super) struct SealedPrivateKey {
    pub(super) kid: String,
    pub(super) sealed: Sealed,
}

/// Up to `limit` of them whose names come after `after`, in the order of their names.
pub(super) async fn find_sealed_elsewhere(
    connection: &mut PgConnection,
    current: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<SealedPrivateKey>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT kid, private_sealed AS "private_sealed!", master_key_id AS "master_key_id!"
           FROM signing_keys WHERE master_key_id <> $1 AND kid > $2 ORDER BY kid LIMIT $3"#,
        current,
        after,
        limit,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| SealedPrivateKey {
            kid: row.kid,
            sealed: Sealed {
                key_id: row.master_key_id,
                bytes: row.private_sealed,
            },
        })
        .collect())
}

/// How many private parts are sealed under another master key than the current one.
pub(super) async fn count_sealed_elsewhere(
    connection: &mut PgConnection,
    current: &str,
) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM signing_keys WHERE master_key_id <> $1"#,
        current,
    )
    .fetch_one(connection)
    .await
}

/// Puts `new` in the place of `old`, unless somebody else has changed the row.
pub(super) async fn reseal(
    connection: &mut PgConnection,
    kid: &str,
    old: &Sealed,
    new: &Sealed,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE signing_keys SET private_sealed = $4, master_key_id = $5
         WHERE kid = $1 AND master_key_id = $2 AND private_sealed = $3",
        kid,
        old.key_id,
        &old.bytes,
        &new.bytes,
        new.key_id,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}
