//! All SQL on `venue_roles`. Joins read `users`, so that a question costs one query; nothing here writes them.
//!
//! A grant counts while it has not run out: `expires_at IS NULL OR expires_at > now`, in its own brackets each time.

use portcullis_shared::roles::VENUE_OWNER;

use crate::accounts::Role;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{GrantId, Id as _, TenantId, UserId, VenueId};
use crate::kernel::time::Timestamp;

use super::effective::{Effective, RoleThere};
use super::model::{Grant, Granter, NewGrant, Place, VenueRole};

/// Sets the locks on venues apart from other advisory locks with two keys.
const VENUE_LOCKS: i32 = 0x0076_6e75;

/// Waits for the turn to change something at a venue, until the transaction ends. Venues have no row that could be locked;
/// two whose hashes are the same wait for each other, and that is all.
pub(super) async fn lock_venue(connection: &mut PgConnection, place: Place) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "SELECT pg_advisory_xact_lock($1, hashtext($2))",
        VENUE_LOCKS,
        format!("{}{}", place.tenant, place.venue),
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What an account holds at `now`; `None` where it may not sign in.
pub(super) async fn find_effective(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
    venue: Option<VenueId>,
    now: Timestamp,
) -> Result<Option<Effective>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT u.role AS "global: Role", r.role AS "role?", r.expires_at
           FROM users u
           LEFT JOIN venue_roles r
             ON r.tenant_id = u.tenant_id AND r.user_id = u.id AND r.venue_id = $3
            AND (r.expires_at IS NULL OR r.expires_at > $4)
           WHERE u.tenant_id = $1 AND u.id = $2 AND u.status = 'active' AND u.deleted_at IS NULL
           ORDER BY r.role"#,
        tenant.uuid(),
        user.uuid(),
        venue.map(VenueId::uuid),
        now,
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.first().map(|row| row.global).map(|global| Effective {
        global,
        at_venue: rows
            .into_iter()
            .filter_map(|row| {
                let lasting = row.expires_at.into();
                row.role.map(|name| RoleThere { name, lasting })
            })
            .collect(),
    }))
}

/// The roles of an account at one venue.
pub(super) struct RolesAtVenue {
    pub(super) venue_id: VenueId,
    pub(super) roles: Vec<String>,
    /// When the first of them ends.
    pub(super) expires_at: Option<Timestamp>,
}

