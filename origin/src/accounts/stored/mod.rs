//! All that is stored of an account, for its holder.

mod store;

use std::net::IpAddr;

use serde::Serialize;

use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::time::{Timestamp, as_optional_rfc3339, as_rfc3339};

use super::model::KycStatus;

pub use store::find as stored;

/// The row of an account, without the hash of its password.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the columns of a row, as they are")]
pub struct StoredAccount {
    id: UserId,
    tenant_id: TenantId,
    email: String,
    email_verified: bool,
    has_password: bool,
    first_name: String,
    last_name: String,
    phone: Option<String>,
    phone_verified: bool,
    mfa_enabled: bool,
    role: String,
    status: String,
    kyc_status: KycStatus,
    kyc_level: i32,
    preferences: serde_json::Value,
    version: i64,
    #[serde(with = "as_rfc3339")]
    created_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    updated_at: Timestamp,
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    last_login_at: Option<Timestamp>,
    last_login_ip: Option<IpAddr>,
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    tokens_not_before: Option<Timestamp>,
}
