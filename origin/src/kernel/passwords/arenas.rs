//! The memory that hashes are computed in.
//!
//! A busy server uses the same memory again and again: to have the kernel hand out 64 MiB page by page costs a
//! third of a hash. An idle server gives it back after a moment.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Version};
use tokio::time::Instant;
use zeroize::Zeroize;

use super::HasherError;
use super::phc::{Phc, Tag};

/// How long unused memory is kept.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// Memory that no hash is using now. There is never more of it than there are permits.
#[derive(Default)]
pub(super) struct Arenas(Mutex<Vec<Arena>>);

struct Arena {
    blocks: Vec<Block>,
    unused_since: Instant,
}

impl Arenas {
    /// Computes the tag of the password under the parameters and the salt of `phc`.
    pub(super) fn compute(&self, phc: &Phc, password: &str) -> Result<Tag, HasherError> {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, phc.params.clone());
        let mut blocks = self.take();
        blocks.resize(phc.params.block_count(), Block::new());
        let mut tag = Tag::default();
        let outcome = argon2.hash_password_into_with_memory(
            password.as_bytes(),
            &phc.salt,
            tag.expose_mut(),
            blocks.as_mut_slice(),
        );
        // What is left in the memory would let an attacker test passwords without the cost of filling it.
        blocks.iter_mut().for_each(Zeroize::zeroize);
        self.lock().push(Arena {
            blocks,
            unused_since: Instant::now(),
        });
        outcome.map_err(|_| HasherError::Failed)?;
        Ok(tag)
    }

    /// Gives back what nothing has used for a while.
    pub(super) fn release_idle(&self) {
        self.lock().retain(|arena| arena.unused_since.elapsed() < LINGER);
    }

    /// Bytes that are kept.
    #[cfg(test)]
    pub(super) fn kept_bytes(&self) -> usize {
        self.lock()
            .iter()
            .map(|arena| arena.blocks.capacity() * Block::SIZE)
            .sum()
    }

    fn take(&self) -> Vec<Block> {
        self.lock().pop().map(|arena| arena.blocks).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arena>> {
        // The list is whole at every moment, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Arenas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arenas")
            .field("unused", &self.lock().len())
            .finish()
    }
}
