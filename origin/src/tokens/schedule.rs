//! When a signing key moves on: rules only, without a clock and without a database.
//!
//! A key is published before it signs for so long that whoever caches key sets has it by then, and is published
//! after it has signed for so long that its last token has expired by then.

use portcullis_shared::jwk::MAX_AGE_SECONDS;

use crate::kernel::time::{TimeDelta, Timestamp};

/// How long a replica uses its copy of the keys before it asks the database again.
pub(super) const STALE_AFTER: TimeDelta = TimeDelta::seconds(5);
/// How long after its expiry a token is still taken, and some for the clocks of verifiers.
const LEEWAY: TimeDelta = TimeDelta::seconds(60);
/// How long before it is due to sign the schedule publishes a key: for as long as an edge that cannot reach the
/// origin may go by an old key set.
const PUBLISH_AHEAD: TimeDelta = TimeDelta::hours(1);

/// The two keys that moving on is about, as they are at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) next: Option<NextKey>,
    pub(super) active: Option<ActiveKey>,
}

/// The key that is published and does not sign yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NextKey {
    pub(super) kid: String,
    pub(super) published_at: Timestamp,
}

/// The key that signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ActiveKey {
    pub(super) kid: String,
    pub(super) activated_at: Timestamp,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make a key and publish it as the next one.
    Publish,
    /// Let this key sign.
    Activate(NextKey),
    /// Make a key and let it sign at once.
    Replace,
    /// Nothing: this key has not been published for long enough.
    Wait(NextKey),
}

/// When a key that was published at this moment may sign: whoever has a key set without it has had to ask again
/// twice by then (once a cache between origin and verifier, once the verifier), and both may have asked a replica
/// that had not looked yet.
pub(super) fn activates_at(published_at: Timestamp) -> Timestamp {
    published_at + TimeDelta::seconds(2 * MAX_AGE_SECONDS) + STALE_AFTER * 2
}

/// Until when a key stays published that ceases to sign now. A replica may go on signing with it until it has
/// looked again; then the life of the last token begins.
pub(super) fn published_until(now: Timestamp, access_ttl: TimeDelta) -> Timestamp {
    now + access_ttl + STALE_AFTER * 2 + LEEWAY
}

/// What an operator's `rotate` comes to. Who skips the wait wants another key to sign when the command returns.
pub(super) fn asked_for(standing: &Standing, skip_wait: bool, now: Timestamp) -> Step {
    match &standing.next {
        None if skip_wait => Step::Replace,
        None => Step::Publish,
        Some(next) if skip_wait || activates_at(next.published_at) <= now => Step::Activate(next.clone()),
        Some(next) => Step::Wait(next.clone()),
    }
}

/// What the schedule has to do, if the active key is to be replaced `every` so often. Without an active key it is
/// not asked: the first one is made when it is needed.
pub(super) fn due(standing: &Standing, every: TimeDelta, now: Timestamp) -> Option<Step> {
    let due = standing.active.as_ref()?.activated_at + every;
    match &standing.next {
        None => (now >= due - PUBLISH_AHEAD).then_some(Step::Publish),
        Some(next) => (now >= due.max(activates_at(next.published_at))).then(|| Step::Activate(next.clone())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: TimeDelta = TimeDelta::days(1);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn next(published_at: i64) -> NextKey {
        NextKey {
            kid: "next".to_owned(),
            published_at: at(published_at),
        }
    }

    fn standing(next: Option<NextKey>) -> Standing {
        let active = ActiveKey {
            kid: "active".to_owned(),
            activated_at: at(0),
        };
        Standing {
            next,
            active: Some(active),
        }
    }

    #[test]
    fn a_key_is_published_for_twice_the_age_of_a_cached_set_before_it_signs() {
        assert!(activates_at(at(0)) >= at(2 * MAX_AGE_SECONDS));
        let waiting = standing(Some(next(0)));
        let last_before = activates_at(at(0)) - TimeDelta::microseconds(1);
        assert_eq!(asked_for(&waiting, false, at(0)), Step::Wait(next(0)));
        assert_eq!(asked_for(&waiting, false, last_before), Step::Wait(next(0)));
        assert_eq!(
            asked_for(&waiting, false, activates_at(at(0))),
            Step::Activate(next(0))
        );
    }

    #[test]
    fn an_operator_who_skips_the_wait_gets_another_key_at_once() {
        assert_eq!(asked_for(&standing(None), false, at(0)), Step::Publish);
        assert_eq!(asked_for(&standing(None), true, at(0)), Step::Replace);
        assert_eq!(
            asked_for(&standing(Some(next(0))), true, at(0)),
            Step::Activate(next(0))
        );
    }

    #[test]
    fn a_retired_key_outlives_the_last_token_that_a_replica_may_sign_with_it() {
        let ttl = TimeDelta::seconds(900);
        let last_token_expires = at(0) + STALE_AFTER + ttl;
        assert!(published_until(at(0), ttl) > last_token_expires + TimeDelta::seconds(5));
    }

    #[test]
    fn the_schedule_publishes_an_hour_ahead_and_activates_when_the_day_has_come() {
        let hour_before = at(0) + DAY - PUBLISH_AHEAD;
        let due_at = |standing: &Standing, now| due(standing, DAY, now);
        assert_eq!(due_at(&standing(None), hour_before - TimeDelta::seconds(1)), None);
        assert_eq!(due_at(&standing(None), hour_before), Some(Step::Publish));

        let published = NextKey {
            published_at: hour_before,
            ..next(0)
        };
        let waiting = standing(Some(published.clone()));
        assert_eq!(due_at(&waiting, at(0) + DAY - TimeDelta::seconds(1)), None);
        assert_eq!(due_at(&waiting, at(0) + DAY), Some(Step::Activate(published)));
    }

    #[test]
    fn the_schedule_waits_for_a_key_that_came_late_and_leaves_one_that_came_early_until_it_is_due() {
        let late = NextKey {
            published_at: at(0) + DAY,
            ..next(0)
        };
        let waiting = standing(Some(late.clone()));
        assert_eq!(due(&waiting, DAY, at(0) + DAY * 1), None);
        let ripe = activates_at(late.published_at);
        assert_eq!(due(&waiting, DAY, ripe), Some(Step::Activate(late)));
        assert_eq!(due(&standing(Some(next(0))), DAY, at(3600)), None);
    }

    #[test]
    fn without_an_active_key_there_is_nothing_to_schedule() {
        assert_eq!(due(&Standing::default(), DAY, at(0)), None);
    }
}
