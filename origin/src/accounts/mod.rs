//! Accounts: who may sign in, in which tenant, and what is known of them.
//!
//! Invariants:
//! - An address is unique within its tenant, whatever its case, and says nothing about other tenants.
//! - What reaches the store is parsed: an [`EmailAddress`], a [`PersonName`], a [`PhoneNumber`], a password
//!   that is neither too short nor too long, nor too weak ([`password`]).
//! - A deleted account is found by nobody.
//! - What tokens say of an account is true, or its older tokens are stale: whoever changes it outdates them
//!   ([`outdate_tokens`]), here for this server and in the same transaction for the edge.
//! - This room writes `tenants` and `users`; nobody else does.

mod email;
mod error;
pub mod fields;
mod import;
mod leaving;
mod model;
mod names;
pub mod password;
mod profile;
mod staleness;
mod store;
mod stored;

use std::net::IpAddr;

pub use email::{EmailAddress, InvalidEmailAddress};
pub use error::AccountsError;
pub use import::{AccountRecord, ImportedAccount, UnfitRecord, import};
pub use leaving::{Purged, delete, find_last_recipient, purge_one};
pub use model::{Credentials, KycStatus, NewUser, Role, StatusChange, User, UserStatus, UserView};
pub use names::{InvalidName, InvalidPhoneNumber, PersonName, PhoneNumber};
pub use profile::{
    PhoneChange, Profile, ProfileChange, Versions, change as change_profile, find as find_profile,
};
pub use staleness::outdate_tokens;
pub use stored::{StoredAccount, stored};

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::passwords::PasswordHash;
use crate::kernel::time::Timestamp;
use crate::mail::Recipient;

/// The tenant that clients call `slug`.
pub async fn tenant(connection: &mut PgConnection, slug: &str) -> Result<TenantId, AccountsError> {
    store::find_tenant(connection, slug)
        .await?
        .ok_or(AccountsError::UnknownTenant)
}

/// The account with this address in this tenant, and what its password hashes to.
pub async fn find_credentials(
    connection: &mut PgConnection,
    tenant: TenantId,
    email: &EmailAddress,
) -> Result<Option<Credentials>, AccountsError> {
    Ok(store::find_credentials(connection, tenant, email).await?)
}

/// Whom a letter to this account goes to.
pub async fn find_recipient(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<Recipient>, AccountsError> {
    Ok(store::find_recipient(connection, tenant, user).await?)
}

/// What the password of this account hashes to; `None` where it has none, or is gone.
pub async fn find_password(
    connection: &mut PgConnection,
    user: &User,
) -> Result<Option<PasswordHash>, AccountsError> {
    Ok(store::find_password(connection, user).await?)
}

/// Makes an account. With `ip` it is signed in to from there at once, and this belongs in the transaction that opens its session.
/// `None`: the tenant has an account with this address, or had one that is not purged yet.
pub async fn create(
    connection: &mut PgConnection,
    id: UserId,
    tenant: TenantId,
    new: &NewUser,
    hash: &PasswordHash,
    now: Timestamp,
    ip: Option<IpAddr>,
) -> Result<Option<User>, AccountsError> {
    Ok(store::insert_user(connection, id, tenant, new, hash, now, ip).await?)
}

/// Notes a sign-in from `ip` to an account that the caller has locked, and gives the account as it is then.
pub async fn note_login(
    connection: &mut PgConnection,
    user: User,
    now: Timestamp,
    ip: IpAddr,
) -> Result<User, AccountsError> {
    store::note_login(connection, &user, now, ip).await?;
    Ok(User {
        last_login_at: Some(now),
        ..user
    })
}

/// The account with this identifier, as it is now.
pub async fn find(
    connection: &mut PgConnection,
    tenant: TenantId,
    id: UserId,
) -> Result<Option<User>, AccountsError> {
    Ok(store::find_user(connection, tenant, id).await?)
}

/// Notes of an account that the caller has locked that its address is its holder's. Whether that is news.
pub async fn confirm_email(
    connection: &mut PgConnection,
    user: &User,
    now: Timestamp,
) -> Result<bool, AccountsError> {
    Ok(store::confirm_email(connection, user, now).await?)
}

/// Gives an account that the caller has locked another password, whatever it had. Its sessions and tokens are the caller's to
/// end.
pub async fn set_password(
    connection: &mut PgConnection,
    user: &User,
    new: &PasswordHash,
    now: Timestamp,
) -> Result<(), AccountsError> {
    Ok(store::set_password(connection, user, new, now).await?)
}

/// The account with this address in this tenant, its row locked until the transaction ends: changes of one account,
/// and sign-ins to it, take turns.
pub async fn lock(
    connection: &mut PgConnection,
    tenant: TenantId,
    email: &EmailAddress,
) -> Result<Option<User>, AccountsError> {
    Ok(store::lock_user(connection, tenant, email).await?)
}

/// The same by its identifier.
pub async fn lock_by_id(
    connection: &mut PgConnection,
    tenant: TenantId,
    id: UserId,
) -> Result<Option<User>, AccountsError> {
    Ok(store::lock_user_by_id(connection, tenant, id).await?)
}

/// Locks the row of an account whose password was checked. `None`: the account is not active, or its password is another one by now; either
/// may have changed while the hash was computed.
pub async fn lock_checked(
    connection: &mut PgConnection,
    user: &User,
    checked: &PasswordHash,
) -> Result<Option<User>, AccountsError> {
    Ok(store::lock_checked(connection, user, checked).await?)
}

/// Gives an account that the caller has locked another status.
pub async fn set_status(
    connection: &mut PgConnection,
    user: &User,
    status: UserStatus,
    now: Timestamp,
) -> Result<(), AccountsError> {
    Ok(store::set_status(connection, user, status, now).await?)
}

/// Notes of an account that the caller has locked whether signing in takes a second factor. The factor is the caller's to store.
pub async fn set_mfa_enabled(
    connection: &mut PgConnection,
    user: &User,
    enabled: bool,
    now: Timestamp,
) -> Result<(), AccountsError> {
    Ok(store::set_mfa_enabled(connection, user, enabled, now).await?)
}

/// Gives an account that the caller has locked another global role. Its tokens name the role it had: the caller
/// outdates them.
pub async fn set_role(
    connection: &mut PgConnection,
    user: &User,
    role: Role,
    now: Timestamp,
) -> Result<(), AccountsError> {
    Ok(store::set_role(connection, user, role, now).await?)
}

/// Replaces the password `checked` by `new`, and takes the lock on the row. False, and nothing done, if the account
/// is not active or its password is another one by now: either may have changed while the hashes were computed.
pub async fn replace_password(
    connection: &mut PgConnection,
    user: &User,
    checked: &PasswordHash,
    new: &PasswordHash,
    now: Timestamp,
) -> Result<bool, AccountsError> {
    Ok(store::replace_password(connection, user, checked, new, now).await?)
}

/// Stores another hash of the same password, unless it is no longer `checked` that is stored.
pub async fn renew_hash(
    connection: &mut PgConnection,
    user: &User,
    checked: &PasswordHash,
    renewed: &PasswordHash,
) -> Result<(), AccountsError> {
    Ok(store::renew_hash(connection, user, checked, renewed).await?)
}
