//! When to fetch the origin's key set, and what to do while it cannot be had. The fetch is the caller's.
//!
//! Invariants:
//! - A set is used as it is for 5 minutes, and for at most an hour when it cannot be renewed.
//! - A `kid` the set does not have costs one fetch per 30 s for the whole isolate, twice as long after each that
//!   was in vain, and a `kid` that was looked for in vain costs none for 5 minutes. So a flood of invented
//!   tokens does not become a flood at the origin.
//! - No request waits for another one's fetch: while one renews a stale set, the others use the stale set.
//! - Times are seconds since the epoch and come in as arguments; a clock that goes back makes a set look fresh,
//!   never invalid.

use std::collections::VecDeque;

use portcullis_shared::jwk::{JwkSet, RsaVerifyingKey};

#[cfg(test)]
mod tests;

/// A set is not renewed before this age.
pub const FRESH_SECONDS: i64 = 300;
/// A set is not used past this age.
pub const STALE_SECONDS: i64 = 3600;
/// The pause after a fetch for an unknown `kid`; doubles up to [`LONGEST_MISS_PAUSE_SECONDS`].
pub const MISS_PAUSE_SECONDS: i64 = 30;
/// The longest such pause.
pub const LONGEST_MISS_PAUSE_SECONDS: i64 = 300;
/// How long a `kid` that was looked for in vain is refused without a fetch.
pub const MISS_SECONDS: i64 = 300;
/// How many of those are remembered, the latest.
pub const MAX_MISSES: usize = 64;
/// A longer `kid` is not remembered.
const MAX_KID_BYTES: usize = 128;
/// How long a fetch may be under way before another request starts one of its own.
const FETCH_SECONDS: i64 = 3;
/// The longest pause after failed fetches; they begin with one second.
const LONGEST_FAILURE_PAUSE_SECONDS: i64 = 30;

/// What to do about a `kid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup<'c> {
    /// There is an answer.
    Settled(Settled<'c>),
    /// Fetch the set, report it with [`KeyCache::fetched`] or [`KeyCache::failed`], then [`KeyCache::settle`].
    Fetch,
}

/// What is known about a `kid`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled<'c> {
    /// Verify with this key.
    Key(&'c RsaVerifyingKey),
    /// The key does not exist.
    Unknown,
    /// There is no set to look in.
    Unavailable {
        /// Seconds until a fetch will be tried again.
        retry_after: u32,
    },
}

/// The key set of one isolate.
#[derive(Debug, Default)]
pub struct KeyCache {
    set: Option<(JwkSet, i64)>,
    fetch_began: Option<i64>,
    failures: u32,
    not_before: i64,
    vain_fetches: u32,
    no_miss_fetch_before: i64,
    misses: VecDeque<(String, i64)>,
}

impl KeyCache {
    /// What to do about `kid`. A returned [`Lookup::Fetch`] counts as begun.
    pub fn look_up(&mut self, kid: &str, now: i64) -> Lookup<'_> {
        let wants_fetch = match self.age(now) {
            Some(age) if age < FRESH_SECONDS => !self.has(kid) && self.may_fetch_for_miss(kid, now),
            Some(age) if age < STALE_SECONDS => now >= self.not_before && !self.is_fetching(now),
            Some(_) | None => now >= self.not_before,
        };
        if wants_fetch {
            self.fetch_began = Some(now);
            return Lookup::Fetch;
        }
        Lookup::Settled(self.settle(kid, now))
    }

    /// The answer with what there is: after a fetch, whatever it brought.
    pub fn settle(&mut self, kid: &str, now: i64) -> Settled<'_> {
        if self.age(now).is_none_or(|age| age >= STALE_SECONDS) {
            let retry_after = u32::try_from(self.not_before.saturating_sub(now))
                .unwrap_or(1)
                .max(1);
            return Settled::Unavailable { retry_after };
        }
        if !self.has(kid) {
            self.note_miss(kid, now);
        }
        self.set
            .as_ref()
            .and_then(|(set, _)| set.key(kid))
            .map_or(Settled::Unknown, Settled::Key)
    }

    /// A fetch brought a set.
    pub fn fetched(&mut self, set: JwkSet, now: i64) {
        let brings_something = self.set.as_ref().is_none_or(|(old, _)| *old != set);
        if brings_something {
            self.vain_fetches = 0;
            self.misses.retain(|(kid, _)| set.key(kid).is_none());
        }
        self.set = Some((set, now));
        self.fetch_began = None;
        self.failures = 0;
        self.not_before = now;
    }

    /// A fetch failed, or brought no set with a key in it.
    pub fn failed(&mut self, now: i64) {
        self.fetch_began = None;
        self.not_before = now.saturating_add(pause(1, self.failures, LONGEST_FAILURE_PAUSE_SECONDS));
        self.failures = self.failures.saturating_add(1);
    }

    /// Whether the set, whatever its age, has exactly this key; for dropping what was derived from others.
    #[must_use]
    pub fn contains(&self, key: &RsaVerifyingKey) -> bool {
        self.set
            .as_ref()
            .is_some_and(|(set, _)| set.key(key.kid()) == Some(key))
    }

    fn age(&self, now: i64) -> Option<i64> {
        self.set
            .as_ref()
            .map(|(_, fetched_at)| now.saturating_sub(*fetched_at))
    }

    fn has(&self, kid: &str) -> bool {
        self.set.as_ref().is_some_and(|(set, _)| set.key(kid).is_some())
    }

    fn is_fetching(&self, now: i64) -> bool {
        self.fetch_began
            .is_some_and(|began| now.saturating_sub(began) < FETCH_SECONDS)
    }

    fn may_fetch_for_miss(&mut self, kid: &str, now: i64) -> bool {
        self.misses.retain(|(_, until)| *until > now);
        if now < self.no_miss_fetch_before
            || now < self.not_before
            || self.misses.iter().any(|(miss, _)| miss == kid)
        {
            return false;
        }
        let pause = pause(MISS_PAUSE_SECONDS, self.vain_fetches, LONGEST_MISS_PAUSE_SECONDS);
        self.no_miss_fetch_before = now.saturating_add(pause);
        self.vain_fetches = self.vain_fetches.saturating_add(1);
        true
    }

    /// Remembers a `kid` that a set fetched just now does not have.
    fn note_miss(&mut self, kid: &str, now: i64) {
        let is_news = self.age(now).is_some_and(|age| age < FETCH_SECONDS);
        if !is_news || kid.len() > MAX_KID_BYTES || self.misses.iter().any(|(miss, _)| miss == kid) {
            return;
        }
        if self.misses.len() >= MAX_MISSES {
            self.misses.pop_front();
        }
        self.misses
            .push_back((kid.to_owned(), now.saturating_add(MISS_SECONDS)));
    }
}

/// `base` doubled `times` times, at most `longest`.
fn pause(base: i64, times: u32, longest: i64) -> i64 {
    base.saturating_mul(1_i64.checked_shl(times.min(16)).unwrap_or(1))
        .min(longest)
}
