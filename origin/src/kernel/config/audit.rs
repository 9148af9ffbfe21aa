//! `[audit]`: how long it is remembered what happened.

use super::reader::{Mistakes, Section};
use super::sections::Found;
use crate::kernel::time::TimeDelta;

/// `[audit]`
#[derive(Clone, Copy, Debug)]
pub struct AuditConfig {
    /// `retention_days`: months of events that ended longer ago are removed. 0 (`None`, for ever) or 31 to 36500 days, default 400:
    /// a year, and the month that is compared with it.
    pub retention: Option<TimeDelta>,
}

impl AuditConfig {
    pub(super) fn read((name, settings): Found, mistakes: &mut Mistakes) -> Self {
        let mut section = Section::new(name, settings, mistakes);
        let days = section.number("retention_days", 400, 0..=36_500);
        if (1..31).contains(&days) {
            section.mistake("retention_days", "must be 0, for ever, or at least 31");
        }
        section.finish();
        Self {
            retention: (days > 0).then(|| TimeDelta::days(days.into())),
        }
    }
}
