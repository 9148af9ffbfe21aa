//! What an account's holder says of themselves, and may change.
//!
//! Invariant: each change counts the version up by one, and is made to a version that was named, so that of two who change the same
//! one wins.

mod store;

use serde_json::{Map, Value};

use super::error::AccountsError;
use super::model::User;
use super::names::{PersonName, PhoneNumber};
use crate::kernel::db::PgConnection;
use crate::kernel::time::Timestamp;

/// A profile as it is stored.
pub struct Profile {
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Telephone number in the form of E.164.
    pub phone: Option<String>,
    /// Whether the holder has shown that the number is theirs.
    pub phone_verified: bool,
    /// Whatever the application keeps for its user: a JSON object.
    pub preferences: Value,
    /// Counts the changes, from 1.
    pub version: i64,
    /// When the account was last changed.
    pub updated_at: Timestamp,
}

/// What is to be changed; `None` stays as it is.
#[derive(Default)]
pub struct ProfileChange {
    /// First name.
    pub first_name: Option<PersonName>,
    /// Last name.
    pub last_name: Option<PersonName>,
    /// Telephone number.
    pub phone: PhoneChange,
    /// The preferences as a whole.
    pub preferences: Option<Map<String, Value>>,
}

/// What becomes of a telephone number.
#[derive(Default)]
pub enum PhoneChange {
    /// It stays.
    #[default]
    Keep,
    /// There is none any more.
    Remove,
    /// It is this one, which is not verified if it is another.
    Set(PhoneNumber),
}

impl ProfileChange {
    /// The names of the fields that it is about, as the contract spells them.
    #[must_use]
    pub fn fields(&self) -> Vec<&'static str> {
        let all = [
            ("firstName", self.first_name.is_some()),
            ("lastName", self.last_name.is_some()),
            ("phone", !matches!(self.phone, PhoneChange::Keep)),
            ("preferences", self.preferences.is_some()),
        ];
        all.into_iter()
            .filter_map(|(name, is_changed)| is_changed.then_some(name))
            .collect()
    }
}

/// Which versions a change may be made to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Versions {
    /// Whatever there is.
    Any,
    /// One of these.
    These(Vec<i64>),
}

/// The profile of an account; `None` once it is deleted.
pub async fn find(connection: &mut PgConnection, user: &User) -> Result<Option<Profile>, AccountsError> {
    Ok(store::find(connection, user).await?)
}

/// Changes the profile of an account, if it is in one of these versions. `None`: it is not, or the account is gone.
pub async fn change(
    connection: &mut PgConnection,
    user: &User,
    versions: &Versions,
    change: &ProfileChange,
    now: Timestamp,
) -> Result<Option<Profile>, AccountsError> {
    Ok(store::change(connection, user, versions, change, now).await?)
}
