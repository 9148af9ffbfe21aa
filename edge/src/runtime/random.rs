//! Random bytes from the platform, drawn many at a time because each draw crosses into JavaScript.

use super::host;
use crate::request_id::RANDOM_BYTES;

const POOL_BYTES: usize = 4096;

/// Random bytes that nobody has seen yet.
#[derive(Default)]
pub(super) struct RandomPool(Vec<u8>);

impl RandomPool {
    /// Takes bytes that are never handed out again; `None` when the platform gives none.
    pub(super) fn take(&mut self) -> Option<[u8; RANDOM_BYTES]> {
        if self.0.len() < RANDOM_BYTES {
            let mut fresh = vec![0; POOL_BYTES];
            host::fill_random(&mut fresh).ok()?;
            self.0 = fresh;
        }
        let taken = self.0.last_chunk().copied()?;
        self.0.truncate(self.0.len().saturating_sub(RANDOM_BYTES));
        Some(taken)
    }
}
