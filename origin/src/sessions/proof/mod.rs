//! What the holder of a session shows once more, and what its tokens say from then on.

mod store;

use secrecy::SecretString;

use crate::kernel::db::PgConnection;
use crate::kernel::time::Timestamp;

use super::{Authentication, Link, Session, Sessions, SessionsError};

impl Sessions {
    /// Notes that the holder of a live session has proved once more who they are, and gives the session as it is then with the refresh token that its
    /// chain has come to; the chain stays where it is. `None`: the session has ended.
    pub async fn step_up(
        &self,
        connection: &mut PgConnection,
        session: &Session,
        proved: Authentication,
        now: Timestamp,
    ) -> Result<Option<(Session, SecretString)>, SessionsError> {
        let Some(place) = store::note_proof(connection, session, &proved, now).await? else {
            return Ok(None);
        };
        let key = self.keys.by_id(connection, place.mac_key_id).await?;
        let token = key.derive(&Link {
            tenant: session.tenant_id,
            session: session.id,
            family: place.family_id,
            generation: place.generation.unsigned_abs(),
        });
        let session = Session {
            authentication: proved,
            expires_at: place.idle_expires_at,
            ..session.clone()
        };
        Ok(Some((session, token)))
    }
}

/// Notes that the holder of a live session has shown a code beside what opened it: its next tokens say so. Nothing is done to one that has ended.
pub async fn strengthen(
    connection: &mut PgConnection,
    session: &Session,
    now: Timestamp,
) -> Result<(), SessionsError> {
    let proved = session.authentication.strengthened(now);
    store::note_proof(connection, session, &proved, now).await?;
    Ok(())
}
