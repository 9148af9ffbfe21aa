//! The links that an account was sent and has not used, for its holder.

mod store;

use serde::Serialize;

use crate::kernel::ids::TicketId;
use crate::kernel::time::{Timestamp, as_rfc3339};

pub use store::find as stored;

/// The row of a ticket, without the digest of its secret.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredTicket {
    id: TicketId,
    purpose: String,
    email: String,
    #[serde(with = "as_rfc3339")]
    issued_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    expires_at: Timestamp,
}
