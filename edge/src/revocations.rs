//! What this isolate knows about tokens that must no longer pass, and when it must ask for more.
//!
//! Invariants:
//! - Age counts from the moment the origin signed for, and never less than from when the answer came, so that a
//!   clock that is behind the origin's does not make an answer look younger than it is.
//! - An answer takes effect whole or not at all. One with an older state, or one that tells of what came after a
//!   state that this isolate has not reached, is refused, and the state before it stays.
//! - What must be forgotten is forgotten by generation: entries that came in while the young one was filled go when
//!   the next but one is begun, no earlier than their lifetime and no later than twice that.
//! - One request fetches at a time. While it renews an ageing state, the others use it; when the state has aged past use,
//!   they look again in a moment, since they must not wait for its promise. Fetches that fail are not repeated for a
//!   moment, so that a dead origin does not cost every request its patience.
//! - Times are seconds since the epoch and come in as arguments.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;

use portcullis_shared::claims::AccessClaims;
use portcullis_shared::revocation::{Cursor, Feed, etag};
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// Up to this age a state is used as it is.
pub const FRESH_SECONDS: i64 = 2;
/// Below this age it is used and renewed after the response; from it on, it is renewed before the decision. Ages are
/// whole seconds, so that a state of this age may be a second older.
pub const LONGEST_AGE_SECONDS: i64 = 5;
/// How long a fetch may be under way before another request starts one of its own.
const FETCH_SECONDS: i64 = 1;
/// The same for the first one, which brings everything.
const FIRST_FETCH_SECONDS: i64 = 4;
/// The pause after a fetch that failed.
pub const FAILURE_PAUSE_SECONDS: u32 = 1;

/// What is known about the holder of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing against them.
    Good,
    /// The session has ended.
    Ended,
    /// The token tells of what has changed since; a refresh brings one that does not.
    Outdated,
}

/// Whether what is known may be decided upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// Yes.
    Fresh,
    /// Yes; whoever has the time fetches the next state, after its response.
    Ageing,
    /// Not before another fetch.
    Due,
    /// A fetch was tried a moment ago, in vain. What is known is this old, in seconds; `None`: nothing is known.
    Stale(Option<i64>),
}

/// Why an answer was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is older than what is known.
    #[error("it has an older state than the one that is known")]
    Older,
    /// It leaves out entries that are not known.
    #[error("it begins after entries that are not known")]
    Gap,
    /// It says that nothing has changed, about another state.
    #[error("it is about another state than the one that is known")]
    OtherState,
    /// Its moment is not that of its signature.
    #[error("its moment is not that of its signature")]
    Moment,
}

/// The state of one isolate.
#[derive(Debug, Default)]
pub struct Revocations {
    known: Option<Known>,
    fetch_began: Option<i64>,
    no_fetch_before: i64,
    counts: Counts,
}

/// What went wrong since the isolate began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Fetches that brought nothing.
    pub failed: u64,
    /// Answers that were not believed, or not taken in.
    pub refused: u64,
    /// Requests that were let pass upon a state older than [`LONGEST_AGE_SECONDS`].
    pub stale_passes: u64,
}

#[derive(Debug)]
struct Known {
    cursor: Cursor,
    key_set_version: u64,
    lifetime: i64,
    as_of: i64,
    received_at: i64,
    young: Entries,
    young_since: i64,
    old: Entries,
}

#[derive(Debug, Default)]
struct Entries {
    sessions: HashSet<Uuid>,
    subjects: HashMap<Uuid, i64>,
}

impl Revocations {
    /// Whether what is known may be decided upon at `now`.
    #[must_use]
    pub fn outlook(&self, now: i64) -> Outlook {
        match self.age(now) {
            Some(age) if age <= FRESH_SECONDS => Outlook::Fresh,
            Some(age) if age < LONGEST_AGE_SECONDS => Outlook::Ageing,
            age if now < self.no_fetch_before => Outlook::Stale(age),
            Some(_) | None => Outlook::Due,
        }
    }

