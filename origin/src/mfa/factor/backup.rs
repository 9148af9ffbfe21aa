//! Backup codes: twelve characters of Crockford's alphabet, in three groups.

use secrecy::{ExposeSecret as _, SecretString};

use crate::kernel::random::{self, Entropy};
use crate::mfa::PresentedCode;

/// How many an account gets.
const CODES: usize = 10;
/// Characters of one: 60 bits.
const LENGTH: usize = 12;
const GROUP: usize = 4;
/// No I, L, O and U, which are misread.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// New ones, as people write them down: `XXXX-XXXX-XXXX`.
pub(super) fn generate(entropy: &dyn Entropy) -> Vec<SecretString> {
    (0..CODES).map(|_| one(random::bytes(entropy)).into()).collect()
}

fn one(bytes: [u8; LENGTH]) -> String {
    // A byte has as many of each character: 256 is a multiple of 32.
    let characters = bytes.map(|byte| {
        let place = usize::from(byte) % ALPHABET.len();
        char::from(ALPHABET.get(place).copied().unwrap_or_default())
    });
    let groups: Vec<String> = characters.chunks(GROUP).map(String::from_iter).collect();
    groups.join("-")
}

/// A code as it is digested, however it was typed: without its gaps, in capitals, and with the digits that its letters were mistaken for.
pub(super) fn normalised(code: &PresentedCode) -> SecretString {
    let text: String = code
        .text()
        .expose_secret()
        .chars()
        .map(|character| match character.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    text.into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kernel::random::SystemEntropy;

    fn normal(text: &str) -> String {
        normalised(&PresentedCode::of(&text.into()))
            .expose_secret()
            .to_owned()
    }

    #[test]
    fn ten_codes_are_made_that_differ() {
        let codes: BTreeSet<String> = generate(&SystemEntropy)
            .iter()
            .map(|code| code.expose_secret().to_owned())
            .collect();
        assert_eq!(codes.len(), 10);
        for code in codes {
            let groups: Vec<&str> = code.split('-').collect();
            assert_eq!(groups.len(), 3, "{code}");
            assert!(groups.iter().all(|group| group.len() == 4), "{code}");
            assert_eq!(normal(&code), code.replace('-', ""));
        }
    }

    #[test]
    fn each_character_is_as_likely_as_any_other() {
        assert_eq!(
            one([0, 1, 31, 32, 255, 17, 18, 19, 20, 21, 22, 23]),
            "01Z0-ZHJK-MNPQ"
        );
    }

    #[test]
    fn a_code_is_taken_however_it_is_typed() {
        for typed in [
            "01Z0-ZHJK-MNPQ",
            "01z0zhjkmnpq",
            " o1zO zhjk mnpq ",
            "0Lz0-zhjk-mnpq",
            "0iz0zhjkmnpq",
        ] {
            assert_eq!(normal(typed), "01Z0ZHJKMNPQ", "{typed}");
        }
    }
}
