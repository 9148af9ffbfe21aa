//! Password hashing: argon2id (RFC 9106), in a bounded queue. Hashes of bcrypt, which imported accounts come with, are
//! verified as well.
//!
//! Invariants:
//! - At most `permits` hashes run at once, each in `memory_kib` of memory (a hash that was stored under another
//!   setting in what that setting said); at most `queue` more may wait. Whoever comes after that is refused at
//!   once, so that a flood costs neither memory nor time.
//! - The memory of a hash is wiped before it is used again or given back.
//! - A password is in Unicode normal form C before it is hashed, whoever made it.
//! - Checking a password against no hash costs what checking it against one of argon2id costs.
//!
//! The lanes of one hash run one after another, on the thread that holds the permit: with a permit for each core
//! that does more hashes in a second than sharing each among all cores. The decision record on the arrangement
//! of argon2 has the numbers.

mod arenas;
mod bcrypt;
mod phc;

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

use arenas::Arenas;
use bcrypt::Bcrypt;
use phc::Phc;

/// Cost of a hash, and how many there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HasherConfig {
    /// Memory of one hash in KiB. Default 65,536 (64 MiB).
    pub memory_kib: u32,
    /// Passes over the memory. Default 3.
    pub iterations: u32,
    /// Lanes. Default 4.
    pub parallelism: u32,
    /// Hashes that may run at once. Default one for each core.
    pub permits: u32,
    /// Hashes that may wait for their turn. Default 64.
    pub queue: u32,
}

/// A password in Unicode normal form C. Shown to nobody, wiped when dropped.
#[derive(Clone)]
pub struct Password(SecretString);

impl Password {
    /// Normalises (NFC), so that the same password typed on another keyboard is the same bytes.
    #[must_use]
    pub fn new(text: &SecretString) -> Self {
        Self(SecretString::from(text.expose_secret().nfc().collect::<String>()))
    }

    /// The normalised text, for rules about its length and strength.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// A password hash as it is stored: a PHC string such as `$argon2id$v=19$m=65536,t=3,p=4$…`, or one of bcrypt, `$2b$10$…`.
#[derive(Clone)]
pub struct PasswordHash(SecretString);

impl PasswordHash {
    /// A hash read from the database.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(SecretString::from(text))
    }

    /// A hash that was made elsewhere, provided that a password can be checked against it.
    pub fn from_elsewhere(text: String) -> Result<Self, HasherError> {
        let hash = Self::from_stored(text);
        Stored::parse(&hash)?;
        Ok(hash)
    }

    /// The text, to be stored.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(redacted)")
    }
}

/// A stored hash, taken apart.
enum Stored {
    Argon2id(Phc),
    Bcrypt(Bcrypt),
}

impl Stored {
    fn parse(hash: &PasswordHash) -> Result<Self, HasherError> {
        if Bcrypt::claims(hash) {
            Bcrypt::parse(hash).map(Self::Bcrypt)
        } else {
            Phc::parse(hash).map(Self::Argon2id)
        }
    }

    fn matches(&self, password: &Password, arenas: &Arenas) -> Result<bool, HasherError> {
        match self {
            Self::Argon2id(phc) => Ok(arenas.compute(phc, password.expose())?.matches(&phc.tag)),
            Self::Bcrypt(bcrypt) => bcrypt.matches(password.expose()),
        }
    }
}

/// Why no hash or verdict was given.
#[derive(Debug, thiserror::Error)]
pub enum HasherError {
    /// The queue is full. The caller answers 503 and asks to come again.
    #[error("too many passwords are being hashed")]
    Overloaded,
    /// The stored hash is not one this hasher reads.
    #[error("the stored password hash cannot be read")]
    UnreadableHash,
    /// The hash could not be computed, for example for want of memory.
    #[error("the password could not be hashed")]
    Failed,
}

/// Hashes and verifies passwords. Cloning shares the queue.
#[derive(Clone)]
pub struct Hasher {
    inner: Arc<Inner>,
}

struct Inner {
    config: HasherConfig,
    /// Stands for the hash of an account that does not exist. Its cost is that of a fresh hash.
    nobody: PasswordHash,
    /// Running and waiting together.
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
    arenas: Arenas,
}

impl Hasher {
    /// A hasher with the given cost and bounds. Fails if argon2 does not accept the cost.
    pub fn new(config: &HasherConfig) -> Result<Self, HasherError> {
        let permits = usize::try_from(config.permits).map_err(|_| HasherError::Failed)?;
        let queue = usize::try_from(config.queue).map_err(|_| HasherError::Failed)?;
        Ok(Self {
            inner: Arc::new(Inner {
                config: *config,
                nobody: Phc::of_nobody(config)?.to_hash()?,
                places: Arc::new(Semaphore::new(permits.saturating_add(queue))),
                running: Arc::new(Semaphore::new(permits)),
                arenas: Arenas::default(),
            }),
        })
    }

    /// Hashes a new password with 16 bytes of salt, which the caller draws from its
    /// [`Entropy`](super::random::Entropy).
    pub async fn hash(&self, password: Password, salt: [u8; 16]) -> Result<PasswordHash, HasherError> {
        self.run(move |inner| {
            let mut phc = Phc::fresh(&inner.config, &salt)?;
            phc.tag = inner.arenas.compute(&phc, password.expose())?;
            phc.to_hash()
        })
        .await
    }

    /// Whether the password is that of the hash. Without a hash the answer is no, after the same work.
    pub async fn verify(&self, password: Password, hash: Option<&PasswordHash>) -> Result<bool, HasherError> {
        let known = hash.is_some();
        let stored = Stored::parse(hash.unwrap_or(&self.inner.nobody))?;
        self.run(move |inner| Ok(stored.matches(&password, &inner.arenas)? && known))
            .await
    }

    /// Whether a hash that this password matches should be replaced by a fresh one: it is one of bcrypt, or costs less
    /// memory or fewer passes than is configured now. One that costs more is left as it is. So is one of bcrypt for a
    /// password that is too long for it: whatever was typed after its 72nd byte would become the password.
    pub fn is_outdated(&self, password: &Password, hash: &PasswordHash) -> Result<bool, HasherError> {
        let config = &self.inner.config;
        Ok(match Stored::parse(hash)? {
            Stored::Argon2id(phc) => {
                phc.params.m_cost() < config.memory_kib || phc.params.t_cost() < config.iterations
            }
            Stored::Bcrypt(_) => Bcrypt::sees_all_of(password.expose()),
        })
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, HasherError> + Send + 'static,
    ) -> Result<T, HasherError> {
        let place = Arc::clone(&self.inner.places)
            .try_acquire_owned()
            .map_err(|_| HasherError::Overloaded)?;
        let permit = Arc::clone(&self.inner.running)
            .acquire_owned()
            .await
            .map_err(|_| HasherError::Failed)?;
        let inner = Arc::clone(&self.inner);
        // The permits go with the work: a client that hangs up frees its place only when the work is done.
        let outcome = tokio::task::spawn_blocking(move || {
            let outcome = work(&inner);
            drop((permit, place));
            outcome
        })
        .await
        .map_err(|_| HasherError::Failed)?;
        self.release_idle_memory_later();
        outcome
    }

    fn release_idle_memory_later(&self) {
        let inner = Arc::clone(&self.inner);
        tokio::spawn(async move {
            tokio::time::sleep(arenas::LINGER).await;
            inner.arenas.release_idle();
        });
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
