//! A clock that stands still until a test moves it.

use std::sync::atomic::{AtomicI64, Ordering};

use portcullis_origin::kernel::clock::{Clock, SystemClock};
use portcullis_origin::kernel::time::{TimeDelta, Timestamp};

/// Starts at the present moment, since Redis forgets by its own clock.
#[derive(Debug)]
pub(crate) struct TestClock(AtomicI64);

impl Default for TestClock {
    fn default() -> Self {
        Self(AtomicI64::new(SystemClock.now().timestamp_micros()))
    }
}

impl TestClock {
    /// Moves the clock.
    pub(crate) fn advance(&self, by: TimeDelta) {
        self.0.fetch_add(by.num_microseconds().unwrap(), Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_timestamp_micros(self.0.load(Ordering::SeqCst)).unwrap()
    }
}
