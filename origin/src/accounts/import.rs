//! Accounts that come from the service that was here before.

use secrecy::{ExposeSecret as _, SecretString};

use crate::kernel::db::PgConnection;
use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::passwords::PasswordHash;
use crate::kernel::time::Timestamp;

use super::email::EmailAddress;
use super::error::AccountsError;
use super::names::{PersonName, PhoneNumber};
use super::store;

/// An account as another service kept it. Its `Debug` shows nothing of it.
pub struct ImportedAccount {
    pub(super) email: EmailAddress,
    pub(super) email_verified: bool,
    pub(super) password_hash: Option<PasswordHash>,
    pub(super) first_name: PersonName,
    pub(super) last_name: PersonName,
    pub(super) phone: Option<PhoneNumber>,
}

/// What another service says of an account, not looked at yet.
#[derive(Default)]
pub struct AccountRecord {
    /// The address.
    pub email: Option<String>,
    /// Whether the other service has seen that the address is its holder's.
    pub email_verified: Option<bool>,
    /// A hash of bcrypt (`2a`, `2b`, `2y`, cost 4 to 14) or of argon2id; without one the holder has to set a password first.
    pub password_hash: Option<SecretString>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Telephone number in the form of E.164.
    pub phone: Option<String>,
}

/// What is wrong with a record. Written for the operator; repeats nothing of the record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {what}")]
pub struct UnfitRecord {
    field: &'static str,
    what: String,
}

impl AccountRecord {
    /// Holds the record to the rules of a registration, but for the password, of which only a hash is known.
    pub fn check(self) -> Result<ImportedAccount, UnfitRecord> {
        let email = required("email", self.email)?;
        let first_name = required("firstName", self.first_name)?;
        let last_name = required("lastName", self.last_name)?;
        let hash = self
            .password_hash
            .map(|text| PasswordHash::from_elsewhere(text.expose_secret().to_owned()));
        let phone = self.phone.filter(|text| !text.trim().is_empty());
        Ok(ImportedAccount {
            email: fitting("email", EmailAddress::parse(&email))?,
            email_verified: self.email_verified.unwrap_or(false),
            password_hash: hash.transpose().map_err(|_| UnfitRecord {
                field: "passwordHash",
                what: "is neither a hash of bcrypt, of a cost from 4 to 14, nor one of argon2id".to_owned(),
            })?,
            first_name: fitting("firstName", PersonName::parse(&first_name))?,
            last_name: fitting("lastName", PersonName::parse(&last_name))?,
            phone: phone
                .map(|text| fitting("phone", PhoneNumber::parse(&text)))
                .transpose()?,
        })
    }
}

fn required<T>(field: &'static str, value: Option<T>) -> Result<T, UnfitRecord> {
    value.ok_or_else(|| UnfitRecord {
        field,
        what: "is missing".to_owned(),
    })
}

fn fitting<T, E: std::fmt::Display>(field: &'static str, value: Result<T, E>) -> Result<T, UnfitRecord> {
    value.map_err(|error| UnfitRecord {
        field,
        what: error.to_string(),
    })
}

impl ImportedAccount {
    /// Its address, in lower case.
    #[must_use]
    pub fn address(&self) -> &str {
        self.email.as_str()
    }
}

impl std::fmt::Debug for ImportedAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ImportedAccount(…)")
    }
}

/// Makes the account, unless the tenant has one with this address, deleted ones included. Whether it was made.
pub async fn import(
    connection: &mut PgConnection,
    id: UserId,
    tenant: TenantId,
    account: &ImportedAccount,
    now: Timestamp,
) -> Result<bool, AccountsError> {
    Ok(store::import_user(connection, id, tenant, account, now).await?)
}
