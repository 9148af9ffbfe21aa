//! Attempts, and the locks that refuse them.

use std::fmt;

use portcullis_shared::problem::ProblemCode;

use crate::http::Problem;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::time::Timestamp;

use super::group::Group;

/// What failures are counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Kind {
    /// An account, or an address without one: attempts from devices that it does not know.
    Account,
    /// A device that an account knows.
    Device,
    /// Whoever is signed in to an account, and names its password once more.
    Holder,
    /// A network address, whichever accounts were tried from there.
    Client,
    /// Whoever knows the password of an account, and is asked for a code.
    Factor,
}

impl Kind {
    /// All that an account has.
    pub const OF_ACCOUNT: &[Self] = &[Self::Account, Self::Device, Self::Holder, Self::Factor];
    /// Those that wrong passwords have brought about.
    pub const OF_PASSWORDS: &[Self] = &[Self::Account, Self::Device, Self::Holder];

    /// The name in the database and in the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Device => "device",
            Self::Holder => "holder",
            Self::Client => "client",
            Self::Factor => "factor",
        }
    }
}

/// Somebody is about to show that they know a secret.
pub struct Attempt {
    pub(super) tenant: TenantId,
    /// Whose account it is about, where there is one.
    pub(super) subject: Option<UserId>,
    groups: Vec<Group>,
}

impl Attempt {
    pub(super) fn new(tenant: TenantId, subject: Option<UserId>, mut groups: Vec<Group>) -> Self {
        // In one order for all, so that no two attempts wait for one another.
        groups.sort_by_key(|group| group.key);
        Self {
            tenant,
            subject,
            groups,
        }
    }

    /// In the order in which they are locked.
    pub(super) fn groups(&self) -> &[Group] {
        &self.groups
    }

    pub(super) fn keys(&self) -> Vec<&[u8]> {
        self.groups.iter().map(|group| group.key.as_slice()).collect()
    }
}

/// A row as it is found, without a lock on it.
pub(super) struct Found {
    pub(super) key: Vec<u8>,
    pub(super) kind: Kind,
    pub(super) locked_until: Option<Timestamp>,
}

impl Found {
    pub(super) fn lock_at(&self, now: Timestamp) -> Option<Locked> {
        let until = self.locked_until.filter(|until| *until > now)?;
        Some(Locked::new(self.kind, until, now))
    }
}

/// There were too many failures; nothing is tried for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub struct Locked {
    /// Seconds until the lock ends, rounded up. The longest lock is the greatest.
    retry_after: u64,
    kind: Kind,
}

impl Locked {
    pub(super) fn new(kind: Kind, until: Timestamp, now: Timestamp) -> Self {
        let millis = u64::try_from((until - now).num_milliseconds()).unwrap_or_default();
        Self {
            retry_after: millis.div_ceil(1000).max(1),
            kind,
        }
    }
}

/// The reason in the audit log.
impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too many failures of this {}", self.kind.as_str())
    }
}

impl From<Locked> for Problem {
    fn from(locked: Locked) -> Self {
        let (code, detail) = match locked.kind {
            Kind::Account | Kind::Device => (
                ProblemCode::AccountLocked,
                "Too many wrong passwords. Please wait, or choose a new password.",
            ),
            Kind::Factor => (ProblemCode::AccountLocked, "Too many wrong codes. Please wait."),
            // The account is open to who knows its password and comes from elsewhere, or is signed in to.
            Kind::Holder | Kind::Client => {
                (ProblemCode::RateLimited, "Too many wrong passwords. Please wait.")
            }
        };
        Self::new(code).detail(detail).retry_after(locked.retry_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::time::TimeDelta;

    #[test]
    fn whoever_comes_back_when_told_does_not_come_too_early() {
        let now = Timestamp::UNIX_EPOCH;
        for (left, seconds) in [(900_000, 900), (899_001, 900), (899_000, 899), (1, 1), (0, 1)] {
            let locked = Locked::new(Kind::Account, now + TimeDelta::milliseconds(left), now);
            assert_eq!(locked.retry_after, seconds, "{left} ms");
        }
    }

    #[test]
    fn of_two_locks_the_later_one_counts() {
        let now = Timestamp::UNIX_EPOCH;
        let lock = |kind, minutes| Locked::new(kind, now + TimeDelta::minutes(minutes), now);
        assert!(lock(Kind::Account, 15) > lock(Kind::Client, 14));
        assert!(lock(Kind::Client, 15) > lock(Kind::Account, 14));
    }
}