    /// What is known about the holder of a token.
    #[must_use]
    pub fn standing(&self, claims: &AccessClaims) -> Standing {
        let Some(known) = &self.known else {
            return Standing::Good;
        };
        if known.is_empty() {
            return Standing::Good;
        }
        // The origin names both by UUID; what is none was never revoked by name.
        let (session, subject) = (claims.sid.parse::<Uuid>(), claims.sub.parse::<Uuid>());
        if session.is_ok_and(|session| known.has_ended(&session)) {
            Standing::Ended
        } else if subject
            .is_ok_and(|subject| known.not_before(&subject).is_some_and(|then| claims.iat < then))
        {
            Standing::Outdated
        } else {
            Standing::Good
        }
    }

    /// How old what is known is, in seconds; never negative. `None`: nothing is known.
    #[must_use]
    pub fn age(&self, now: i64) -> Option<i64> {
        let known = self.known.as_ref()?;
        Some(now.saturating_sub(known.as_of.min(known.received_at)).max(0))
    }

    /// For how long a state may be gone by that cannot be renewed: as long as an access token can live.
    #[must_use]
    pub fn longest_stale_age(&self) -> i64 {
        self.known.as_ref().map_or(0, |known| known.lifetime)
    }

    /// The lowest version of the key set that may be used.
    #[must_use]
    pub fn key_set_version(&self) -> u64 {
        self.known.as_ref().map_or(0, |known| known.key_set_version)
    }

    /// Whether a request that could do with a newer state should fetch it; if so, the fetch counts as begun.
    pub fn begin_renewal(&mut self, now: i64) -> bool {
        let longest = if self.known.is_some() {
            FETCH_SECONDS
        } else {
            FIRST_FETCH_SECONDS
        };
        let is_under_way = self
            .fetch_began
            .is_some_and(|began| now.saturating_sub(began) < longest);
        if is_under_way || now < self.no_fetch_before {
            return false;
        }
        self.fetch_began = Some(now);
        true
    }

    /// From where to ask: the cursor, and the entity tag of what is known. What is so old that every token it speaks of
    /// has expired is forgotten, so that an isolate that slept, or that knows of a lost life of the database, begins anew.
    pub fn position(&mut self, now: i64) -> Option<(Cursor, String)> {
        if self.age(now) > Some(self.longest_stale_age()) {
            self.known = None;
        }
        let known = self.known.as_ref()?;
        Some((known.cursor, known.tag()))
    }

    /// Takes in an answer that was signed for the moment `created` and came at `now`.
    pub fn take_in(&mut self, feed: Feed, created: i64, now: i64) -> Result<(), Refused> {
        self.check(&feed, created)?;
        let received = (feed.as_of, now);
        match (feed.since, &mut self.known) {
            (Some(_), Some(known)) => known.add(feed, received),
            (_, known) => *known = Some(Known::of(feed, received)),
        }
        self.arrived(now);
        Ok(())
    }

    /// Takes in that nothing had changed at `created` since the state with this entity tag.
    pub fn unchanged(&mut self, tag: &str, created: i64, now: i64) -> Result<(), Refused> {
        match &mut self.known {
            Some(known) if known.tag() == tag => known.renew(created, now),
            Some(_) | None => return Err(Refused::OtherState),
        }
        self.arrived(now);
        Ok(())
    }

    /// A fetch brought nothing.
    pub fn failed(&mut self, now: i64) {
        self.counts.failed = self.counts.failed.saturating_add(1);
        self.pause(now);
    }

    /// A fetch brought what cannot be believed, or was not taken in.
    pub fn refused(&mut self, now: i64) {
        self.counts.refused = self.counts.refused.saturating_add(1);
        if self.outlook(now) == Outlook::Fresh {
            // Another answer was quicker.
            self.fetch_began = None;
        } else {
            self.pause(now);
        }
    }

