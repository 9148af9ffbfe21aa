//! `[lockout]`: how often a password may be guessed.

use super::reader::{Mistakes, Section};
use super::sections::Found;
use crate::kernel::time::TimeDelta;

/// `[lockout]`
#[derive(Clone, Copy, Debug)]
pub struct LockoutConfig {
    /// `failures_per_account`: wrong passwords within the window that lock an account, for sign-ins from devices that it does not
    /// know, from each one that it knows, and for who is signed in and names the current password, each counted apart. 1 to
    /// 100 (NIST SP 800-63B-4 §3.2.2), default 5.
    pub failures_per_account: usize,
    /// `failures_per_client`: wrong passwords within the window, for whichever accounts, that lock a client out. 1 to 1000,
    /// default 10.
    pub failures_per_client: usize,
    /// `window_minutes`: how long a wrong password counts. 1 to 1440 minutes, default 15.
    pub window: TimeDelta,
    /// `lock_minutes`: how long a lock lasts. 1 to 1440 minutes, default 15.
    pub lock: TimeDelta,
}

impl LockoutConfig {
    pub(super) fn read((name, settings): Found, mistakes: &mut Mistakes) -> Self {
        const A_DAY: u32 = 24 * 60;
        let mut section = Section::new(name, settings, mistakes);
        let per_account = section.number("failures_per_account", 5, 1..=100);
        let per_client = section.number("failures_per_client", 10, 1..=1000);
        let window = section.number("window_minutes", 15, 1..=A_DAY);
        let lock = section.number("lock_minutes", 15, 1..=A_DAY);
        section.finish();
        Self {
            failures_per_account: usize::try_from(per_account).unwrap_or(usize::MAX),
            failures_per_client: usize::try_from(per_client).unwrap_or(usize::MAX),
            window: TimeDelta::minutes(window.into()),
            lock: TimeDelta::minutes(lock.into()),
        }
    }
}
