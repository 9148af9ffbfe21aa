//! Passwords that nobody has thought of.

use secrecy::SecretString;

use crate::kernel::random::{self, Entropy};

use super::{MAX_LENGTH, MIN_LENGTH, composition};

/// No two of these look alike, and none means anything to a shell within single quotes. 64, so that six bits of a byte choose one
/// and each is as likely as any other.
const CHARACTERS: &[u8; 64] = b"abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789#%+-=?@_";

/// A password of `length` characters, six random bits each, which is held between [`MIN_LENGTH`] and [`MAX_LENGTH`]. It
/// satisfies the rules of composition too: one that does not is drawn again.
#[must_use]
pub fn generate(entropy: &dyn Entropy, length: usize) -> SecretString {
    let length = length.clamp(MIN_LENGTH, MAX_LENGTH);
    loop {
        let text: String = std::iter::repeat_with(|| draw(entropy)).take(length).collect();
        if composition::check(&text).is_ok() {
            return text.into();
        }
    }
}

fn draw(entropy: &dyn Entropy) -> char {
    let [byte] = random::bytes::<1>(entropy);
    let place = usize::from(byte) % CHARACTERS.len();
    CHARACTERS.get(place).copied().unwrap_or(b'-').into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::kernel::random::SystemEntropy;

    #[test]
    fn generated_passwords_have_the_length_keep_the_rules_and_differ() {
        for (asked, length) in [(0, 12), (12, 12), (20, 20), (1000, 128)] {
            let text = generate(&SystemEntropy, asked);
            assert_eq!(text.expose_secret().len(), length);
            assert_eq!(composition::check(text.expose_secret()), Ok(()));
        }
        let many: BTreeSet<String> = (0..100)
            .map(|_| generate(&SystemEntropy, 20).expose_secret().to_owned())
            .collect();
        assert_eq!(many.len(), 100);
    }

    #[test]
    fn every_character_is_drawn_from_a_quarter_of_the_bytes_and_none_twice() {
        let all: BTreeSet<u8> = CHARACTERS.iter().copied().collect();
        assert_eq!(all.len(), CHARACTERS.len());
        assert_eq!(256 % CHARACTERS.len(), 0, "no character is likelier than another");
    }
}