/// What an account holds at `moment`, up to `limit` venues in the order of their identifiers.
pub(super) async fn find_held(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
    moment: Timestamp,
    limit: i64,
) -> Result<Vec<RolesAtVenue>, sqlx::Error> {
    sqlx::query_as!(
        RolesAtVenue,
        r#"SELECT venue_id AS "venue_id: VenueId", array_agg(role ORDER BY role) AS "roles!",
                  min(expires_at) AS expires_at
           FROM venue_roles
           WHERE tenant_id = $1 AND user_id = $2 AND (expires_at IS NULL OR expires_at > $3)
           GROUP BY venue_id ORDER BY venue_id LIMIT $4"#,
        tenant.uuid(),
        user.uuid(),
        moment,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Up to `limit` grants at a venue, the oldest first. Accounts that were deleted hold nothing.
pub(super) async fn list(
    connection: &mut PgConnection,
    place: Place,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<Grant>, sqlx::Error> {
    sqlx::query_as!(
        Grant,
        r#"SELECT r.user_id AS "user_id: UserId", r.venue_id AS "venue_id: VenueId", r.role,
                  r.granted_by AS "granted_by: UserId", r.granted_at, r.expires_at
           FROM venue_roles r
           JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id
           WHERE r.tenant_id = $1 AND r.venue_id = $2 AND (r.expires_at IS NULL OR r.expires_at > $3)
             AND u.deleted_at IS NULL
           ORDER BY r.granted_at, r.id LIMIT $4"#,
        place.tenant.uuid(),
        place.venue.uuid(),
        now,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Grants a role that is not held, or has run out.
pub(super) async fn insert(
    connection: &mut PgConnection,
    place: Place,
    id: GrantId,
    new: &NewGrant,
    granter: Granter,
    now: Timestamp,
) -> Result<Grant, sqlx::Error> {
    let (kind, granted_by) = match granter {
        Granter::Account(user) => ("account", Some(user.uuid())),
        Granter::Operator => ("operator", None),
    };
    sqlx::query_as!(
        Grant,
        r#"INSERT INTO venue_roles AS r
               (id, tenant_id, user_id, venue_id, role, granter, granted_by, granted_at, expires_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
           ON CONFLICT ON CONSTRAINT venue_roles_tenant_id_user_id_venue_id_role_key DO UPDATE
               SET id = EXCLUDED.id, granter = EXCLUDED.granter, granted_by = EXCLUDED.granted_by,
                   granted_at = EXCLUDED.granted_at, expires_at = EXCLUDED.expires_at
               WHERE r.expires_at <= EXCLUDED.granted_at
           RETURNING user_id AS "user_id: UserId", venue_id AS "venue_id: VenueId", role,
                     granted_by AS "granted_by: UserId", granted_at, expires_at"#,
        id.uuid(),
        place.tenant.uuid(),
        new.user.uuid(),
        place.venue.uuid(),
        new.role.as_str(),
        kind,
        granted_by,
        now,
        new.expiry.moment(),
    )
    .fetch_one(connection)
    .await
}

/// The grant of this role, if it is held.
pub(super) async fn find(
    connection: &mut PgConnection,
    place: Place,
    new: &NewGrant,
    now: Timestamp,
) -> Result<Option<Grant>, sqlx::Error> {
    let grants = find_of_account(connection, place, new.user, Some(new.role), now).await?;
    Ok(grants.into_iter().next())
}

/// Lets a grant end at another moment, or not at all.
pub(super) async fn set_expiry(
    connection: &mut PgConnection,
    place: Place,
    grant: &NewGrant,
    expires_at: Option<Timestamp>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "UPDATE venue_roles SET expires_at = $5
         WHERE tenant_id = $1 AND user_id = $2 AND venue_id = $3 AND role = $4",
        place.tenant.uuid(),
        grant.user.uuid(),
        place.venue.uuid(),
        grant.role.as_str(),
        expires_at,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What an account of any status holds at a venue: all, or the one role that is meant.
pub(super) async fn find_of_account(
    connection: &mut PgConnection,
    place: Place,
    user: UserId,
    role: Option<VenueRole>,
    now: Timestamp,
) -> Result<Vec<Grant>, sqlx::Error> {
    sqlx::query_as!(
        Grant,
        r#"SELECT user_id AS "user_id: UserId", venue_id AS "venue_id: VenueId", role,
                  granted_by AS "granted_by: UserId", granted_at, expires_at
           FROM venue_roles
           WHERE tenant_id = $1 AND user_id = $2 AND venue_id = $3 AND ($4::text IS NULL OR role = $4)
             AND (expires_at IS NULL OR expires_at > $5)
           ORDER BY role"#,
        place.tenant.uuid(),
        user.uuid(),
        place.venue.uuid(),
        role.map(VenueRole::as_str),
        now,
    )
    .fetch_all(connection)
    .await
}

/// Whether somebody other than `user` owns the venue for good who may sign in.
pub(super) async fn has_other_lasting_owner(
    connection: &mut PgConnection,
    place: Place,
    user: UserId,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT EXISTS (
               SELECT FROM venue_roles r
               JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id
               WHERE r.tenant_id = $1 AND r.venue_id = $2 AND r.user_id <> $3 AND r.role = $4
                 AND r.expires_at IS NULL AND u.status = 'active' AND u.deleted_at IS NULL) AS "exists!""#,
        place.tenant.uuid(),
        place.venue.uuid(),
        user.uuid(),
        VENUE_OWNER,
    )
    .fetch_one(connection)
    .await
}

/// Up to `limit` venues that `user` owns for good, and nobody else who may sign in does.
pub(super) async fn find_left_without_owner(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
    limit: i64,
) -> Result<Vec<VenueId>, sqlx::Error> {
    sqlx::query_scalar!(
        r#"SELECT own.venue_id AS "venue_id: VenueId" FROM venue_roles own
           WHERE own.tenant_id = $1 AND own.user_id = $2 AND own.role = $3 AND own.expires_at IS NULL
             AND NOT EXISTS (
                 SELECT FROM venue_roles r
                 JOIN users u ON u.tenant_id = r.tenant_id AND u.id = r.user_id
                 WHERE r.tenant_id = own.tenant_id AND r.venue_id = own.venue_id AND r.user_id <> own.user_id
                   AND r.role = own.role AND r.expires_at IS NULL
                   AND u.status = 'active' AND u.deleted_at IS NULL)
           ORDER BY own.venue_id LIMIT $4"#,
        tenant.uuid(),
        user.uuid(),
        VENUE_OWNER,
        limit,
    )
    .fetch_all(connection)
    .await
}

/// Takes roles away from an account.
pub(super) async fn delete(
    connection: &mut PgConnection,
    place: Place,
    user: UserId,
    roles: &[String],
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "DELETE FROM venue_roles WHERE tenant_id = $1 AND user_id = $2 AND venue_id = $3 AND role = ANY ($4)",
        place.tenant.uuid(),
        user.uuid(),
        place.venue.uuid(),
        roles,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A grant that has run out.
pub(super) struct RunOut {
    pub(super) tenant_id: TenantId,
    pub(super) user_id: UserId,
    pub(super) venue_id: VenueId,
    pub(super) role: String,
}

/// Removes up to `limit` grants that have run out, skipping any that is being granted again just now.
pub(super) async fn purge(
    connection: &mut PgConnection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<RunOut>, sqlx::Error> {
    sqlx::query_as!(
        RunOut,
        r#"DELETE FROM venue_roles WHERE id IN (
               SELECT id FROM venue_roles WHERE expires_at <= $1
               ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)
           RETURNING tenant_id AS "tenant_id: TenantId", user_id AS "user_id: UserId",
                     venue_id AS "venue_id: VenueId", role"#,
        now,
        limit,
    )
    .fetch_all(connection)
    .await
}
