//! What the origin has said lately about roles at venues that a truncated token does not name.
//!
//! Invariants:
//! - An answer counts for [`LIFETIME_SECONDS`] after it was asked for, and for no token that is newer than the one it was
//!   asked for: after a change of the account older tokens are stale, and newer ones ask anew. So an answer outlives neither
//!   its seconds nor a revocation of its subject.
//! - That nothing is held at a venue is an answer like any other, and kept as long.
//! - Made-up venues do not reach the origin without end: an account asks [`MOST_FOR_SUBJECT`] questions within one second at
//!   most, an isolate [`MOST_IN_ALL`]. What is kept is bounded by two generations.
//! - Of the requests that want the same answer one asks; the others look again in a moment, since they must not wait for
//!   its promise. After a question in vain there is a pause, so that a dead origin does not cost each request its patience.
//! - Times are seconds since the epoch and come in as arguments.

use std::collections::HashMap;
use std::mem;

use portcullis_shared::claims::AccessClaims;
use portcullis_shared::venue_roles::Place;
use uuid::Uuid;

#[cfg(test)]
mod tests;

/// For how long an answer counts.
pub const LIFETIME_SECONDS: i64 = 5;
/// When to try again where nothing can be said at the moment, in seconds.
pub const RETRY_AFTER_SECONDS: u32 = 1;
/// How many questions one account may cause within a second.
pub const MOST_FOR_SUBJECT: u32 = 10;
/// How many questions all accounts together may cause within a second.
pub const MOST_IN_ALL: u32 = 100;
/// How long a question may be under way before another request asks it again: longer than the origin may take, although a
/// second of the clock may be over as soon as it was asked.
const QUESTION_SECONDS: i64 = 2;
/// How many answers one generation holds.
const MOST_ANSWERS: usize = 1024;

/// What is asked on behalf of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Whose roles, and where.
    pub place: Place,
    /// When the token was issued.
    pub issued_at: i64,
}

impl Question {
    /// The question that this token leaves open about the venue that a path names; `None` where the token says everything, or
    /// the venue's name is not one: a UUID in the spelling that tokens have.
    #[must_use]
    pub fn of(claims: &AccessClaims, venue: &str) -> Option<Self> {
        if !claims.venues_truncated || claims.venues.contains_key(venue) {
            return None;
        }
        let id: Uuid = venue.parse().ok()?;
        let mut text = Uuid::encode_buffer();
        let is_canonical = *venue == *id.hyphenated().encode_lower(&mut text);
        Some(Self {
            place: Place {
                tenant: claims.tenant_id.parse().ok()?,
                subject: claims.sub.parse().ok()?,
                venue: is_canonical.then_some(id)?,
            },
            issued_at: claims.iat,
        })
    }
}

/// What can be said without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known<'r> {
    /// These roles are held there.
    Roles(&'r [String]),
    /// Nothing: ask.
    Nothing,
    /// Nothing, and it is not the moment to ask.
    NotNow,
}

/// Whose turn it is to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The caller's: the question counts as asked.
    Ask,
    /// Another request's; look again in a moment.
    Wait,
    /// Nobody's: look what can be said.
    Look,
}

/// The answers of one isolate.
#[derive(Debug, Default)]
pub struct VenueRoles {
    young: HashMap<Place, Entry>,
    old: HashMap<Place, Entry>,
    asked: Asked,
    no_question_before: i64,
}

#[derive(Debug)]
struct Entry {
    /// `None`: the question is under way.
    roles: Option<Vec<String>>,
    asked_at: i64,
    issued_at: i64,
}

/// The questions of one second.
#[derive(Debug, Default)]
struct Asked {
    second: i64,
    in_all: u32,
    by_subject: HashMap<Uuid, u32>,
}

impl VenueRoles {
    /// What can be said at `now`.
    #[must_use]
    pub fn look_up(&self, question: &Question, now: i64) -> Known<'_> {
        let entry = self.entry(question);
        if let Some(roles) = entry.and_then(|entry| entry.answer(now)) {
            return Known::Roles(roles);
        }
        let is_under_way = entry.is_some_and(|entry| entry.is_under_way(now));
        let may_ask = now >= self.no_question_before && !self.asked.is_spent(question, now);
        if is_under_way || may_ask {
            Known::Nothing
        } else {
            Known::NotNow
        }
    }

    /// Whose turn it is to ask at `now`.
    pub fn begin(&mut self, question: &Question, now: i64) -> Turn {
        if self.look_up(question, now) != Known::Nothing {
            return Turn::Look;
        }
        if self.entry(question).is_some_and(|entry| entry.is_under_way(now)) {
            return Turn::Wait;
        }
        self.asked.count(question, now);
        self.keep(question, None, now);
        Turn::Ask
    }

    /// The origin has answered a question that was asked at `asked_at`.
    pub fn answered(&mut self, question: &Question, roles: Vec<String>, asked_at: i64) {
        self.keep(question, Some(roles), asked_at);
    }

    /// A question was asked in vain.
    pub fn failed(&mut self, question: &Question, now: i64) {
        self.young.remove(&question.place);
        self.no_question_before = now.saturating_add(i64::from(RETRY_AFTER_SECONDS));
    }

    fn entry(&self, question: &Question) -> Option<&Entry> {
        let place = &question.place;
        let entry = self.young.get(place).or_else(|| self.old.get(place));
        entry.filter(|entry| question.issued_at <= entry.issued_at)
    }

    fn keep(&mut self, question: &Question, roles: Option<Vec<String>>, asked_at: i64) {
        if self.young.len() >= MOST_ANSWERS && !self.young.contains_key(&question.place) {
            self.old = mem::take(&mut self.young);
        }
        let entry = Entry {
            roles,
            asked_at,
            issued_at: question.issued_at,
        };
        self.young.insert(question.place, entry);
    }
}

impl Entry {
    fn answer(&self, now: i64) -> Option<&[String]> {
        self.roles
            .as_deref()
            .filter(|_| self.is_younger_than(LIFETIME_SECONDS, now))
    }

    fn is_under_way(&self, now: i64) -> bool {
        self.roles.is_none() && self.is_younger_than(QUESTION_SECONDS, now)
    }

    /// A clock that was set back makes everything old.
    fn is_younger_than(&self, seconds: i64, now: i64) -> bool {
        (0..seconds).contains(&now.saturating_sub(self.asked_at))
    }
}

impl Asked {
    fn is_spent(&self, question: &Question, now: i64) -> bool {
        let of_subject = self.by_subject.get(&question.place.subject);
        self.second == now
            && (self.in_all >= MOST_IN_ALL || of_subject.is_some_and(|count| *count >= MOST_FOR_SUBJECT))
    }

    fn count(&mut self, question: &Question, now: i64) {
        if self.second != now {
            self.second = now;
            self.in_all = 0;
            self.by_subject.clear();
        }
        self.in_all = self.in_all.saturating_add(1);
        let count = self.by_subject.entry(question.place.subject).or_default();
        *count = count.saturating_add(1);
    }
}
