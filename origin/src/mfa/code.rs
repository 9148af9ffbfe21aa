//! Codes as people type them.

use secrecy::{ExposeSecret as _, SecretString};
use subtle::ConstantTimeEq as _;
use unicode_normalization::UnicodeNormalization as _;

/// Characters of the longest code that anybody is given.
const LONGEST: usize = 32;

/// A code as somebody has typed it: without the gaps that make it readable, its digits those of ASCII (an input method may make
/// others). What no code can be is kept as an empty text, and is wrong.
#[derive(Clone, Debug)]
pub struct PresentedCode(SecretString);

impl PresentedCode {
    /// Takes what was typed.
    #[must_use]
    pub fn of(typed: &SecretString) -> Self {
        // Longer texts are not normalised: that would be work for whoever sends them.
        let text: String = typed
            .expose_secret()
            .chars()
            .take(4 * LONGEST)
            .nfkc()
            .filter(|character| !character.is_whitespace() && *character != '-')
            .collect();
        let has_form = typed.expose_secret().len() <= 4 * LONGEST
            && text.len() <= LONGEST
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self(if has_form {
            text.into()
        } else {
            SecretString::default()
        })
    }

    /// What was typed, normalised; empty if it can be no code.
    pub(super) fn text(&self) -> &SecretString {
        &self.0
    }

    /// Whether it is this code. Takes the same time wherever a difference lies.
    #[must_use]
    pub fn is(&self, code: &SecretString) -> bool {
        let (typed, code) = (self.0.expose_secret(), code.expose_secret());
        !code.is_empty() && typed.as_bytes().ct_eq(code.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(typed: &str, code: &str) -> bool {
        PresentedCode::of(&typed.into()).is(&code.into())
    }

    #[test]
    fn a_code_is_taken_however_it_is_typed() {
        for typed in [
            "12345678",
            "1234 5678",
            " 1234-5678\n",
            "1234\u{a0}5678",
            "\u{ff11}\u{ff12}\u{ff13}\u{ff14}\u{3000}\u{ff15}\u{ff16}\u{ff17}\u{ff18}",
        ] {
            assert!(is(typed, "12345678"), "{typed:?}");
        }
    }

    #[test]
    fn what_is_no_code_is_wrong() {
        let long = "1".repeat(100_000);
        for typed in [
            "",
            " ",
            "1234567",
            "123456789",
            "12345679",
            "1234.5678",
            "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}\u{667}\u{668}",
            &long,
        ] {
            assert!(!is(typed, "12345678"), "{typed:.60?}");
        }
        assert!(!is("", ""), "nothing is never a code");
    }

    #[test]
    fn a_code_is_not_shown() {
        let shown = format!("{:?}", PresentedCode::of(&"12345678".into()));
        assert!(!shown.contains("1234"), "{shown}");
    }
}
