//! The SQL of profiles.

use serde_json::Value;

use super::{PhoneChange, Profile, ProfileChange, Versions};
use crate::accounts::User;
use crate::accounts::names::PersonName;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::Id as _;
use crate::kernel::time::Timestamp;

pub(super) async fn find(connection: &mut PgConnection, user: &User) -> Result<Option<Profile>, sqlx::Error> {
    sqlx::query_as!(
        Profile,
        "SELECT first_name, last_name, phone, phone_verified, preferences, version, updated_at
         FROM users WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL",
        user.tenant_id.uuid(),
        user.id.uuid(),
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn change(
    connection: &mut PgConnection,
    user: &User,
    versions: &Versions,
    change: &ProfileChange,
    now: Timestamp,
) -> Result<Option<Profile>, sqlx::Error> {
    let versions = match versions {
        Versions::Any => None,
        Versions::These(versions) => Some(versions.as_slice()),
    };
    let (is_phone_given, phone) = match &change.phone {
        PhoneChange::Keep => (false, None),
        PhoneChange::Remove => (true, None),
        PhoneChange::Set(number) => (true, Some(number.as_str())),
    };
    sqlx::query_as!(
        Profile,
        "UPDATE users SET
             first_name = coalesce($4, first_name),
             last_name = coalesce($5, last_name),
             phone = CASE WHEN $6 THEN $7 ELSE phone END,
             phone_verified = phone_verified AND NOT ($6 AND phone IS DISTINCT FROM $7),
             preferences = coalesce($8, preferences),
             version = version + 1,
             updated_at = $9
         WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND ($3::bigint[] IS NULL OR version = ANY ($3))
         RETURNING first_name, last_name, phone, phone_verified, preferences, version, updated_at",
        user.tenant_id.uuid(),
        user.id.uuid(),
        versions as Option<&[i64]>,
        change.first_name.as_ref().map(PersonName::as_str),
        change.last_name.as_ref().map(PersonName::as_str),
        is_phone_given,
        phone,
        change.preferences.clone().map(Value::Object),
        now,
    )
    .fetch_optional(connection)
    .await
}
