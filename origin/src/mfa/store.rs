//! All SQL on `sign_in_challenges`.

use crate::accounts::User;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{ChallengeId, Id as _, TenantId, UserId};
use crate::kernel::secret_digest::SecretDigest;
use crate::kernel::time::Timestamp;

use super::challenge::{Asked, Challenge, Method, NewChallenge};

/// How many wrong codes end a challenge.
const MOST_FAILURES: i16 = 5;

pub(super) async fn insert(
    connection: &mut PgConnection,
    user: &User,
    asked: &Asked,
    new: &NewChallenge<'_>,
    now: Timestamp,
    expires_at: Timestamp,
) -> Result<(), sqlx::Error> {
    let digest = asked.token.digest().to_bytes();
    let device = new.device.digest().to_bytes();
    sqlx::query!(
        "INSERT INTO sign_in_challenges (id, tenant_id, user_id, token_digest, device_digest, methods, amr,
                                         issued_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        asked.id.uuid(),
        user.tenant_id.uuid(),
        user.id.uuid(),
        digest.as_slice(),
        device.as_slice(),
        new.methods as &[Method],
        new.amr,
        now,
        expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// When those of an account end that can be answered at `now`.
pub(super) async fn expiries(
    connection: &mut PgConnection,
    user: &User,
    now: Timestamp,
) -> Result<Vec<Timestamp>, sqlx::Error> {
    sqlx::query_scalar!(
        "SELECT expires_at FROM sign_in_challenges WHERE tenant_id = $1 AND user_id = $2 AND expires_at > $3",
        user.tenant_id.uuid(),
        user.id.uuid(),
        now,
    )
    .fetch_all(connection)
    .await
}

/// The challenge with this identifier, unless it has expired.
pub(super) async fn find(
    connection: &mut PgConnection,
    id: ChallengeId,
    now: Timestamp,
) -> Result<Option<Challenge>, sqlx::Error> {
    sqlx::query_as!(
        Challenge,
        r#"SELECT id AS "id: ChallengeId", tenant_id AS "tenant: TenantId", user_id AS "user: UserId",
                  methods AS "methods: Vec<Method>", amr, failures, expires_at
           FROM sign_in_challenges WHERE id = $1 AND expires_at > $2"#,
        id.uuid(),
        now,
    )
    .fetch_optional(connection)
    .await
}

/// The same by what its client was given, and what the client says of its device.
pub(super) async fn find_by_token(
    connection: &mut PgConnection,
    digest: &SecretDigest,
    device: &SecretDigest,
    now: Timestamp,
) -> Result<Option<Challenge>, sqlx::Error> {
    let (digest, device) = (digest.to_bytes(), device.to_bytes());
    sqlx::query_as!(
        Challenge,
        r#"SELECT id AS "id: ChallengeId", tenant_id AS "tenant: TenantId", user_id AS "user: UserId",
                  methods AS "methods: Vec<Method>", amr, failures, expires_at
           FROM sign_in_challenges WHERE token_digest = $1 AND device_digest = $2 AND expires_at > $3"#,
        digest.as_slice(),
        device.as_slice(),
        now,
    )
    .fetch_optional(connection)
    .await
}

/// Uses up a challenge of an account that the caller has locked.
pub async fn answer(connection: &mut PgConnection, challenge: &Challenge) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM sign_in_challenges WHERE id = $1",
        challenge.id.uuid()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts a wrong code against a challenge of an account that the caller has locked; the fifth ends it.
pub async fn fail(connection: &mut PgConnection, challenge: &Challenge) -> Result<(), sqlx::Error> {
    let failures = challenge.failures + 1;
    if failures >= MOST_FAILURES {
        return answer(connection, challenge).await;
    }
    sqlx::query!(
        "UPDATE sign_in_challenges SET failures = $2 WHERE id = $1",
        challenge.id.uuid(),
        failures,
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn remove_all(connection: &mut PgConnection, user: &User) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM sign_in_challenges WHERE tenant_id = $1 AND user_id = $2",
        user.tenant_id.uuid(),
        user.id.uuid(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes the challenges that nobody has answered in time. How many.
pub async fn purge_expired(connection: &mut PgConnection, now: Timestamp) -> Result<u64, sqlx::Error> {
    let done = sqlx::query!("DELETE FROM sign_in_challenges WHERE expires_at <= $1", now)
        .execute(connection)
        .await?;
    Ok(done.rows_affected())
}
