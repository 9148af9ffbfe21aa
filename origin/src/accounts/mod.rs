//! Accounts: who may sign in, in which tenant, and what is known of them.
//!
//! Invariants:
//! - An address is unique within its tenant, whatever its case, and says nothing about other tenants.
//! - What reaches the store is parsed: an [`EmailAddress`], a [`PersonName`], a [`PhoneNumber`], a password
//!   that is neither too short nor too long, nor too weak ([`password`]).
//! - A deleted account is found by nobody.
//! - This room writes `tenants` and `users`; nobody else does.

mod email;
mod error;
mod model;
mod names;
pub mod password;
mod store;

use std::net::IpAddr;

pub use email::{EmailAddress, InvalidEmailAddress};
pub use error::AccountsError;
pub use model::{Credentials, KycStatus, NewUser, Role, User, UserStatus, UserView};
pub use names::{InvalidName, InvalidPhoneNumber, PersonName, PhoneNumber};

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

/// Makes an account that is signed in to, from `ip`, at once. Belongs in the transaction that opens its session.
pub async fn create(
    connection: &mut PgConnection,
    id: UserId,
    tenant: TenantId,
    new: &NewUser,
    hash: &PasswordHash,
    now: Timestamp,
    ip: IpAddr,
) -> Result<User, AccountsError> {
    Ok(store::insert_user(connection, id, tenant, new, hash, now, ip).await?)
}

/// Notes a sign-in from `ip`, provided that the account is active and its password still the one that was
/// checked: either may have changed while the hash was computed. `None` if so, else the account as it is now.
pub async fn record_login(
    connection: &mut PgConnection,
    user: User,
    checked: &PasswordHash,
    now: Timestamp,
    ip: IpAddr,
) -> Result<Option<User>, AccountsError> {
    let noted = store::record_login(connection, &user, checked, now, ip).await?;
    Ok(noted.then_some(User {
        last_login_at: Some(now),
        ..user
    }))
}
