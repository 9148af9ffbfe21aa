//! What a device is known by.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};

use crate::kernel::random::Entropy;
use crate::kernel::secret_digest::{SecretDigest, generate_secret};

/// Characters of a token: 32 bytes in base64url.
const LENGTH: usize = 43;

/// A text that a device may be known by: 256 random bits, or what has the form of them.
#[derive(Clone)]
pub struct DeviceToken(SecretString);

impl DeviceToken {
    /// Takes what was presented; `None` for what no device was ever given.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let has_form = text.len() == LENGTH
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        has_form.then(|| Self(text.into()))
    }

    pub(super) fn generate(entropy: &dyn Entropy) -> Self {
        Self(generate_secret(entropy))
    }

    /// The text, for the device alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn digest(&self) -> SecretDigest {
        SecretDigest::of(&self.0)
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceToken(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::random::SystemEntropy;

    use super::*;

    #[test]
    fn what_was_made_is_taken_back_and_not_shown() {
        let token = DeviceToken::generate(&SystemEntropy);
        let back = DeviceToken::parse(token.expose()).unwrap();
        assert_eq!(back.digest(), token.digest());
        assert_eq!(format!("{token:?}"), "DeviceToken(redacted)");
    }

    #[test]
    fn what_was_never_made_is_not_looked_up() {
        let token = DeviceToken::generate(&SystemEntropy);
        let text = token.expose();
        for bad in [
            "",
            &text[1..],
            &format!("{text}A"),
            &format!("{}=", &text[1..]),
            &format!("{}\u{e9}", &text[2..]),
            &"A".repeat(100_000),
        ] {
            assert!(DeviceToken::parse(bad).is_none(), "{bad:.60}");
        }
    }
}
