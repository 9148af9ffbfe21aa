//! The sign-ins to an account that wait for an answer, for its holder.

mod store;

use serde::Serialize;

use crate::kernel::ids::ChallengeId;
use crate::kernel::time::{Timestamp, as_rfc3339};

pub use store::find as stored;

/// The row of a challenge, without the digest of its token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredChallenge {
    id: ChallengeId,
    methods: Vec<String>,
    failures: i16,
    #[serde(with = "as_rfc3339")]
    issued_at: Timestamp,
    #[serde(with = "as_rfc3339")]
    expires_at: Timestamp,
}
