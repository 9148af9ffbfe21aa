//! `[accounts]`: what becomes of accounts that were given up.

use super::reader::{Mistakes, Section};
use super::sections::Found;
use crate::kernel::time::TimeDelta;

/// `[accounts]`
#[derive(Clone, Copy, Debug)]
pub struct AccountsConfig {
    /// `purge_after_days`: how long an account that was deleted is kept, hidden, before it is gone and its address free. 1 to 3650
    /// days, default 30.
    pub purge_after: TimeDelta,
}

impl AccountsConfig {
    pub(super) fn read((name, settings): Found, mistakes: &mut Mistakes) -> Self {
        let mut section = Section::new(name, settings, mistakes);
        let purge_after = section.number("purge_after_days", 30, 1..=3650);
        section.finish();
        Self {
            purge_after: TimeDelta::days(purge_after.into()),
        }
    }
}
