//! The signing keys in memory: parsed once, read again when the database may have changed.
//!
//! Every replica has its own copy. None may be older than [`STALE_AFTER`] when it is used, unless the database
//! cannot be read; a `kid` that a copy does not know, or a version of the key set that it has not reached, makes
//! it read the database at once. A replica whose master keys do not open the key that signs goes on verifying by the
//! newest keys and signs nothing: with the key before that one, it would make tokens that soon nobody can verify.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::http::HeaderValue;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_shared::jwk::{JwkSet, RsaVerifyingKey};
use portcullis_shared::signature::AwsLcKey;
use tokio::sync::Mutex;

use crate::kernel::causes;
use crate::kernel::db::Pool;
use crate::kernel::secrets::{MasterKey, Sealed};
use crate::kernel::time::{TimeDelta, Timestamp};

use super::error::KeysError;
use super::model::KeyState;
use super::schedule::STALE_AFTER;
use super::signing_key::SigningKey;
use super::store::{self, PublishedKey, PublishedKeys};

/// After this long, nobody uses an old copy while another request is reading the new one.
const TOO_OLD_AFTER: TimeDelta = TimeDelta::seconds(60);
/// How long to wait after an attempt that failed, or that an unknown `kid` or version caused, before the next
/// one: a flood of made-up names costs one query a second.
const RETRY_AFTER: TimeDelta = TimeDelta::seconds(1);

/// The keys as they were when the database was last read.
pub(super) struct Ring {
    loaded_at: Timestamp,
    version: u64,
    signing: Signing,
    verifying: HashMap<String, AwsLcKey>,
    published: PublishedSet,
}

/// What signs.
enum Signing {
    /// There is no active key yet.
    Nothing,
    /// The active key.
    Key(Arc<SigningKey>),
    /// The active key of this name does not open.
    Locked(String),
}

/// The key set as verifiers get it.
#[derive(Clone, Debug)]
pub struct PublishedSet {
    /// The JSON of RFC 7517 §5.
    pub json: Bytes,
    /// Changes when, and only when, the JSON does.
    pub etag: HeaderValue,
}

impl Ring {
    /// The key that signs, if there is one.
    pub(super) fn active(&self) -> Result<Option<&Arc<SigningKey>>, KeysError> {
        match &self.signing {
            Signing::Nothing => Ok(None),
            Signing::Key(key) => Ok(Some(key)),
            Signing::Locked(kid) => Err(KeysError::Locked(kid.clone())),
        }
    }

    pub(super) fn verifying(&self, kid: &str) -> Option<&AwsLcKey> {
        self.verifying.get(kid)
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn published(&self) -> &PublishedSet {
        &self.published
    }
}

/// Keeps the newest [`Ring`].
pub(super) struct KeyRing {
    pool: Pool,
    master: MasterKey,
    ring: RwLock<Option<Arc<Ring>>>,
    reading: Mutex<Attempts>,
}

#[derive(Default)]
struct Attempts {
    failed_at: Option<Timestamp>,
    sought_at: Option<Timestamp>,
}

impl KeyRing {
    pub(super) fn new(pool: Pool, master: MasterKey) -> Self {
        Self {
            pool,
            master,
            ring: RwLock::new(None),
            reading: Mutex::default(),
        }
    }

    /// The keys, at most [`STALE_AFTER`] old where the database can be read.
    pub(super) async fn current(&self, now: Timestamp) -> Result<Arc<Ring>, KeysError> {
        let Some(known) = self.known() else {
            let mut attempts = self.reading.lock().await;
            return match self.known() {
                Some(ring) => Ok(ring),
                // Whoever waited here would only wait for the database once more.
                None if is_recent(attempts.failed_at, now) => Err(KeysError::NotRead),
                None => self.read(&mut attempts, now).await,
            };
        };
        let age = now - known.loaded_at;
        if age < STALE_AFTER {
            return Ok(known);
        }
        let mut attempts = if age < TOO_OLD_AFTER {
            match self.reading.try_lock() {
                Ok(attempts) => attempts,
                Err(_somebody_is_reading) => return Ok(known),
            }
        } else {
            self.reading.lock().await
        };
        if let Some(ring) = self.known().filter(|ring| now - ring.loaded_at < STALE_AFTER) {
            return Ok(ring);
        }
        if is_recent(attempts.failed_at, now) {
            return Ok(known);
        }
        match self.read(&mut attempts, now).await {
            Ok(ring) => Ok(ring),
            Err(error) => {
                // Old keys verify what they have verified before; without them nothing would work at all.
                tracing::warn!(%error, "the signing keys could not be read again; the last ones stay in use");
                Ok(known)
            }
        }
    }

