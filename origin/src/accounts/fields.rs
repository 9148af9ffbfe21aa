//! Fields that several forms have, and what is said of one that is wrong.

use secrecy::SecretString;

use crate::http::Violations;
use crate::kernel::passwords::Password;

use super::email::EmailAddress;
use super::names::{InvalidName, PersonName, PhoneNumber};
use super::password;

/// The field `email`.
pub fn parse_email(violations: &mut Violations, text: &str) -> Option<EmailAddress> {
    EmailAddress::parse(text)
        .map_err(|_| violations.add("email", "invalid", "This is not an email address."))
        .ok()
}

/// The name of a person in the field `field`.
pub fn parse_name(violations: &mut Violations, field: &str, text: &str) -> Option<PersonName> {
    PersonName::parse(text)
        .map_err(|error| {
            let code = match error {
                InvalidName::Empty => "required",
                InvalidName::TooLong => "too_long",
                InvalidName::ControlCharacter => "invalid",
            };
            violations.add(field, code, &format!("The name {error}."));
        })
        .ok()
}

/// The field `phone`.
pub fn parse_phone(violations: &mut Violations, text: &str) -> Option<PhoneNumber> {
    PhoneNumber::parse(text)
        .map_err(|error| violations.add("phone", "invalid", &format!("The number {error}.")))
        .ok()
}

/// A password to be, in the field `field`. How easily it is guessed is for the [`PasswordRules`](password::PasswordRules).
pub fn parse_new_password(violations: &mut Violations, field: &str, text: &SecretString) -> Option<Password> {
    password::check_length(text)
        .map_err(|error| violations.add(field, error.code(), &error.message()))
        .ok()
}
