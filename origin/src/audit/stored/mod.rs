//! What the log holds about an account, for its holder.

mod store;

use std::net::IpAddr;

use serde::Serialize;

use crate::kernel::ids::{AuditEventId, SessionId, TenantId, UserId};
use crate::kernel::time::{Timestamp, as_rfc3339};

pub use store::find as stored;

/// An event as its subject may see it: where another account is its actor, that one's address and program are left out,
/// since they are data about somebody else.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredEvent {
    id: AuditEventId,
    #[serde(with = "as_rfc3339")]
    at: Timestamp,
    #[serde(rename = "type")]
    kind: String,
    actor: Option<UserId>,
    subject: Option<UserId>,
    tenant_id: Option<TenantId>,
    session_id: Option<SessionId>,
    ip: Option<IpAddr>,
    user_agent: Option<String>,
    request_id: Option<String>,
    detail: serde_json::Value,
}
