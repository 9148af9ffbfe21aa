//! When to fetch the origin's key set, and what to do while it cannot be had. The fetch is the caller's.
//!
//! Invariants:
//! - A set is used as it is for 5 minutes, and for at most an hour when it cannot be renewed; never once the origin
//!   has said that a newer one must be used.
//! - A `kid` that the set does not have costs a fetch, out of a budget of [`MISS_BUDGET`] for the whole isolate that
//!   grows by one every [`MISS_REFILL_SECONDS`]. Only fetches in vain are paid for: one that brings another set
//!   gives the whole budget back. So keys may be rotated as often as anybody likes, and a flood of invented tokens
//!   does not become a flood at the origin; nor does it keep a new key out for longer than the budget takes to
//!   grow, because whatever `kid` a fetch is made for, it brings the whole set.
//! - A `kid` that was looked for in vain costs no fetch for a while, longer each time.
//! - No request waits for another one's fetch: while one renews a stale set, the others use the stale set; and one
//!   whose key may be on the way is told to look again ([`Lookup::Wait`]).
//! - A set is not replaced by an older one while it is fresh: of several origins, some learn of a key later.
//! - Times are seconds since the epoch and come in as arguments; a clock that goes back makes a set look fresh,
//!   never invalid.

use std::collections::VecDeque;

use portcullis_shared::jwk::{JwkSet, MAX_AGE_SECONDS, RsaVerifyingKey};

#[cfg(test)]
mod tests;

/// A set is not renewed before this age.
pub const FRESH_SECONDS: i64 = MAX_AGE_SECONDS;
/// A set is not used past this age.
pub const STALE_SECONDS: i64 = 3600;
/// How many fetches for unknown `kid`s may be in vain one after another.
pub const MISS_BUDGET: u32 = 6;
/// How soon one more may be.
pub const MISS_REFILL_SECONDS: i64 = 30;
/// How long a `kid` that was looked for in vain is refused without a fetch; doubles up to
/// [`LONGEST_MISS_SECONDS`].
pub const MISS_SECONDS: i64 = 5;
/// The longest such time.
pub const LONGEST_MISS_SECONDS: i64 = 300;
/// How many of those are remembered, the latest.
pub const MAX_MISSES: usize = 64;
/// A longer `kid` is not remembered, and not named to the origin.
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
    /// Another request is fetching what may settle it: look again in a moment.
    Wait,
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
    minimum_version: u64,
    fetch_began: Option<i64>,
    failures: u32,
    not_before: i64,
    budget: Budget,
    misses: VecDeque<Miss>,
}

/// A `kid` that no set had.
#[derive(Debug)]
struct Miss {
    kid: String,
    until: i64,
    times: u32,
}

