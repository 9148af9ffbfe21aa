//! How keys come in: made at the first start, or brought by an operator. How they move on is in `rotation`.

use portcullis_shared::jwk::MAX_SET_KEYS;

use crate::audit::{self, Event, EventKind};
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::random::Entropy;
use crate::kernel::secrets::{MasterKey, Sealed, SecretBytes};
use crate::kernel::time::{TimeDelta, Timestamp};

use super::error::KeysError;
use super::keyring::associated_data;
use super::model::{KeyState, KeySummary};
use super::schedule;
use super::signing_key::SigningKey;
use super::store::{self, NewKey};

/// A key to bring in.
pub struct Import {
    /// The private key: PEM, in one of the forms that [`SigningKey::from_pem`] takes.
    pub pem: SecretBytes,
    /// What to call it; `None`: its thumbprint.
    pub kid: Option<String>,
    /// Whether it is to sign from now on.
    pub activate: bool,
    /// For how long access tokens live, and so the key before it stays published.
    pub access_ttl: TimeDelta,
}

/// What an import has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The name of the new key.
    pub kid: String,
    /// `active` or `retired`.
    pub state: KeyState,
    /// The key that was active before, if the import has replaced one.
    pub replaced: Option<String>,
}

/// All keys there ever were.
pub async fn list(connection: &mut PgConnection) -> Result<Vec<KeySummary>, KeysError> {
    Ok(store::list(connection).await?)
}

/// Brings a private key in. It is published at once. It verifies and never signs, and stays until it is removed
/// by hand, unless it is activated: then it signs from now on, and the key before it stays published until its
/// last token has expired.
pub async fn import(
    pool: &Pool,
    master: &MasterKey,
    import: &Import,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Imported, KeysError> {
    let key = SigningKey::from_pem(&import.pem, import.kid.as_deref())?;
    let key = SealedKey::new(key, master)?;
    let mut transaction = pool.begin().await?;
    store::lock_set(&mut transaction).await?;
    let (state, replaced) = if import.activate {
        let retired = retire_active(&mut transaction, import.access_ttl, now, entropy).await?;
        (KeyState::Active, retired.map(|(kid, _until)| kid))
    } else {
        (KeyState::Retired, None)
    };
    publish(&mut transaction, &key, state, now).await?;
    audit::record(
        &mut transaction,
        event(EventKind::KeyImported, key.kid(), now, entropy),
    )
    .await?;
    if import.activate {
        audit::record(
            &mut transaction,
            event(EventKind::KeyActivated, key.kid(), now, entropy),
        )
        .await?;
    }
    transaction.commit().await?;
    Ok(Imported {
        kid: key.kid().to_owned(),
        state,
        replaced,
    })
}

/// A key in the form in which it is kept.
pub(super) struct SealedKey {
    key: SigningKey,
    private: Sealed,
}

impl SealedKey {
    fn new(key: SigningKey, master: &MasterKey) -> Result<Self, KeysError> {
        let private = master.seal(key.to_pkcs8()?.expose(), &associated_data(key.kid()))?;
        Ok(Self { key, private })
    }

    /// Makes a key of `bits`, on a thread that serves nobody: it takes up to seconds.
    pub(super) async fn generate(bits: u32, master: &MasterKey) -> Result<Self, KeysError> {
        let key = tokio::task::spawn_blocking(move || SigningKey::generate(bits))
            .await
            .map_err(|_interrupted| KeysError::NotMade)??;
        Self::new(key, master)
    }

    pub(super) fn kid(&self) -> &str {
        self.key.kid()
    }
}

/// Puts a key into the key set. The caller has locked the set.
pub(super) async fn publish(
    connection: &mut PgConnection,
    key: &SealedKey,
    state: KeyState,
    now: Timestamp,
) -> Result<(), KeysError> {
    let published = store::count_published(connection, now).await?;
    if usize::try_from(published).is_ok_and(|published| published >= MAX_SET_KEYS) {
        return Err(KeysError::TooMany(published));
    }
    let row = NewKey::new(key.key.public(), &key.private);
    let kept =
        store::insert(connection, &row, state, now)
            .await
            .map_err(|error| match violated_constraint(&error) {
                Some("signing_keys_pkey") => KeysError::KidTaken(key.kid().to_owned()),
                _ => KeysError::Database(error),
            })?;
    if !kept {
        return Err(KeysError::ChangedElsewhere);
    }
    Ok(store::advance_version(connection).await?)
}

/// Retires the active key, if there is one: its name, and until when it stays published.
pub(super) async fn retire_active(
    connection: &mut PgConnection,
    access_ttl: TimeDelta,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Option<(String, Timestamp)>, KeysError> {
    let until = schedule::published_until(now, access_ttl);
    let Some(kid) = store::retire_active(connection, now, until).await? else {
        return Ok(None);
    };
    audit::record(connection, event(EventKind::KeyRetired, &kid, now, entropy)).await?;
    Ok(Some((kid, until)))
}

/// Something that happened to the key of this name.
pub(super) fn event(what: EventKind, kid: &str, now: Timestamp, entropy: &dyn Entropy) -> Event {
    Event::of_operator(now, entropy, what).detail("kid", kid)
}

fn violated_constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}

/// Makes a key of `bits` and activates it, unless there is an active one. However many replicas start at once,
/// one key comes of it: the unique index lets the first through, and the others drop theirs.
pub(super) async fn make_first(
    pool: &Pool,
    master: &MasterKey,
    bits: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<(), KeysError> {
    let key = SealedKey::generate(bits, master).await?;
    let mut transaction = pool.begin().await?;
    store::lock_set(&mut transaction).await?;
    match publish(&mut transaction, &key, KeyState::Active, now).await {
        Ok(()) => {}
        Err(KeysError::ChangedElsewhere) => return Ok(()),
        Err(error) => return Err(error),
    }
    for kind in [EventKind::KeyGenerated, EventKind::KeyActivated] {
        audit::record(&mut transaction, event(kind, key.kid(), now, entropy)).await?;
    }
    transaction.commit().await?;
    tracing::info!(kid = key.kid(), bits, "made the first signing key");
    Ok(())
}
