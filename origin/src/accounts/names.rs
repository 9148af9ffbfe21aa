//! Names of people and telephone numbers.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

/// Code points; the columns of `users` hold the same limit.
const MAX_NAME_LENGTH: usize = 100;

/// A first or a last name: 1 to 100 code points in NFC, without control characters.
#[derive(Clone, PartialEq, Eq)]
pub struct PersonName(String);

/// Why a text is not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing but spaces.
    #[error("must not be empty")]
    Empty,
    /// More than 100 code points.
    #[error("must have at most 100 characters")]
    TooLong,
    /// Line ends, tabs and the like, which no name has and which spoil mails and logs.
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl PersonName {
    /// Reads a name. Spaces around it are dropped; nothing else is changed but to NFC.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let name: String = text.trim().nfc().collect();
        if name.is_empty() {
            Err(InvalidName::Empty)
        } else if name.chars().count() > MAX_NAME_LENGTH {
            Err(InvalidName::TooLong)
        } else if name.chars().any(char::is_control) {
            Err(InvalidName::ControlCharacter)
        } else {
            Ok(Self(name))
        }
    }

    /// The name in NFC.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names are personal data and do not belong in logs.
impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(…)")
    }
}

/// A telephone number in the form of E.164: 2 to 15 digits, the first not 0, the leading `+` optional.
#[derive(Clone, PartialEq, Eq)]
pub struct PhoneNumber(String);

/// The text is not a number in the form of E.164.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a telephone number with its country code, digits only, such as +4915112345678")]
pub struct InvalidPhoneNumber;

impl PhoneNumber {
    /// Reads a number. Spaces around it are dropped.
    pub fn parse(text: &str) -> Result<Self, InvalidPhoneNumber> {
        let text = text.trim();
        let digits = text.strip_prefix('+').unwrap_or(text);
        let fits = (2..=15).contains(&digits.len())
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !digits.starts_with('0');
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidPhoneNumber)
        }
    }

    /// The number as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Numbers are personal data and do not belong in logs.
impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PhoneNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_any_script_are_taken() {
        for text in [
            "Ada",
            "María José",
            "O’Brien-Smith",
            "李",
            "محمد",
            &"ü".repeat(100),
        ] {
            assert_eq!(PersonName::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_name_is_trimmed_and_composed() {
        assert_eq!(PersonName::parse(" Zoe\u{308} ").unwrap().as_str(), "Zo\u{eb}");
    }

    #[test]
    fn what_is_not_a_name_is_refused_with_its_reason() {
        assert_eq!(PersonName::parse("  "), Err(InvalidName::Empty));
        assert_eq!(PersonName::parse(&"a".repeat(101)), Err(InvalidName::TooLong));
        assert_eq!(
            PersonName::parse("Ada\nBcc: x"),
            Err(InvalidName::ControlCharacter)
        );
    }

    #[test]
    fn numbers_in_the_form_of_e164_are_taken() {
        for text in ["+4915112345678", "14155550123", "+12", "+123456789012345"] {
            assert_eq!(PhoneNumber::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn what_is_not_such_a_number_is_refused() {
        for text in [
            "",
            "+",
            "+1",
            "0151123",
            "+0151123",
            "+1 415 555",
            "++14155550123",
            "+1234567890123456",
            "+١٢٣",
        ] {
            assert_eq!(PhoneNumber::parse(text), Err(InvalidPhoneNumber), "{text:?}");
        }
    }
}
