//! Sessions that were refreshed a moment ago, so that the other requests of the same page use what came of it.
//!
//! Invariants:
//! - What is kept is given to nobody who does not present the same refresh token from the same address: a thief asks the
//!   origin, which notes it.
//! - It is kept for a few seconds, far less than the origin answers a replaced token again. In that time the origin would give the
//!   same answer; the access token is held against revocations with each request all the same.
//! - A failure is told to those who have waited for it, so that they do not fail one after the other, and to nobody else.
//! - Requests share what came of a refresh, never the promise of it; who waits for another's looks again and again, and asks
//!   by itself when that one is not done in time.

use std::collections::HashMap;

use crate::browser::Renewal;

/// How long a session that goes on is used, in seconds.
const KEPT_SECONDS: i64 = 5;
/// How long those who wait may hear of anything else, in seconds.
const FAILURE_KEPT_SECONDS: i64 = 2;
/// How long a refresh that has begun is waited for, in seconds.
const PATIENCE_SECONDS: i64 = 5;
/// The most that one isolate keeps. Each takes a few kilobytes.
const MAX_ENTRIES: usize = 256;
/// Longest token that is kept, in bytes; ours have about a hundred.
const MAX_TOKEN_BYTES: usize = 512;

/// What a request that needs its session refreshed is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Another request has just done it.
    Use(Renewal),
    /// It is this one's to do; then say what came of it.
    Ask,
    /// Another one is at it: look again in a moment.
    Wait,
}

/// A bounded memory of refreshes.
#[derive(Debug)]
pub struct Renewals {
    entries: HashMap<Box<str>, Entry>,
    max_entries: usize,
}

#[derive(Debug)]
struct Entry {
    /// When it began, or was done, in seconds since the epoch.
    since: i64,
    /// `Untried` while the origin is asked.
    outcome: Renewal,
}

impl Entry {
    fn is_over(&self, now: i64) -> bool {
        let lasts = match self.outcome {
            Renewal::Untried => PATIENCE_SECONDS,
            Renewal::Renewed(_) => KEPT_SECONDS,
            Renewal::Refused | Renewal::Limited { .. } | Renewal::Failed { .. } => FAILURE_KEPT_SECONDS,
        };
        !(0..lasts).contains(&now.saturating_sub(self.since))
    }
}

impl Default for Renewals {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            max_entries: MAX_ENTRIES,
        }
    }
}

impl Renewals {
    /// Says what to do about `token`, which came from `client`. `has_waited` says that it was told to wait before: then it
    /// also hears of a failure.
    pub fn begin(&mut self, token: &str, client: &str, has_waited: bool, now: i64) -> Turn {
        if token.len() > MAX_TOKEN_BYTES {
            return Turn::Ask;
        }
        let key = key(token, client);
        if let Some(entry) = self.entries.get(&*key).filter(|entry| !entry.is_over(now)) {
            match &entry.outcome {
                Renewal::Untried => return Turn::Wait,
                Renewal::Renewed(_) => return Turn::Use(entry.outcome.clone()),
                failure if has_waited => return Turn::Use(failure.clone()),
                Renewal::Refused | Renewal::Limited { .. } | Renewal::Failed { .. } => {}
            }
        }
        // The one before this token is its predecessor no more: should it come again, the origin is to see that.
        let made = |outcome: &Renewal| match outcome {
            Renewal::Renewed(renewed) => renewed.refresh == token,
            Renewal::Untried | Renewal::Refused | Renewal::Limited { .. } | Renewal::Failed { .. } => false,
        };
        let is_full = self.entries.len() >= self.max_entries;
        self.entries
            .retain(|_, entry| !(made(&entry.outcome) || is_full && entry.is_over(now)));
        if self.entries.len() < self.max_entries {
            let entry = Entry {
                since: now,
                outcome: Renewal::Untried,
            };
            self.entries.insert(key, entry);
        }
        Turn::Ask
    }

    /// Notes what came of a refresh.
    pub fn done(&mut self, token: &str, client: &str, outcome: Renewal, now: i64) {
        if let Some(entry) = self.entries.get_mut(&*key(token, client)) {
            *entry = Entry { since: now, outcome };
        }
    }
}