    /// The keys, read again if those in memory lack `kid`.
    pub(super) async fn seeking(&self, kid: &str, now: Timestamp) -> Result<Arc<Ring>, KeysError> {
        self.with(|ring| ring.verifying(kid).is_some(), now).await
    }

    /// The keys, read again if those in memory are of an older version of the key set.
    pub(super) async fn at_least(&self, version: u64, now: Timestamp) -> Result<Arc<Ring>, KeysError> {
        self.with(|ring| ring.version >= version, now).await
    }

    async fn with(&self, what: impl Fn(&Ring) -> bool, now: Timestamp) -> Result<Arc<Ring>, KeysError> {
        let ring = self.current(now).await?;
        if what(&ring) {
            return Ok(ring);
        }
        let mut attempts = self.reading.lock().await;
        // Somebody else may have read what is sought while this one waited.
        if let Some(ring) = self.known().filter(|ring| what(ring)) {
            return Ok(ring);
        }
        if is_recent(attempts.sought_at, now) {
            return Ok(self.known().unwrap_or(ring));
        }
        attempts.sought_at = Some(now);
        self.read(&mut attempts, now).await
    }

    /// The keys, read again because the caller knows that they have changed.
    pub(super) async fn reread(&self, now: Timestamp) -> Result<Arc<Ring>, KeysError> {
        let mut attempts = self.reading.lock().await;
        self.read(&mut attempts, now).await
    }

    fn known(&self) -> Option<Arc<Ring>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn read(&self, attempts: &mut Attempts, now: Timestamp) -> Result<Arc<Ring>, KeysError> {
        attempts.failed_at = Some(now);
        let mut connection = self.pool.acquire().await?;
        let published = store::find_published(&mut connection, now).await?;
        let ring = Arc::new(self.assemble(published, now)?);
        attempts.failed_at = None;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&ring));
        Ok(ring)
    }

    fn assemble(&self, set: PublishedKeys, now: Timestamp) -> Result<Ring, KeysError> {
        let mut signing = Signing::Nothing;
        let mut public = Vec::with_capacity(set.keys.len());
        for row in set.keys {
            public.push(RsaVerifyingKey::from_components(
                &row.kid,
                &row.modulus,
                &row.exponent,
            )?);
            if row.state == KeyState::Active {
                signing = self.signing(row);
            }
        }
        let verifying = public
            .iter()
            .map(|key| Ok((key.kid().to_owned(), AwsLcKey::new(key)?)))
            .collect::<Result<_, KeysError>>()?;
        Ok(Ring {
            loaded_at: now,
            version: set.version,
            signing,
            verifying,
            published: publish(&JwkSet::from_keys(public).with_version(set.version)),
        })
    }

    fn signing(&self, row: PublishedKey) -> Signing {
        let kid = row.kid.clone();
        match self.unseal(row) {
            Ok(key) => Signing::Key(key),
            Err(error) => {
                let cause = causes::on_one_line(&error);
                tracing::error!(
                    kid,
                    cause,
                    "the key that signs does not open: this server signs nothing"
                );
                Signing::Locked(kid)
            }
        }
    }

    fn unseal(&self, row: PublishedKey) -> Result<Arc<SigningKey>, KeysError> {
        // Unsealing and parsing cost milliseconds; a key that is in use already is taken over.
        let in_use = self
            .known()
            .and_then(|ring| ring.active().ok().flatten().cloned());
        if let Some(key) = in_use.filter(|key| key.kid() == row.kid && key.public().modulus() == row.modulus)
        {
            return Ok(key);
        }
        let sealed = Sealed {
            key_id: row.master_key_id.unwrap_or_default(),
            bytes: row.private_sealed.unwrap_or_default(),
        };
        let pkcs8 = self.master.open(&sealed, &associated_data(&row.kid))?;
        Ok(Arc::new(SigningKey::from_pkcs8(&pkcs8, &row.kid)?))
    }
}

/// Binds a sealed private key to its row, so that it does not open in another.
pub(super) fn associated_data(kid: &str) -> String {
    format!("signing_keys/{kid}")
}

fn is_recent(attempt: Option<Timestamp>, now: Timestamp) -> bool {
    attempt.is_some_and(|at| now - at < RETRY_AFTER)
}

fn publish(keys: &JwkSet) -> PublishedSet {
    let json = keys.to_json();
    let digest = Base64UrlUnpadded::encode_string(digest(&SHA256, json.as_bytes()).as_ref());
    // Base64url is always a header value.
    let etag = HeaderValue::try_from(format!("\"{digest}\"")).unwrap_or(HeaderValue::from_static("\"\""));
    PublishedSet {
        json: json.into(),
        etag,
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").finish_non_exhaustive()
    }
}
