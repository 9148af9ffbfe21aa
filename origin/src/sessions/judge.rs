//! What a refresh token is worth, decided from the state of its chain alone.
//!
//! Pure: the caller holds the lock on the session row, has checked the token's MAC, and acts on the verdict.

use crate::kernel::time::{TimeDelta, Timestamp};

/// The position and the life of a chain, as the session row has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainState {
    /// The generation that may be presented now; starts at 0.
    pub generation: u64,
    /// When the current generation was first given out.
    pub rotated_at: Timestamp,
    /// The chain ends here if it is not refreshed before.
    pub idle_expires_at: Timestamp,
    /// The chain ends here in any case.
    pub absolute_expires_at: Timestamp,
    /// Whether the session was ended early.
    pub revoked: bool,
}

/// What is to be done about a presented token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The current generation: give out the next one.
    Rotate,
    /// The direct predecessor, within the replay window: give out the current generation once more.
    Replay,
    /// Anything older, or the predecessor after the window: end the session.
    Reuse,
    /// The chain has run out, by idleness or by age.
    Expired,
    /// The session was ended early.
    Revoked,
    /// A generation that was never given out, under a good MAC: the database was set back to an earlier
    /// state. Nobody is accused of theft for that.
    Unissued,
}

/// Judges generation `presented` of a chain at the moment `now`.
///
/// `replay_window` is how long the direct predecessor is answered again, counted from the rotation that
/// replaced it, its last instant excluded. Replicas whose clocks differ may see a rotation in the future;
/// that counts as just now.
#[must_use]
pub fn judge(presented: u64, state: &ChainState, now: Timestamp, replay_window: TimeDelta) -> Judgement {
    if state.revoked {
        Judgement::Revoked
    } else if now >= state.idle_expires_at || now >= state.absolute_expires_at {
        Judgement::Expired
    } else if presented > state.generation {
        Judgement::Unissued
    } else if presented == state.generation {
        Judgement::Rotate
    } else if presented + 1 == state.generation && now - state.rotated_at < replay_window {
        Judgement::Replay
    } else {
        Judgement::Reuse
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: TimeDelta = TimeDelta::seconds(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_timestamp(1_700_000_000 + seconds, 0).unwrap()
    }

    fn chain() -> ChainState {
        ChainState {
            generation: 5,
            rotated_at: at(0),
            idle_expires_at: at(1_000),
            absolute_expires_at: at(3_000),
            revoked: false,
        }
    }

    #[test]
    fn the_current_generation_rotates() {
        assert_eq!(judge(5, &chain(), at(999), WINDOW), Judgement::Rotate);
    }

    #[test]
    fn the_predecessor_is_answered_again_until_the_window_closes() {
        assert_eq!(judge(4, &chain(), at(0), WINDOW), Judgement::Replay);
        assert_eq!(judge(4, &chain(), at(59), WINDOW), Judgement::Replay);
        assert_eq!(judge(4, &chain(), at(60), WINDOW), Judgement::Reuse);
    }

    #[test]
    fn a_rotation_that_seems_to_lie_ahead_counts_as_just_now() {
        assert_eq!(judge(4, &chain(), at(-2), WINDOW), Judgement::Replay);
    }

    #[test]
    fn anything_before_the_predecessor_is_reuse_at_once() {
        assert_eq!(judge(3, &chain(), at(0), WINDOW), Judgement::Reuse);
        assert_eq!(judge(0, &chain(), at(0), WINDOW), Judgement::Reuse);
    }

    #[test]
    fn an_empty_window_makes_every_second_use_reuse() {
        assert_eq!(judge(4, &chain(), at(0), TimeDelta::zero()), Judgement::Reuse);
    }

    #[test]
    fn a_generation_that_was_never_given_out_is_not_called_reuse() {
        assert_eq!(judge(6, &chain(), at(0), WINDOW), Judgement::Unissued);
        assert_eq!(judge(u64::MAX, &chain(), at(0), WINDOW), Judgement::Unissued);
    }

    #[test]
    fn a_chain_ends_at_the_instant_of_either_expiry() {
        assert_eq!(judge(5, &chain(), at(1_000), WINDOW), Judgement::Expired);
        let aged = ChainState {
            idle_expires_at: at(3_000),
            ..chain()
        };
        assert_eq!(judge(5, &aged, at(2_999), WINDOW), Judgement::Rotate);
        assert_eq!(judge(5, &aged, at(3_000), WINDOW), Judgement::Expired);
    }

    #[test]
    fn a_revoked_chain_is_revoked_whatever_is_presented() {
        let revoked = ChainState {
            revoked: true,
            ..chain()
        };
        for presented in [0, 4, 5, 6] {
            assert_eq!(judge(presented, &revoked, at(5_000), WINDOW), Judgement::Revoked);
        }
    }

    /// What a client, a thief or the passing of time may do to a chain.
    #[derive(Clone, Debug)]
    enum Step {
        Present(u64),
        Wait(i64),
        Revoke,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => (0_u64..12).prop_map(Step::Present),
            4 => (0_i64..100).prop_map(Step::Wait),
            1 => (100_i64..2_000).prop_map(Step::Wait),
            1 => Just(Step::Revoke),
        ]
    }

    /// The chain as a list of tokens that were given out, each with the moment at which it was: what the row
    /// would hold if it were allowed to remember everything.
    struct Model {
        given_out: Vec<Timestamp>,
        dead: bool,
    }

    const IDLE: TimeDelta = TimeDelta::seconds(1_000);
    const ABSOLUTE: TimeDelta = TimeDelta::seconds(3_000);

    impl Model {
        fn expect(&self, presented: u64, now: Timestamp) -> Judgement {
            let last = *self.given_out.last().unwrap();
            let index = usize::try_from(presented).unwrap();
            let successors = self.given_out.get(index + 1..).unwrap_or_default();
            if self.dead {
                Judgement::Revoked
            } else if now - last >= IDLE || now - self.given_out[0] >= ABSOLUTE {
                Judgement::Expired
            } else if index >= self.given_out.len() {
                Judgement::Unissued
            } else {
                match successors {
                    [] => Judgement::Rotate,
                    [only] if now - *only < WINDOW => Judgement::Replay,
                    _ => Judgement::Reuse,
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_row_judges_as_a_complete_history_would(steps in prop::collection::vec(step(), 1..40)) {
            let mut now = at(0);
            let mut model = Model { given_out: vec![now], dead: false };
            let mut row = ChainState {
                generation: 0,
                rotated_at: now,
                idle_expires_at: now + IDLE,
                absolute_expires_at: now + ABSOLUTE,
                revoked: false,
            };
            for step in steps {
                match step {
                    Step::Wait(seconds) => now += TimeDelta::seconds(seconds),
                    Step::Revoke => {
                        model.dead = true;
                        row.revoked = true;
                    }
                    Step::Present(presented) => {
                        let verdict = judge(presented, &row, now, WINDOW);
                        prop_assert_eq!(verdict, model.expect(presented, now));
                        match verdict {
                            Judgement::Rotate => {
                                model.given_out.push(now);
                                row.generation += 1;
                                row.rotated_at = now;
                                row.idle_expires_at = (now + IDLE).min(row.absolute_expires_at);
                            }
                            Judgement::Reuse => {
                                model.dead = true;
                                row.revoked = true;
                            }
                            Judgement::Replay | Judgement::Expired | Judgement::Revoked | Judgement::Unissued => {}
                        }
                    }
                }
            }
        }

        /// The design has two windows: one for the direct predecessor in any case, and a longer one while its
        /// successor has never been presented. Decision 3 says that the second makes the first idle.
        #[test]
        fn the_two_windows_of_the_design_decide_as_the_one_does(steps in prop::collection::vec(step(), 1..60)) {
            const SHORT: TimeDelta = TimeDelta::seconds(10);
            let mut now = at(0);
            let mut row = ChainState { generation: 0, rotated_at: now, ..chain() };
            let mut presented_before = std::collections::BTreeSet::new();
            for step in steps {
                match step {
                    Step::Wait(seconds) => now += TimeDelta::seconds(seconds % 30),
                    Step::Revoke => {}
                    Step::Present(presented) => {
                        row.idle_expires_at = now + IDLE;
                        row.absolute_expires_at = now + IDLE;
                        let age = now - row.rotated_at;
                        let is_direct_predecessor = presented + 1 == row.generation;
                        let successor_was_presented = presented_before.contains(&(presented + 1));
                        let by_two_windows = is_direct_predecessor
                            && (age < SHORT || (!successor_was_presented && age < WINDOW));
                        prop_assert!(!(is_direct_predecessor && successor_was_presented));
                        let verdict = judge(presented, &row, now, WINDOW);
                        prop_assert_eq!(verdict == Judgement::Replay, by_two_windows);
                        if verdict == Judgement::Rotate {
                            row.generation += 1;
                            row.rotated_at = now;
                        }
                        if presented < row.generation {
                            presented_before.insert(presented);
                        }
                    }
                }
            }
        }

        #[test]
        fn no_two_presentations_of_one_generation_rotate(times in prop::collection::vec(0_i64..200, 2..20)) {
            let mut row = ChainState { generation: 0, rotated_at: at(0), ..chain() };
            let mut rotations = 0;
            for seconds in times {
                if judge(0, &row, at(seconds), WINDOW) == Judgement::Rotate {
                    rotations += 1;
                    row.generation += 1;
                    row.rotated_at = at(seconds);
                }
            }
            prop_assert_eq!(rotations, 1);
        }
    }
}
