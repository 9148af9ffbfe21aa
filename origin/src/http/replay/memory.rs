//! The nonces that one process has seen.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use aws_lc_rs::digest::{Context, SHA256};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_shared::request_signature::SignatureParameters;

/// A key's name and a nonce, as 128 bits of their SHA-256. Nonces are made by the edge, at random: nobody looks for two
/// that collide.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Nonce([u8; 16]);

impl Nonce {
    pub(super) fn of(parameters: &SignatureParameters) -> Self {
        let mut digest = Context::new(&SHA256);
        digest.update(parameters.keyid.as_bytes());
        // No key's name holds it, so that the border between the two is where it was.
        digest.update(&[0]);
        digest.update(parameters.nonce.as_bytes());
        let digest = digest.finish();
        let mut bytes = [0; 16];
        for (byte, of_digest) in bytes.iter_mut().zip(digest.as_ref()) {
            *byte = *of_digest;
        }
        Self(bytes)
    }

    /// Its name in Redis: `en:{digest}`; the braces are what a cluster goes by.
    pub(super) fn key(self) -> String {
        format!("en:{{{}}}", Base64UrlUnpadded::encode_string(&self.0))
    }
}

impl fmt::Debug for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.key())
    }
}

/// What a process knows of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recall {
    /// It has not seen it before, and will know it from now on.
    New,
    /// It has seen it before.
    Known,
    /// It has not seen it, and cannot keep it.
    Full,
}

/// Nonces by the second at which they are forgotten. A nonce always comes with the same one, which is signed.
pub(super) struct Memory {
    by_second: BTreeMap<i64, HashSet<Nonce>>,
    count: usize,
    most: usize,
}

impl Memory {
    /// A memory of at most `most` nonces.
    pub(super) const fn new(most: usize) -> Self {
        Self {
            by_second: BTreeMap::new(),
            count: 0,
            most,
        }
    }

    /// Looks `nonce` up, and keeps it until `forget_at`. Times are seconds since the epoch.
    pub(super) fn take_in(&mut self, nonce: Nonce, forget_at: i64, now: i64) -> Recall {
        self.forget(now);
        let of_second = self.by_second.entry(forget_at).or_default();
        if of_second.contains(&nonce) {
            return Recall::Known;
        }
        if self.count >= self.most {
            return Recall::Full;
        }
        of_second.insert(nonce);
        self.count = self.count.saturating_add(1);
        Recall::New
    }

    fn forget(&mut self, now: i64) {
        while let Some(oldest) = self.by_second.first_entry()
            && *oldest.key() <= now
        {
            self.count = self.count.saturating_sub(oldest.remove().len());
        }
    }
}

#[cfg(test)]
mod tests {
    use portcullis_shared::request_signature::{Purpose, SignatureParameters};

    use super::{Memory, Nonce, Recall};

    const NOW: i64 = 1_800_000_000;

    fn nonce(keyid: &str, nonce: &str) -> Nonce {
        Nonce::of(&SignatureParameters {
            purpose: Purpose::Forwarded,
            keyid: keyid.to_owned(),
            created: NOW,
            expires: NOW + 30,
            nonce: nonce.to_owned(),
        })
    }

    #[test]
    fn a_nonce_is_known_until_it_is_forgotten() {
        let mut memory = Memory::new(10);
        let n = nonce("one", "a");
        assert_eq!(memory.take_in(n, NOW + 35, NOW), Recall::New);
        assert_eq!(memory.take_in(n, NOW + 35, NOW), Recall::Known);
        assert_eq!(memory.take_in(n, NOW + 35, NOW + 34), Recall::Known);
        assert_eq!(memory.take_in(nonce("one", "b"), NOW + 70, NOW + 35), Recall::New);
        assert_eq!((memory.by_second.len(), memory.count), (1, 1));
    }

    #[test]
    fn a_nonce_belongs_to_its_key() {
        let mut memory = Memory::new(10);
        for n in [nonce("one", "a"), nonce("two", "a"), nonce("on", "ea")] {
            assert_eq!(memory.take_in(n, NOW + 35, NOW), Recall::New, "{n:?}");
        }
        assert_eq!(nonce("one", "a").key().len(), "en:{}".len() + 22);
    }

    #[test]
    fn a_full_memory_knows_what_it_has_and_takes_no_more_until_time_makes_room() {
        let mut memory = Memory::new(2);
        let [a, b, c] = ["a", "b", "c"].map(|n| nonce("one", n));
        memory.take_in(a, NOW + 35, NOW);
        memory.take_in(b, NOW + 36, NOW + 1);
        assert_eq!(memory.take_in(c, NOW + 36, NOW + 1), Recall::Full);
        assert_eq!(memory.take_in(a, NOW + 35, NOW + 1), Recall::Known);
        assert_eq!(memory.take_in(c, NOW + 36, NOW + 35), Recall::New);
        assert_eq!(memory.count, 2);
    }
}