/// Neither part holds a line break.
fn key(token: &str, client: &str) -> Box<str> {
    format!("{token}\n{client}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::browser::Renewed;
    use portcullis_shared::cookies::SessionCookie;

    const NOW: i64 = 1_800_000_000;
    const TOKEN: &str = "pcr_x.1.y";
    const CLIENT: &str = "192.0.2.1";

    fn renewed() -> Renewal {
        let lines = [
            (SessionCookie::Access, "a.b.c"),
            (SessionCookie::Refresh, "pcr_x.2.y"),
        ]
        .map(|(cookie, value)| cookie.set(value, 60).unwrap());
        Renewal::Renewed(Renewed::of(lines.to_vec()).unwrap())
    }

    #[test]
    fn one_request_asks_and_the_others_use_what_came_of_it() {
        let mut renewals = Renewals::default();
        assert_eq!(renewals.begin(TOKEN, CLIENT, false, NOW), Turn::Ask);
        assert_eq!(renewals.begin(TOKEN, CLIENT, false, NOW), Turn::Wait);
        renewals.done(TOKEN, CLIENT, renewed(), NOW + 1);
        assert_eq!(
            renewals.begin(TOKEN, CLIENT, false, NOW + 1),
            Turn::Use(renewed())
        );
        assert_eq!(
            renewals.begin(TOKEN, CLIENT, false, NOW + 1 + KEPT_SECONDS),
            Turn::Ask,
            "after a few seconds the origin is asked again"
        );
    }

    #[test]
    fn another_token_and_another_address_ask_for_themselves() {
        let mut renewals = Renewals::default();
        renewals.begin(TOKEN, CLIENT, false, NOW);
        renewals.done(TOKEN, CLIENT, renewed(), NOW);
        assert_eq!(renewals.begin("pcr_x.1.z", CLIENT, false, NOW), Turn::Ask);
        assert_eq!(renewals.begin(TOKEN, "192.0.2.2", false, NOW), Turn::Ask);
    }

    #[test]
    fn a_failure_is_told_to_those_who_wait_and_to_nobody_later() {
        let failed = Renewal::Failed { retry_after: 1 };
        let mut renewals = Renewals::default();
        renewals.begin(TOKEN, CLIENT, false, NOW);
        assert_eq!(renewals.begin(TOKEN, CLIENT, false, NOW), Turn::Wait);
        renewals.done(TOKEN, CLIENT, failed.clone(), NOW + 4);
        assert_eq!(renewals.begin(TOKEN, CLIENT, true, NOW + 5), Turn::Use(failed));
        assert_eq!(renewals.begin(TOKEN, CLIENT, false, NOW + 5), Turn::Ask);
        renewals.done(TOKEN, CLIENT, Renewal::Refused, NOW + 4);
        let later = NOW + 4 + FAILURE_KEPT_SECONDS;
        assert_eq!(renewals.begin(TOKEN, CLIENT, true, later), Turn::Ask);
    }

    #[test]
    fn a_token_whose_successor_is_refreshed_is_for_the_origin_to_judge() {
        let mut renewals = Renewals::default();
        renewals.begin(TOKEN, CLIENT, false, NOW);
        renewals.done(TOKEN, CLIENT, renewed(), NOW);
        assert_eq!(renewals.begin("pcr_x.2.y", CLIENT, false, NOW), Turn::Ask);
        assert_eq!(renewals.begin(TOKEN, CLIENT, false, NOW), Turn::Ask);
    }

    #[test]
    fn who_never_comes_back_holds_nobody_up_for_good() {
        let mut renewals = Renewals::default();
        renewals.begin(TOKEN, CLIENT, false, NOW);
        assert_eq!(
            renewals.begin(TOKEN, CLIENT, false, NOW + PATIENCE_SECONDS),
            Turn::Ask
        );
        assert_eq!(
            renewals.begin(TOKEN, CLIENT, false, NOW - 60),
            Turn::Ask,
            "nor does a clock that was set back"
        );
    }

    #[test]
    fn a_flood_of_tokens_finds_no_more_room_and_is_told_to_ask() {
        let mut renewals = Renewals::default();
        for n in 0..2 * MAX_ENTRIES {
            assert_eq!(renewals.begin(&format!("pcr_{n}"), CLIENT, false, NOW), Turn::Ask);
            assert!(renewals.entries.len() <= MAX_ENTRIES);
        }
        let long = "x".repeat(MAX_TOKEN_BYTES + 1);
        assert_eq!(renewals.begin(&long, CLIENT, false, NOW), Turn::Ask);
        assert_eq!(renewals.begin(&long, CLIENT, false, NOW), Turn::Ask);
        assert_eq!(
            renewals.begin(TOKEN, CLIENT, false, NOW + PATIENCE_SECONDS),
            Turn::Ask
        );
        assert_eq!(
            renewals.begin(TOKEN, CLIENT, false, NOW + PATIENCE_SECONDS),
            Turn::Wait
        );
    }
}
