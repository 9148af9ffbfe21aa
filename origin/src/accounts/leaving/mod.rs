//! Accounts that end: hidden at once, and gone some time later.

mod store;

use super::error::AccountsError;
use super::model::User;
use crate::kernel::db::PgConnection;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::passwords::PasswordHash;
use crate::kernel::time::Timestamp;
use crate::mail::Recipient;

/// An account that is gone.
pub struct Purged {
    /// The tenant it lived in.
    pub tenant: TenantId,
    /// What identified it, and identifies nobody any more.
    pub user: UserId,
}

/// Hides an account from everybody, its holder included. Takes the lock on the row. False, and nothing done, if its password is not
/// `checked` any more, or it is not active: either may have changed while the hash was computed.
pub async fn delete(
    connection: &mut PgConnection,
    user: &User,
    checked: &PasswordHash,
    now: Timestamp,
) -> Result<bool, AccountsError> {
    Ok(store::delete(connection, user, checked, now).await?)
}

/// Whom a letter about the end of an account goes to: its holder, until it is gone.
pub async fn find_last_recipient(
    connection: &mut PgConnection,
    tenant: TenantId,
    user: UserId,
) -> Result<Option<Recipient>, AccountsError> {
    Ok(store::find_last_recipient(connection, tenant, user).await?)
}

/// Removes one account that was hidden at `before` or earlier, with everything that belongs to it. Its address is free then.
/// `None`: there is none, or others are at it.
pub async fn purge_one(
    connection: &mut PgConnection,
    before: Timestamp,
) -> Result<Option<Purged>, AccountsError> {
    Ok(store::purge_one(connection, before).await?)
}
