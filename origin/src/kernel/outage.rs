//! Whether something that may be away is away: it is then left alone for a moment, and its absence is logged once.

use std::sync::atomic::{AtomicI64, Ordering};

use super::time::Timestamp;

/// How long something is left alone after it failed, so that one that hangs does not slow every request.
const PAUSE_MILLIS: i64 = 1_000;
/// The state outside of an outage.
const UP: i64 = i64::MIN;

/// The state of one thing, for all who use it.
#[derive(Debug)]
pub struct Outage {
    /// Unix milliseconds before which it is not asked; [`UP`] outside of an outage.
    retry_at: AtomicI64,
}

impl Default for Outage {
    fn default() -> Self {
        Self {
            retry_at: AtomicI64::new(UP),
        }
    }
}

impl Outage {
    /// Whether it failed a moment ago, and is not worth asking.
    #[must_use]
    pub fn is_pausing(&self, now: Timestamp) -> bool {
        self.retry_at.load(Ordering::Relaxed) > now.timestamp_millis()
    }

    /// Notes that it has failed at `now`; whether that is the beginning of an outage.
    pub fn has_failed(&self, now: Timestamp) -> bool {
        let retry_at = now.timestamp_millis().saturating_add(PAUSE_MILLIS);
        self.retry_at.swap(retry_at, Ordering::Relaxed) == UP
    }

    /// Notes that it has answered; whether that is the end of an outage.
    pub fn has_answered(&self) -> bool {
        self.retry_at.swap(UP, Ordering::Relaxed) != UP
    }
}

#[cfg(test)]
mod tests {
    use super::Outage;
    use crate::kernel::time::{TimeDelta, Timestamp};

    #[test]
    fn an_outage_begins_and_ends_once_and_pauses_between_attempts() {
        let outage = Outage::default();
        let now = Timestamp::from_timestamp(1_800_000_000, 0).unwrap();
        let later = now + TimeDelta::seconds(1);
        assert!(!outage.is_pausing(now) && !outage.has_answered());
        assert!(outage.has_failed(now));
        assert!(outage.is_pausing(later - TimeDelta::milliseconds(1)) && !outage.is_pausing(later));
        assert!(!outage.has_failed(later));
        assert!(outage.is_pausing(later));
        assert!(outage.has_answered());
        assert!(!outage.has_answered() && !outage.is_pausing(later));
    }
}
