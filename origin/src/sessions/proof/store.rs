//! The statement on `sessions` that notes how a holder has proved who they are.

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{FamilyId, Id as _, SecretKeyId};
use crate::kernel::time::Timestamp;
use crate::sessions::{Authentication, Session};

/// Where a chain has come to.
pub(super) struct Place {
    pub(super) family_id: FamilyId,
    pub(super) mac_key_id: SecretKeyId,
    pub(super) generation: i64,
    pub(super) idle_expires_at: Timestamp,
}

/// Stores how the holder of a session has proved who they are, unless it has ended.
pub(super) async fn note_proof(
    connection: &mut PgConnection,
    session: &Session,
    proved: &Authentication,
    now: Timestamp,
) -> Result<Option<Place>, sqlx::Error> {
    sqlx::query_as!(
        Place,
        r#"UPDATE sessions SET auth_time = $3, amr = $4, acr = $5
           WHERE id = $1 AND tenant_id = $2
             AND revoked_at IS NULL AND idle_expires_at > $6 AND absolute_expires_at > $6
           RETURNING family_id AS "family_id: FamilyId", mac_key_id AS "mac_key_id: SecretKeyId", generation,
                     idle_expires_at"#,
        session.id.uuid(),
        session.tenant_id.uuid(),
        proved.time,
        &proved.amr,
        proved.acr.as_str(),
        now,
    )
    .fetch_optional(connection)
    .await
}
