//! Tokens this isolate has verified before, so that the next request with one costs no cryptography.
//!
//! Invariants: a hit is the whole token, byte for byte; nothing is found past its `exp`; count and bytes are
//! bounded. Entries live in two generations: what is used moves into the young one, and when that is full it
//! becomes the old one and the old one goes. So what was not used for longest goes first, without a list to keep
//! in order. Only what a token proves is kept, never what was decided about a request.

use std::collections::HashMap;
use std::mem;

/// The most tokens one isolate keeps. The half that was used last is always among them.
pub const MAX_TOKENS: usize = 20_000;
/// The most bytes they may take, as estimated by who inserts them: under half of what the platform gives an isolate.
pub const MAX_BYTES: usize = 56 * 1024 * 1024;

/// The end of a token, which belongs to its signature and tells tokens apart as well as the whole does.
type Tail = [u8; 16];

/// A bounded cache of what tokens prove.
#[derive(Debug)]
pub struct TokenCache<T> {
    young: Generation<T>,
    old: Generation<T>,
    /// What one generation may hold: half of what the cache may.
    max_tokens: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Generation<T> {
    entries: HashMap<Tail, Entry<T>>,
    bytes: usize,
}

#[derive(Debug)]
struct Entry<T> {
    token: Box<str>,
    proof: T,
    exp: i64,
    bytes: usize,
}

impl<T> Default for TokenCache<T> {
    fn default() -> Self {
        Self::with_limits(MAX_TOKENS, MAX_BYTES)
    }
}

impl<T> TokenCache<T> {
    /// A cache of at most `max_tokens` entries and `max_bytes` bytes.
    #[must_use]
    pub fn with_limits(max_tokens: usize, max_bytes: usize) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            max_tokens: max_tokens / 2,
            max_bytes: max_bytes / 2,
        }
    }

    /// What `token` proves, if it was verified before and `now` (seconds since the epoch) is before its `exp`.
    pub fn get(&mut self, token: &str, now: i64) -> Option<&T> {
        let tail = tail(token)?;
        let is_live = |entry: &Entry<T>| *entry.token == *token && now < entry.exp;
        if !self.young.entries.contains_key(&tail)
            && let Some(entry) = self.old.take(tail)
            && is_live(&entry)
        {
            self.keep(tail, entry);
        }
        self.young
            .entries
            .get(&tail)
            .filter(|entry| is_live(entry))
            .map(|entry| &entry.proof)
    }

    /// Keeps what a verified `token` proves until `exp` (seconds since the epoch). `proof_bytes` estimates what
    /// `proof` takes.
    pub fn insert(&mut self, token: &str, proof: T, proof_bytes: usize, exp: i64) {
        let Some(tail) = tail(token) else { return };
        let bytes = token.len().saturating_add(proof_bytes);
        if bytes > self.max_bytes || self.max_tokens == 0 {
            return;
        }
        self.old.take(tail);
        self.young.take(tail);
        self.keep(
            tail,
            Entry {
                token: token.into(),
                proof,
                exp,
                bytes,
            },
        );
    }

    /// How many tokens are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.entries.len() + self.old.entries.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn keep(&mut self, tail: Tail, entry: Entry<T>) {
        let is_full = self.young.entries.len() >= self.max_tokens
            || self.young.bytes.saturating_add(entry.bytes) > self.max_bytes;
        if is_full {
            self.old = mem::take(&mut self.young);
        }
        self.young.bytes = self.young.bytes.saturating_add(entry.bytes);
        self.young.entries.insert(tail, entry);
    }
}

impl<T> Generation<T> {
    fn take(&mut self, tail: Tail) -> Option<Entry<T>> {
        let entry = self.entries.remove(&tail)?;
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry)
    }
}

impl<T> Default for Generation<T> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            bytes: 0,
        }
    }
}

fn tail(token: &str) -> Option<Tail> {
    token.as_bytes().last_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::TokenCache;
    use proptest::prelude::*;

    fn token(n: usize) -> String {
        format!("header.payload.signature-{n:016}")
    }

    fn bytes<T>(cache: &TokenCache<T>) -> usize {
        cache.young.bytes + cache.old.bytes
    }

    #[test]
    fn a_token_that_was_verified_is_found_until_it_expires() {
        let mut cache = TokenCache::default();
        cache.insert(&token(1), "one", 10, 1000);
        assert_eq!(cache.get(&token(1), 999), Some(&"one"));
        assert_eq!(cache.get(&token(1), 1000), None);
    }

    #[test]
    fn a_token_with_the_same_end_is_another_token() {
        let mut cache = TokenCache::default();
        cache.insert("a.b.0123456789abcdef", 1, 0, 1000);
        assert_eq!(cache.get("x.b.0123456789abcdef", 0), None);
        assert_eq!(cache.get("0123456789abcdef", 0), None);
        assert_eq!(cache.get("a.b.0123456789abcdef", 0), Some(&1));
    }

    #[test]
    fn what_was_not_used_for_longest_makes_room() {
        let mut cache = TokenCache::with_limits(4, 10_000);
        cache.insert(&token(1), 1, 0, 1000);
        cache.insert(&token(2), 2, 0, 1000);
        cache.insert(&token(3), 3, 0, 1000);
        assert_eq!(
            cache.get(&token(1), 0),
            Some(&1),
            "it moves into the young generation"
        );
        cache.insert(&token(4), 4, 0, 1000);
        assert_eq!(cache.get(&token(2), 0), None);
        for n in [1, 3, 4] {
            assert_eq!(cache.get(&token(n), 0), Some(&n));
        }
    }

    #[test]
    fn bytes_are_bounded() {
        let mut cache = TokenCache::with_limits(100, 400);
        for n in 0..50 {
            cache.insert(&token(n), n, 60, 1000);
            assert!(bytes(&cache) <= 400 && cache.get(&token(n), 0) == Some(&n));
        }
        cache.insert(&token(99), 99, 1000, 1000);
        assert_eq!(cache.get(&token(99), 0), None);
    }

    #[test]
    fn a_token_inserted_twice_counts_once() {
        let mut cache = TokenCache::with_limits(10, 1000);
        cache.insert(&token(1), 1, 60, 1000);
        let before = bytes(&cache);
        cache.insert(&token(1), 2, 60, 1000);
        assert_eq!((bytes(&cache), cache.len()), (before, 1));
        assert_eq!(cache.get(&token(1), 0), Some(&2));
    }

    #[test]
    fn what_is_too_short_to_be_a_token_is_not_kept() {
        let mut cache = TokenCache::default();
        cache.insert("short", 1, 0, 1000);
        assert!(cache.is_empty());
    }

    proptest! {
        #[test]
        fn limits_hold_whatever_happens(
            steps in proptest::collection::vec((0_usize..8, 0_usize..300, any::<bool>(), 0_i64..20), 0..60),
        ) {
            let mut cache = TokenCache::with_limits(4, 500);
            for (n, size, insert, now) in steps {
                if insert {
                    cache.insert(&token(n), n, size, 10);
                } else if let Some(found) = cache.get(&token(n), now) {
                    prop_assert!(*found == n && now < 10);
                }
                prop_assert!(cache.len() <= 4 && bytes(&cache) <= 500);
                for generation in [&cache.young, &cache.old] {
                    prop_assert_eq!(generation.bytes, generation.entries.values().map(|entry| entry.bytes).sum::<usize>());
                }
            }
        }
    }
}
