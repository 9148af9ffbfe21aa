//! The generic cell rate algorithm: how often something may happen, from one moment of state.
//!
//! The state is the moment at which the whole quota is free again. Each place that is taken moves it on by one
//! interval, and a place may be taken while it is no more than the window ahead. So all places may be taken at once,
//! one becomes free each interval, and in any time `t` no more than `limit + t / interval` are taken.
//!
//! Invariants: whoever is refused takes no place and changes nothing; no state, however wrong, shuts anybody out for
//! longer than a window.

use std::num::NonZeroU32;

const MICROS: i64 = 1_000_000;

/// `limit` places in `window_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Places in one window.
    pub limit: NonZeroU32,
    /// Length of the window in seconds.
    pub window_seconds: NonZeroU32,
}

impl Quota {
    /// How long one place takes to become free again, in microseconds, at least one.
    #[must_use]
    pub fn interval_micros(self) -> i64 {
        (i64::from(self.window_seconds.get()) * MICROS / i64::from(self.limit.get())).max(1)
    }
}

/// What came of asking for a place. All times are in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was taken.
    Taken {
        /// The new state: the moment, since the epoch, at which the whole quota is free again.
        whole_at: i64,
        /// How many more may be taken at this moment.
        remaining: u32,
        /// How long until the whole quota is free again.
        whole_in: i64,
    },
    /// None is free.
    Exceeded {
        /// How long until one is, more than nothing.
        free_in: i64,
    },
}

/// Asks for one place at the moment `now`. `whole_at` is the state, `None` where there is none: the whole quota is free.
/// Both are in microseconds since the epoch.
#[must_use]
pub fn take(quota: Quota, whole_at: Option<i64>, now: i64) -> Verdict {
    let interval = quota.interval_micros();
    let window = interval.saturating_mul(i64::from(quota.limit.get()));
    let latest = now.saturating_add(window);
    // A state beyond what can be reached was left by a clock that was ahead, or under a longer window.
    let whole_at = whole_at.unwrap_or(now).clamp(now, latest);
    let taken = whole_at.saturating_add(interval);
    if taken > latest {
        return Verdict::Exceeded {
            free_in: taken.saturating_sub(latest),
        };
    }
    let free = latest.saturating_sub(taken) / interval;
    Verdict::Taken {
        whole_at: taken,
        remaining: u32::try_from(free).unwrap_or(u32::MAX),
        whole_in: taken.saturating_sub(now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: i64 = 1_800_000_000 * MICROS;

    fn quota(limit: u32, window_seconds: u32) -> Quota {
        Quota {
            limit: NonZeroU32::new(limit).unwrap(),
            window_seconds: NonZeroU32::new(window_seconds).unwrap(),
        }
    }

    #[test]
    fn the_whole_quota_may_be_taken_at_once_and_then_one_place_each_interval() {
        let quota = quota(30, 60);
        let mut state = None;
        for left in (0..30).rev() {
            let Verdict::Taken {
                whole_at, remaining, ..
            } = take(quota, state, NOW)
            else {
                panic!("{left} are left");
            };
            assert_eq!(remaining, left);
            state = Some(whole_at);
        }
        assert_eq!(state, Some(NOW + 60 * MICROS));
        let exceeded = Verdict::Exceeded { free_in: 2 * MICROS };
        assert_eq!(take(quota, state, NOW), exceeded);
        assert_eq!(
            take(quota, state, NOW + 2 * MICROS - 1),
            Verdict::Exceeded { free_in: 1 }
        );
        assert!(matches!(
            take(quota, state, NOW + 2 * MICROS),
            Verdict::Taken { remaining: 0, .. }
        ));
    }

    #[test]
    fn a_state_that_cannot_be_shuts_nobody_out_for_longer_than_a_place_takes() {
        let quota = quota(30, 60);
        for state in [i64::MAX, NOW + 3600 * MICROS] {
            assert_eq!(
                take(quota, Some(state), NOW),
                Verdict::Exceeded { free_in: 2 * MICROS }
            );
        }
        for state in [i64::MIN, 0, NOW - 1] {
            assert!(matches!(
                take(quota, Some(state), NOW),
                Verdict::Taken { remaining: 29, .. }
            ));
        }
    }

    proptest! {
        #[test]
        fn in_no_stretch_of_time_is_more_taken_than_the_quota_and_what_became_free(
            limit in 1_u32..8,
            window in 1_u32..100,
            steps in proptest::collection::vec(0_i64..30_000_000, 1..60),
        ) {
            let quota = quota(limit, window);
            let (mut now, mut state, mut taken) = (NOW, None, Vec::new());
            for step in steps {
                now += step;
                match take(quota, state, now) {
                    Verdict::Taken { whole_at, remaining, whole_in } => {
                        prop_assert!(whole_at - now == whole_in && remaining < limit);
                        state = Some(whole_at);
                        taken.push(now);
                    }
                    Verdict::Exceeded { free_in } => {
                        prop_assert!(free_in > 0);
                        let still = matches!(take(quota, state, now + free_in - 1), Verdict::Exceeded { .. });
                        let then = matches!(take(quota, state, now + free_in), Verdict::Taken { .. });
                        prop_assert!(still && then, "the wait is exact");
                    }
                }
            }
            for (at, first) in taken.iter().enumerate() {
                for (count, last) in taken.iter().skip(at).enumerate() {
                    let freed = (last - first) / quota.interval_micros();
                    prop_assert!(i64::try_from(count).unwrap() < i64::from(limit) + freed);
                }
            }
        }

        #[test]
        fn nothing_is_too_large_to_be_asked(limit in 1_u32.., window in 1_u32.., state: Option<i64>, now: i64) {
            let _verdict = take(quota(limit, window), state, now);
        }
    }
}