impl KeyCache {
    /// What to do about `kid`. A returned [`Lookup::Fetch`] counts as begun.
    pub fn look_up(&mut self, kid: &str, now: i64) -> Lookup<'_> {
        let is_fetching = self.is_fetching(now);
        let wants_fetch = match self.age(now) {
            Some(age) if age < STALE_SECONDS && !self.has(kid) => {
                let is_looked_for = age >= FRESH_SECONDS || !self.is_missed(kid, now);
                if is_looked_for && is_fetching {
                    return Lookup::Wait;
                }
                let may_fetch = is_looked_for && now >= self.not_before;
                may_fetch && (age >= FRESH_SECONDS || self.budget.spend(now))
            }
            Some(age) if age < FRESH_SECONDS => false,
            Some(age) if age < STALE_SECONDS => now >= self.not_before && !is_fetching,
            // There is a set, and it must not be used any more: everybody needs the next one at once.
            None if self.set.is_some() && is_fetching => return Lookup::Wait,
            Some(_) | None => now >= self.not_before,
        };
        if wants_fetch {
            self.fetch_began = Some(now);
            return Lookup::Fetch;
        }
        Lookup::Settled(self.settle(kid, now))
    }

    /// The key of `kid` where [`KeyCache::look_up`] would give it without a fetch by anybody.
    #[must_use]
    pub fn at_hand(&self, kid: &str, now: i64) -> Option<&RsaVerifyingKey> {
        let (set, _) = self.usable()?;
        self.age(now)
            .filter(|age| *age < FRESH_SECONDS)
            .and_then(|_| set.key(kid))
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
        self.usable()
            .and_then(|(set, _)| set.key(kid))
            .map_or(Settled::Unknown, Settled::Key)
    }

    /// The lowest version that may be used.
    #[must_use]
    pub const fn minimum_version(&self) -> u64 {
        self.minimum_version
    }

    /// The origin has said that no set older than this version may be used: from now on, none is. That what it says is
    /// newer than what it said before is the caller's to know.
    pub fn require_version(&mut self, minimum: u64) {
        self.minimum_version = minimum;
    }

    /// What to tell the origin when fetching for `kid`, so that one that has not heard of the key or of the required
    /// version yet looks again: the query of the key set's URL, without a question mark. It also keeps caches on the way from answering
    /// with an older set.
    #[must_use]
    pub fn query(&self, kid: &str) -> Option<String> {
        let version = self.minimum_version;
        let names_itself = !kid.is_empty()
            && kid.len() <= MAX_KID_BYTES
            && kid
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~'));
        let seeks_kid = names_itself && !self.has(kid);
        match (seeks_kid, version) {
            (false, 0) => None,
            (false, version) => Some(format!("version={version}")),
            (true, 0) => Some(format!("kid={kid}")),
            (true, version) => Some(format!("kid={kid}&version={version}")),
        }
    }

    /// A fetch brought a set.
    pub fn fetched(&mut self, set: JwkSet, now: i64) {
        self.fetch_began = None;
        let is_older = self.set.as_ref().is_some_and(|(known, fetched_at)| {
            set.version() < known.version() && now.saturating_sub(*fetched_at) < FRESH_SECONDS
        });
        if is_older || set.version() < self.minimum_version {
            // An origin that has not looked again yet; it will have in a moment.
            self.pause(now);
        } else {
            self.failures = 0;
            self.not_before = now;
        }
        if is_older {
            return;
        }
        if self.set.as_ref().is_none_or(|(known, _)| *known != set) {
            self.budget = Budget::default();
            self.misses.retain(|miss| set.key(&miss.kid).is_none());
        }
        self.set = Some((set, now));
    }

    /// A fetch failed, or brought no set with a key in it.
    pub fn failed(&mut self, now: i64) {
        self.fetch_began = None;
        self.pause(now);
    }

    /// Whether the set, whatever its age, has exactly this key; for dropping what was derived from others.
    #[must_use]
    pub fn contains(&self, key: &RsaVerifyingKey) -> bool {
        self.set
            .as_ref()
            .is_some_and(|(set, _)| set.key(key.kid()) == Some(key))
    }

    /// The set, unless a newer one must be used.
    fn usable(&self) -> Option<&(JwkSet, i64)> {
        self.set
            .as_ref()
            .filter(|(set, _)| set.version() >= self.minimum_version)
    }

    fn age(&self, now: i64) -> Option<i64> {
        self.usable()
            .map(|(_, fetched_at)| now.saturating_sub(*fetched_at))
    }

    fn has(&self, kid: &str) -> bool {
        self.usable().is_some_and(|(set, _)| set.key(kid).is_some())
    }

    fn is_fetching(&self, now: i64) -> bool {
        self.fetch_began
            .is_some_and(|began| now.saturating_sub(began) < FETCH_SECONDS)
    }

    fn is_missed(&self, kid: &str, now: i64) -> bool {
        self.misses.iter().any(|miss| miss.kid == kid && now < miss.until)
    }

    fn pause(&mut self, now: i64) {
        self.not_before = now.saturating_add(doubled(1, self.failures, LONGEST_FAILURE_PAUSE_SECONDS));
        self.failures = self.failures.saturating_add(1);
    }

    /// Remembers a `kid` that a set fetched just now does not have.
    fn note_miss(&mut self, kid: &str, now: i64) {
        let is_news = self.age(now).is_some_and(|age| age < FETCH_SECONDS);
        if !is_news || kid.len() > MAX_KID_BYTES || self.is_missed(kid, now) {
            return;
        }
        let known = self.misses.iter().position(|miss| miss.kid == kid);
        let times = known
            .and_then(|at| self.misses.remove(at))
            .map_or(0, |miss| miss.times.saturating_add(1));
        if self.misses.len() >= MAX_MISSES {
            self.misses.pop_front();
        }
        self.misses.push_back(Miss {
            kid: kid.to_owned(),
            until: now.saturating_add(doubled(MISS_SECONDS, times, LONGEST_MISS_SECONDS)),
            times,
        });
    }
}

/// Fetches that may be in vain.
#[derive(Debug)]
struct Budget {
    left: u32,
    /// When the last one of those that are missing began to grow.
    since: i64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            left: MISS_BUDGET,
            since: 0,
        }
    }
}

impl Budget {
    fn spend(&mut self, now: i64) -> bool {
        if self.left < MISS_BUDGET {
            let grown = now.saturating_sub(self.since).max(0) / MISS_REFILL_SECONDS;
            self.since = self
                .since
                .saturating_add(grown.saturating_mul(MISS_REFILL_SECONDS));
            let grown = u32::try_from(grown).unwrap_or(MISS_BUDGET);
            self.left = self.left.saturating_add(grown).min(MISS_BUDGET);
        }
        if self.left == MISS_BUDGET {
            self.since = now;
        }
        let may = self.left > 0;
        self.left = self.left.saturating_sub(1);
        may
    }
}

/// `base` doubled `times` times, at most `longest`.
fn doubled(base: i64, times: u32, longest: i64) -> i64 {
    base.saturating_mul(1_i64.checked_shl(times.min(16)).unwrap_or(1))
        .min(longest)
}
