//! What an operator, or the first start, does with signing keys.

use portcullis_shared::jwk::MAX_SET_KEYS;

use crate::audit::{self, Event, EventKind};
use crate::kernel::db::{PgConnection, Pool};
use crate::kernel::random::Entropy;
use crate::kernel::secrets::{MasterKey, Sealed, SecretBytes};
use crate::kernel::time::{TimeDelta, Timestamp};

use super::error::KeysError;
use super::keyring::{STALE_AFTER, associated_data};
use super::model::{KeyState, KeySummary};
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
    let sealed = seal(&key, master)?;
    let mut transaction = pool.begin().await?;
    let published = store::find_published(&mut transaction, now).await?.len();
    if published >= MAX_SET_KEYS {
        return Err(KeysError::TooMany(published));
    }
    let (state, replaced) = if import.activate {
        // A replica may go on signing with the old key until it has looked again; then the token's life begins.
        let publish_until = now + import.access_ttl + STALE_AFTER * 2 + LEEWAY;
        let replaced = store::retire_active(&mut transaction, now, publish_until).await?;
        (KeyState::Active, replaced)
    } else {
        (KeyState::Retired, None)
    };
    let kept = store::insert(&mut transaction, &NewKey::new(key.public(), &sealed), state, now)
        .await
        .map_err(|error| match violated_constraint(&error) {
            Some("signing_keys_pkey") => KeysError::KidTaken(key.kid().to_owned()),
            _ => KeysError::Database(error),
        })?;
    if !kept {
        return Err(KeysError::ActivatedElsewhere);
    }
    let event = |kind| Event::of_operator(now, entropy, kind).detail("kid", key.kid());
    audit::record(&mut transaction, event(EventKind::KeyImported)).await?;
    if import.activate {
        audit::record(&mut transaction, event(EventKind::KeyActivated)).await?;
    }
    transaction.commit().await?;
    Ok(Imported {
        kid: key.kid().to_owned(),
        state,
        replaced,
    })
}

fn seal(key: &SigningKey, master: &MasterKey) -> Result<Sealed, KeysError> {
    Ok(master.seal(key.to_pkcs8()?.expose(), &associated_data(key.kid()))?)
}

fn violated_constraint(error: &sqlx::Error) -> Option<&str> {
    error.as_database_error()?.constraint()
}

/// How long after its expiry a token is still taken, and some for the clocks of verifiers.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// Makes a key of `bits` and activates it, unless there is an active one. However many replicas start at once,
/// one key comes of it: the unique index lets the first through, and the others drop theirs.
pub(super) async fn make_first(
    pool: &Pool,
    master: &MasterKey,
    bits: u32,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<(), KeysError> {
    let key = tokio::task::spawn_blocking(move || SigningKey::generate(bits))
        .await
        .map_err(|_interrupted| KeysError::NotMade)??;
    let sealed = seal(&key, master)?;
    let row = NewKey::new(key.public(), &sealed);
    let mut transaction = pool.begin().await?;
    if store::insert(&mut transaction, &row, KeyState::Active, now).await? {
        for kind in [EventKind::KeyGenerated, EventKind::KeyActivated] {
            let event = Event::of_operator(now, entropy, kind).detail("kid", key.kid());
            audit::record(&mut transaction, event).await?;
        }
        tracing::info!(kid = key.kid(), bits, "made the first signing key");
    }
    transaction.commit().await?;
    Ok(())
}
