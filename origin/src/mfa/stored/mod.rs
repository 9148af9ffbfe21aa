//! The sign-ins to an account that wait for an answer, and its second factors, for its holder.

mod store;

use serde::Serialize;

use crate::kernel::ids::{ChallengeId, FactorId};
use crate::kernel::time::{Timestamp, as_optional_rfc3339, as_rfc3339};

pub use store::{find as stored, find_backup_codes as stored_backup_codes, find_factors as stored_factors};

/// The row of a challenge, without the digest of its token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredChallenge {
    id: ChallengeId,
    methods: Vec<String>,
    amr: Vec<String>,
    failures: i16,
    #[serde(with = "as_rfc3339")]
    issued_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    expires_at: Timestamp,
}

/// The row of an authenticator app, without its secrets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredFactor {
    id: FactorId,
    #[serde(with = "as_rfc3339")]
    created_at: Timestamp,
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    pending_until: Option<Timestamp>,
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    enabled_at: Option<Timestamp>,
    last_step: Option<i64>,
}

/// The row of a backup code, without what it would be recognised by.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredBackupCode {
    factor_id: FactorId,
    #[serde(with = "as_rfc3339")]
    created_at: Timestamp,
}
