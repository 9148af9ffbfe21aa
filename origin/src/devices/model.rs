//! Devices as the other rooms see them.

use crate::kernel::ids::DeviceId;
use crate::kernel::time::{TimeDelta, Timestamp};

use super::token::DeviceToken;

/// A device that an account has signed in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownDevice {
    /// Its identifier.
    pub id: DeviceId,
    /// What it is called, such as `Firefox on Linux`, where its program is a known one.
    pub kind: Option<String>,
    /// The first good sign-in with it.
    pub first_seen_at: Timestamp,
    /// The last good sign-in with it.
    pub last_seen_at: Timestamp,
}

impl KnownDevice {
    /// How far it is to be trusted at `now`.
    #[must_use]
    pub fn trust(&self, now: Timestamp) -> Trust {
        Trust::earned(now - self.first_seen_at, now - self.last_seen_at)
    }
}

/// A device that somebody has just signed in with.
pub struct Met {
    /// Its identifier.
    pub id: DeviceId,
    /// How far it was to be trusted before this sign-in.
    pub trust: Trust,
    /// What the device is to present the next time.
    pub token: DeviceToken,
}

/// How well an account knows a device, from 0 to 100. What is asked of somebody beside their password depends on it, and on nothing
/// else about a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trust(u8);

impl Trust {
    /// That of a device that the account has not seen before.
    pub const NONE: Self = Self(0);
    /// Below this, who signs in has shown too little.
    const ENOUGH: Self = Self(30);

    /// 50 for being known; one more for each ten days since it was first seen, up to 20; and up to 30 for having been seen within a day, a
    /// week or a month.
    fn earned(age: TimeDelta, unseen: TimeDelta) -> Self {
        // Replicas whose clocks differ may have seen it a moment ahead.
        let tens_of_days = (age.num_days() / 10).clamp(0, 20);
        let for_age = u8::try_from(tens_of_days).unwrap_or(20);
        let for_activity = match unseen.num_days() {
            ..1 => 30,
            1..7 => 20,
            7..30 => 10,
            30.. => 0,
        };
        Self(50 + for_age + for_activity)
    }

    /// The number.
    #[must_use]
    pub const fn score(self) -> u8 {
        self.0
    }

    /// Whether a sign-in with the device deserves more than a password: the account is told of it.
    #[must_use]
    pub fn is_low(self) -> bool {
        self < Self::ENOUGH
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_grows_with_age_and_fades_with_absence() {
        for (age, unseen, score) in [
            (TimeDelta::zero(), TimeDelta::zero(), 80),
            (TimeDelta::hours(-1), TimeDelta::hours(-1), 80),
            (TimeDelta::days(9), TimeDelta::hours(23), 80),
            (TimeDelta::days(10), TimeDelta::hours(24), 71),
            (TimeDelta::days(7), TimeDelta::days(7) - TimeDelta::seconds(1), 70),
            (TimeDelta::days(7), TimeDelta::days(7), 60),
            (
                TimeDelta::days(30),
                TimeDelta::days(30) - TimeDelta::seconds(1),
                63,
            ),
            (TimeDelta::days(30), TimeDelta::days(30), 53),
            (TimeDelta::days(199), TimeDelta::days(179), 69),
            (TimeDelta::days(10_000), TimeDelta::zero(), 100),
        ] {
            assert_eq!(Trust::earned(age, unseen).score(), score, "{age} {unseen}");
        }
    }

    #[test]
    fn only_a_device_that_is_not_known_is_trusted_too_little() {
        assert!(Trust::NONE.is_low());
        let worst = Trust::earned(TimeDelta::zero(), TimeDelta::days(180));
        assert!(!worst.is_low());
    }
}
