//! Who is over a limit, so that this isolate refuses them without asking the keeper of the limit again.
//!
//! Invariants: nobody is refused past the moment that was given when they were; count and bytes are bounded. An entry
//! costs whoever provokes it a whole quota of requests, and one that makes room costs no more than one question to the
//! keeper, so that pushing others out is of no use. Entries live in two generations like those of the token cache, but a
//! look-up moves none: what is still over its limit is entered again when its keeper has said so again.

use std::collections::HashMap;
use std::mem;

/// The most entries one isolate keeps.
pub const MAX_ENTRIES: usize = 4096;
/// Longest key that is kept, in bytes. An address takes a third of it, an account of ours as well.
const MAX_KEY_BYTES: usize = 128;

/// A bounded memory of refusals.
#[derive(Clone, Debug)]
pub struct DenyCache {
    /// Until when, in seconds since the epoch.
    young: HashMap<Box<str>, i64>,
    old: HashMap<Box<str>, i64>,
    /// What one generation may hold: half of what the cache may.
    max_entries: usize,
}

impl Default for DenyCache {
    fn default() -> Self {
        Self::with_limit(MAX_ENTRIES)
    }
}

impl DenyCache {
    /// A cache of at most `max_entries`.
    #[must_use]
    pub fn with_limit(max_entries: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            max_entries: max_entries / 2,
        }
    }

    /// For how many more seconds `key` is refused at the moment `now`; `None` where its keeper has to be asked.
    #[must_use]
    pub fn denied(&self, key: &str, now: i64) -> Option<u32> {
        let until = self.young.get(key).or_else(|| self.old.get(key))?;
        let seconds = until.saturating_sub(now);
        u32::try_from(seconds).ok().filter(|seconds| *seconds > 0)
    }

    /// Refuses `key` for `seconds` from `now` (seconds since the epoch) on.
    pub fn deny(&mut self, key: &str, seconds: u32, now: i64) {
        if key.len() > MAX_KEY_BYTES || self.max_entries == 0 {
            return;
        }
        self.old.remove(key);
        if self.young.len() >= self.max_entries && !self.young.contains_key(key) {
            self.young.retain(|_, until| *until > now);
            if self.young.len() >= self.max_entries {
                self.old = mem::take(&mut self.young);
            }
        }
        self.young.insert(key.into(), now.saturating_add(seconds.into()));
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_refusal_holds_until_its_moment_and_for_its_key_alone() {
        let mut cache = DenyCache::default();
        cache.deny("client:192.0.2.1", 2, NOW);
        assert_eq!(cache.denied("client:192.0.2.1", NOW), Some(2));
        assert_eq!(cache.denied("client:192.0.2.1", NOW + 1), Some(1));
        assert_eq!(cache.denied("client:192.0.2.1", NOW + 2), None);
        assert_eq!(cache.denied("client:192.0.2.2", NOW), None);
        assert_eq!(cache.denied("sign-in:192.0.2.1", NOW), None);
    }

    #[test]
    fn the_last_word_of_the_keeper_counts() {
        let mut cache = DenyCache::with_limit(4);
        cache.deny("a", 60, NOW);
        cache.deny("b", 60, NOW);
        cache.deny("c", 60, NOW);
        cache.deny("a", 1, NOW);
        assert_eq!(cache.denied("a", NOW), Some(1), "it was old, and is young again");
    }

    #[test]
    fn a_full_cache_drops_what_is_over_before_what_is_not() {
        let mut cache = DenyCache::with_limit(4);
        cache.deny("first", 60, NOW);
        for n in 0..100 {
            let now = NOW + n / 10;
            cache.deny(&format!("brief {n}"), 1, now);
            assert!(cache.len() <= 4);
        }
        assert_eq!(cache.denied("brief 99", NOW + 9), Some(1));
    }

    #[test]
    fn a_key_of_no_bounded_length_is_not_kept() {
        let mut cache = DenyCache::default();
        cache.deny(&"x".repeat(MAX_KEY_BYTES + 1), 60, NOW);
        assert!(cache.is_empty());
    }

    proptest! {
        #[test]
        fn bounds_hold_and_nobody_is_refused_for_longer_than_was_said(
            steps in proptest::collection::vec((0_u8..12, 0_u32..5, 0_i64..3), 0..100),
        ) {
            let (mut cache, mut now, mut said) = (DenyCache::with_limit(6), NOW, HashMap::new());
            for (who, seconds, step) in steps {
                now += step;
                let key = format!("k{who}");
                if let Some(left) = cache.denied(&key, now) {
                    prop_assert_eq!(Some(&(now + i64::from(left))), said.get(&key));
                }
                cache.deny(&key, seconds, now);
                said.insert(key, now + i64::from(seconds));
                prop_assert!(cache.len() <= 6);
            }
        }
    }
}
