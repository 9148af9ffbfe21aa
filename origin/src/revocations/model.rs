//! Entries, and what is told of them.

use std::collections::BTreeMap;

use portcullis_shared::revocation::Cursor;
use uuid::Uuid;

use crate::kernel::ids::{SessionId, TenantId, UserId};
use crate::kernel::time::Timestamp;

/// One thing that the edge must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The session has ended: none of its tokens passes any more.
    Session {
        /// The tenant it lived in.
        tenant: TenantId,
        /// The claim `sid`.
        session: SessionId,
    },
    /// What tokens say of an account has changed: those of before are stale, and a refresh gives a good one.
    Subject {
        /// The tenant it lives in.
        tenant: TenantId,
        /// The claim `sub`.
        user: UserId,
        /// Tokens with an earlier `iat` are stale; whole seconds, see [`not_before`](super::not_before).
        not_before: Timestamp,
    },
}

/// What a reader is told: everything that it does not know and that still matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The state of the database.
    pub state: Cursor,
    /// Entries with a number up to this are left out, because the reader has them; `None` if none is.
    pub since: Option<u64>,
    /// The reader knows more than there is: the database was set back to an earlier state.
    pub reader_is_ahead: bool,
    /// Sessions that have ended.
    pub sessions: Vec<Uuid>,
    /// Accounts, and the moment in Unix seconds before which their tokens are stale: the newest there is.
    pub subjects: BTreeMap<Uuid, i64>,
}
