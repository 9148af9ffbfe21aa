//! What may be written, and to whom.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::jobs::Task;
use crate::kernel::ids::AuditEventId;

/// One letter to one person, as it waits in the queue. The stored names never change.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Letter {
    /// A refresh token was used after it had been replaced, and its session was ended for that.
    SessionEndedByReuse {
        /// The event `refresh_reused`: whose session, when, and from where.
        event: AuditEventId,
    },
}

impl Task for Letter {
    const NAME: &'static str = "send_mail";
    /// For about two days, which is longer than a weekend's outage of a mail server that nobody looks after.
    const ATTEMPTS: i32 = 16;
    /// The transport's own limit, which is configured, is shorter.
    const TIME_LIMIT: Duration = Duration::from_mins(6);
}

/// Somebody who is written to.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// The first name, as its owner typed it.
    pub first_name: String,
    /// What the operator calls the tenant.
    pub tenant_name: String,
}

/// Who somebody is does not belong in logs.
impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recipient(…)")
    }
}
