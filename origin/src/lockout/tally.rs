//! The rule: when failures become a lock.

use crate::kernel::time::{TimeDelta, Timestamp};

/// How many failures of a group within which time lock it, and for how long.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) failures: usize,
    pub(super) window: TimeDelta,
    pub(super) lock: TimeDelta,
}

/// What is remembered of a group. While it is locked there are no failures, and afterwards it begins anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) failed_at: Vec<Timestamp>,
    pub(super) locked_until: Option<Timestamp>,
}

impl Tally {
    /// The end of the lock that is on at `now`.
    pub(super) fn lock_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.locked_until.filter(|until| *until > now)
    }

    /// Counts a failure of a group that is not locked. The end of the lock that comes of it, if one does.
    pub(super) fn add(&mut self, now: Timestamp, rule: Rule) -> Option<Timestamp> {
        self.failed_at.retain(|at| *at > now - rule.window);
        self.failed_at.push(now);
        self.locked_until = (self.failed_at.len() >= rule.failures).then(|| now + rule.lock);
        if self.locked_until.is_some() {
            self.failed_at.clear();
        }
        self.locked_until
    }

    /// From when on it says nothing any more.
    pub(super) fn forget_at(&self, window: TimeDelta, now: Timestamp) -> Timestamp {
        let last = self.failed_at.iter().max().map(|at| *at + window);
        self.locked_until.max(last).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULE: Rule = Rule {
        failures: 5,
        window: TimeDelta::minutes(15),
        lock: TimeDelta::minutes(20),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    #[test]
    fn the_fifth_failure_locks_and_the_lock_ends() {
        let mut tally = Tally::default();
        for second in 0..4 {
            assert_eq!(tally.add(at(second), RULE), None);
        }
        assert_eq!(tally.add(at(4), RULE), Some(at(1204)));
        assert_eq!(tally.lock_at(at(1203)), Some(at(1204)));
        assert_eq!(tally.lock_at(at(1204)), None);
        assert_eq!(tally.forget_at(RULE.window, at(4)), at(1204));
    }

    #[test]
    fn after_a_lock_it_begins_anew() {
        let mut tally = Tally::default();
        for _ in 0..5 {
            tally.add(at(0), RULE);
        }
        for _ in 0..4 {
            assert_eq!(tally.add(at(1200), RULE), None);
        }
        assert_eq!(tally.add(at(1200), RULE), Some(at(2400)));
    }

    #[test]
    fn a_failure_counts_for_a_window_and_no_longer() {
        let mut tally = Tally::default();
        for second in [0, 1, 2, 3, 900] {
            assert_eq!(tally.add(at(second), RULE), None, "{second}");
        }
        assert_eq!(tally.add(at(900), RULE), Some(at(2100)));
        let mut tally = Tally::default();
        for second in [0, 1, 2, 3] {
            tally.add(at(second), RULE);
        }
        assert_eq!(tally.forget_at(RULE.window, at(3)), at(903));
        assert_eq!(tally.add(at(899), RULE), Some(at(2099)));
    }

    proptest! {
        /// However failures are spread out, and whatever order replicas bring them in.
        #[test]
        fn no_window_has_more_failures_than_the_limit(mut moments in prop::collection::vec(0..20_000i64, 0..200), jitter in prop::collection::vec(0..5i64, 200)) {
            moments.sort_unstable();
            let (mut tally, mut counted) = (Tally::default(), Vec::new());
            for (moment, jitter) in moments.into_iter().zip(jitter) {
                let now = at(moment - jitter);
                if tally.lock_at(now).is_none() {
                    tally.add(now, RULE);
                    counted.push(now);
                }
                prop_assert!(tally.failed_at.len() < RULE.failures);
            }
            // The clocks of replicas differ by up to five seconds here.
            let window = RULE.window - TimeDelta::seconds(5);
            for (place, first) in counted.iter().enumerate() {
                let within = counted.iter().skip(place).filter(|at| **at >= *first && **at - *first < window).count();
                prop_assert!(within <= RULE.failures, "{within} from {first}");
            }
        }
    }
}
