//! Profiles as clients send and see them.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::accounts::fields::{parse_name, parse_phone};
use crate::accounts::{PhoneChange, Profile, ProfileChange, User};
use crate::http::{Validate, Violations};
use crate::kernel::ids::UserId;
use crate::kernel::time::{Timestamp, as_rfc3339};

/// Most bytes of preferences, written as JSON without spaces.
const MAX_PREFERENCES_BYTES: usize = 16 * 1024;
/// Most levels of preferences, the outermost object being the first.
const MAX_PREFERENCES_LEVELS: usize = 20;

/// `PUT /auth/profile`. What is absent stays as it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChangeProfileRequest {
    #[serde(alias = "first_name")]
    first_name: Option<String>,
    #[serde(alias = "last_name")]
    last_name: Option<String>,
    #[serde(default)]
    phone: GivenPhone,
    preferences: Option<Value>,
}

/// Tells `null`, which removes the number, from a field that is absent.
#[derive(Default)]
enum GivenPhone {
    #[default]
    Absent,
    Null,
    Text(String),
}

impl<'de> Deserialize<'de> for GivenPhone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Text))
    }
}

impl Validate for ChangeProfileRequest {
    type Valid = ProfileChange;

    fn validate(self, violations: &mut Violations) -> Option<ProfileChange> {
        let first_name = self
            .first_name
            .map(|text| parse_name(violations, "firstName", &text));
        let last_name = self
            .last_name
            .map(|text| parse_name(violations, "lastName", &text));
        let phone = change_of_phone(violations, &self.phone);
        let preferences = self.preferences.map(|value| parse_preferences(violations, value));
        Some(ProfileChange {
            first_name: first_name.flatten(),
            last_name: last_name.flatten(),
            phone,
            preferences: preferences.flatten(),
        })
    }
}

/// What becomes of the number. The old clients send an empty text for none.
fn change_of_phone(violations: &mut Violations, given: &GivenPhone) -> PhoneChange {
    match given {
        GivenPhone::Absent => PhoneChange::Keep,
        GivenPhone::Null => PhoneChange::Remove,
        GivenPhone::Text(text) if text.trim().is_empty() => PhoneChange::Remove,
        GivenPhone::Text(text) => parse_phone(violations, text).map_or(PhoneChange::Keep, PhoneChange::Set),
    }
}

fn parse_preferences(violations: &mut Violations, value: Value) -> Option<Map<String, Value>> {
    let mut refuse = |code, message: &str| violations.add("preferences", code, message);
    if levels(&value) > MAX_PREFERENCES_LEVELS {
        refuse("too_deep", "Preferences may nest 20 levels deep.");
        return None;
    }
    if value.to_string().len() > MAX_PREFERENCES_BYTES {
        refuse("too_long", "Preferences may have 16 KiB as JSON without spaces.");
        return None;
    }
    let Value::Object(preferences) = value else {
        refuse("invalid", "Preferences are a JSON object.");
        return None;
    };
    Some(preferences)
}

/// How deep a value nests; 0 for what is neither list nor object. The parser has bounded it.
fn levels(value: &Value) -> usize {
    let below = match value {
        Value::Array(values) => values.iter().map(levels).max(),
        Value::Object(values) => values.values().map(levels).max(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return 0,
    };
    below.unwrap_or(0).saturating_add(1)
}

/// The answer: `{profile}`.
#[derive(Serialize)]
pub(super) struct ProfileAnswer {
    profile: ProfileView,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProfileView {
    id: UserId,
    email: String,
    email_verified: bool,
    first_name: String,
    last_name: String,
    phone: Option<String>,
    phone_verified: bool,
    preferences: Value,
    #[serde(with = "as_rfc3339")]
    updated_at: Timestamp,
}

impl ProfileAnswer {
    /// The profile of an account.
    pub(super) fn new(user: &User, profile: Profile) -> Self {
        Self {
            profile: ProfileView {
                id: user.id,
                email: user.email.clone(),
                email_verified: user.email_verified,
                first_name: profile.first_name,
                last_name: profile.last_name,
                phone: profile.phone,
                phone_verified: profile.phone_verified,
                preferences: profile.preferences,
                updated_at: profile.updated_at,
            },
        }
    }
}