    /// A request was let pass upon a state that is too old.
    pub fn passed_stale(&mut self) {
        self.counts.stale_passes = self.counts.stale_passes.saturating_add(1);
    }

    /// What went wrong so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    fn check(&self, feed: &Feed, created: i64) -> Result<(), Refused> {
        if feed.as_of != created {
            return Err(Refused::Moment);
        }
        let own = self.known.as_ref().map(|known| known.cursor);
        let is_older = self.known.as_ref().is_some_and(|known| {
            let same_epoch = feed.epoch == known.cursor.epoch;
            feed.cursor() < known.cursor || (same_epoch && feed.key_set_version < known.key_set_version)
        });
        if is_older {
            return Err(Refused::Older);
        }
        let reaches_back = match (feed.since, own) {
            (None, _) => true,
            (Some(since), Some(own)) => feed.epoch == own.epoch && since <= own.seq,
            (Some(_), None) => false,
        };
        if reaches_back { Ok(()) } else { Err(Refused::Gap) }
    }

    /// An answer that is too old as it comes, because clocks differ or something on the way holds answers back,
    /// is worth no more than a failed fetch.
    fn arrived(&mut self, now: i64) {
        self.fetch_began = None;
        if self.age(now).is_some_and(|age| age >= LONGEST_AGE_SECONDS) {
            self.pause(now);
        }
    }

    fn pause(&mut self, now: i64) {
        self.fetch_began = None;
        self.no_fetch_before = now.saturating_add(i64::from(FAILURE_PAUSE_SECONDS));
    }
}

impl Known {
    fn of(feed: Feed, received: (i64, i64)) -> Self {
        let (as_of, received_at) = received;
        Self {
            cursor: feed.cursor(),
            key_set_version: feed.key_set_version,
            lifetime: i64::from(feed.lifetime),
            as_of,
            received_at,
            young_since: as_of,
            young: Entries {
                sessions: feed.sessions.into_iter().collect(),
                subjects: feed.subjects.into_iter().collect(),
            },
            old: Entries::default(),
        }
    }

    fn tag(&self) -> String {
        etag(self.cursor, self.key_set_version)
    }

    /// Adds a delta.
    fn add(&mut self, feed: Feed, received: (i64, i64)) {
        let (as_of, received_at) = received;
        self.lifetime = self.lifetime.max(i64::from(feed.lifetime));
        self.renew(as_of, received_at);
        self.cursor = feed.cursor();
        self.key_set_version = feed.key_set_version;
        self.young.sessions.extend(feed.sessions);
        self.young.add_subjects(feed.subjects);
    }

    /// Moves on to a later moment, and begins another generation when the young one is a lifetime old.
    fn renew(&mut self, as_of: i64, received_at: i64) {
        // The same answer once more says nothing new about the present.
        if as_of > self.as_of {
            self.as_of = as_of;
            self.received_at = received_at;
        }
        if as_of.saturating_sub(self.young_since) > self.lifetime {
            self.old = mem::take(&mut self.young);
            self.young_since = as_of;
        }
    }

    fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    fn has_ended(&self, session: &Uuid) -> bool {
        self.young.sessions.contains(session) || self.old.sessions.contains(session)
    }

    fn not_before(&self, subject: &Uuid) -> Option<i64> {
        // The newer entry, which is the later moment, is in the young generation.
        let young = self.young.subjects.get(subject);
        young.or_else(|| self.old.subjects.get(subject)).copied()
    }
}

impl Entries {
    fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.subjects.is_empty()
    }

    /// Of two entries about one subject the later moment counts.
    fn add_subjects(&mut self, subjects: BTreeMap<Uuid, i64>) {
        for (subject, not_before) in subjects {
            let known = self.subjects.entry(subject).or_insert(not_before);
            *known = not_before.max(*known);
        }
    }
}
