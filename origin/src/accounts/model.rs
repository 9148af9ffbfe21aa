//! Accounts as the other rooms see them, and as a client does.

use serde::Serialize;

use crate::kernel::ids::{TenantId, UserId};
use crate::kernel::passwords::{Password, PasswordHash};
use crate::kernel::time::{Timestamp, as_optional_rfc3339, as_rfc3339};

use super::email::EmailAddress;
use super::names::{PersonName, PhoneNumber};

/// What an account may do anywhere in its tenant. Roles at a venue are granted apart from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Role {
    /// Buys and owns tickets.
    Customer,
    /// Runs the installation.
    Admin,
}

impl Role {
    /// The name in tokens and answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Admin => "admin",
        }
    }

    /// What the role permits. The one table of roles is in the shared crate.
    #[must_use]
    pub fn permissions(self) -> &'static [&'static str] {
        portcullis_shared::roles::permissions_of(self.as_str()).unwrap_or_default()
    }
}

/// Whether an account may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum UserStatus {
    /// It may.
    Active,
    /// An operator has suspended it for a while.
    Locked,
    /// An operator has closed it.
    Disabled,
}

impl UserStatus {
    /// The name in the database and on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Locked => "locked",
            Self::Disabled => "disabled",
        }
    }
}

/// What an operator may do about an account's right to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusChange {
    /// Suspend it for a while.
    Lock,
    /// End the suspension.
    Unlock,
    /// Close it.
    Disable,
    /// Open it again.
    Enable,
}

impl StatusChange {
    /// What the account is afterwards.
    #[must_use]
    pub const fn target(self) -> UserStatus {
        match self {
            Self::Lock => UserStatus::Locked,
            Self::Disable => UserStatus::Disabled,
            Self::Unlock | Self::Enable => UserStatus::Active,
        }
    }

    /// Whether it can be done to an account that is `from`. A suspended account may be closed; a closed one is not
    /// suspended, and is not opened by ending a suspension.
    #[must_use]
    pub const fn applies_to(self, from: UserStatus) -> bool {
        match self {
            Self::Lock => matches!(from, UserStatus::Active),
            Self::Unlock => matches!(from, UserStatus::Locked),
            Self::Disable => matches!(from, UserStatus::Active | UserStatus::Locked),
            Self::Enable => matches!(from, UserStatus::Disabled),
        }
    }
}

/// How far the identity check of the account's holder has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum KycStatus {
    /// Not checked yet.
    Pending,
    /// Checked, and found to be who they say.
    Verified,
    /// Checked, and not believed.
    Rejected,
}

/// An account that has not been deleted.
#[derive(Clone)]
pub struct User {
    /// Its identifier.
    pub id: UserId,
    /// The tenant it lives in.
    pub tenant_id: TenantId,
    /// Its address, in lower case.
    pub email: String,
    /// Whether the holder has shown that the address is theirs.
    pub email_verified: bool,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Telephone number in the form of E.164.
    pub phone: Option<String>,
    /// Whether the holder has shown that the number is theirs.
    pub phone_verified: bool,
    /// Its global role.
    pub role: Role,
    /// Whether it may sign in.
    pub status: UserStatus,
    /// How far the identity check has come.
    pub kyc_status: KycStatus,
    /// How thorough that check was; 0 is none.
    pub kyc_level: i32,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When somebody last signed in to it.
    pub last_login_at: Option<Timestamp>,
    /// Whether signing in takes a second factor.
    pub mfa_enabled: bool,
    /// Access tokens that were issued before this moment are stale. Whole seconds; `None` if none ever was.
    pub tokens_not_before: Option<Timestamp>,
}

impl User {
    /// The words that a guesser who knows the account would try first as its password.
    #[must_use]
    pub fn guessable_words(&self) -> Vec<String> {
        let local_part = self.email.rsplit_once('@').map_or("", |(local, _)| local);
        guessable_words(&self.email, local_part, [&self.first_name, &self.last_name])
    }
}

fn guessable_words(email: &str, local_part: &str, names: [&str; 2]) -> Vec<String> {
    [email, local_part]
        .into_iter()
        .chain(names)
        .map(str::to_owned)
        .collect()
}

/// An account and the hash of its password, for the room that checks it.
pub struct Credentials {
    /// The account.
    pub user: User,
    /// `None` where the account has no password.
    pub password_hash: Option<PasswordHash>,
}

/// What a registration says. Whether the password is strong enough is for the caller to find out.
pub struct NewUser {
    /// The address to register.
    pub email: EmailAddress,
    /// The password, not hashed yet.
    pub password: Password,
    /// First name.
    pub first_name: PersonName,
    /// Last name.
    pub last_name: PersonName,
    /// Telephone number, where one was given.
    pub phone: Option<PhoneNumber>,
}

impl NewUser {
    /// The words that a guesser who knows the account would try first as its password.
    #[must_use]
    pub fn guessable_words(&self) -> Vec<String> {
        let names = [self.first_name.as_str(), self.last_name.as_str()];
        guessable_words(self.email.as_str(), self.email.local_part(), names)
    }
}

/// The resource `user` of the HTTP contract.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    id: UserId,
    email: String,
    email_verified: bool,
    first_name: String,
    last_name: String,
    phone: Option<String>,
    phone_verified: bool,
    mfa_enabled: bool,
    role: &'static str,
    permissions: &'static [&'static str],
    tenant_id: TenantId,
    kyc_status: KycStatus,
    kyc_level: i32,
    #[serde(with = "as_rfc3339")]
    created_at: Timestamp,
    #[serde(serialize_with = "as_optional_rfc3339::serialize")]
    last_login_at: Option<Timestamp>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        Self {
            id: user.id,
            email: user.email,
            email_verified: user.email_verified,
            first_name: user.first_name,
            last_name: user.last_name,
            phone: user.phone,
            phone_verified: user.phone_verified,
            mfa_enabled: user.mfa_enabled,
            role: user.role.as_str(),
            permissions: user.role.permissions(),
            tenant_id: user.tenant_id,
            kyc_status: user.kyc_status,
            kyc_level: user.kyc_level,
            created_at: user.created_at,
            last_login_at: user.last_login_at,
        }
    }
}
