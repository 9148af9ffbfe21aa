//! What a key signs.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding as _};

use crate::kernel::config::Config;
use crate::kernel::ids::{Id as _, SessionId};
use crate::kernel::random::{self, Entropy};
use crate::kernel::secrets::SecretsError;
use crate::kernel::time::{TimeDelta, Timestamp};

/// How long a challenge can be signed.
pub(super) const LIFETIME: TimeDelta = TimeDelta::minutes(5);

const NONCE: usize = 16;
const EXPIRY: usize = 8;
const MAC: usize = 32;

/// What a challenge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose<'a> {
    /// Signing in by the key of this name, whether there is one or not.
    SignIn(&'a str),
    /// Proving once more who the holder of this session is.
    StepUp(SessionId),
}

impl Purpose<'_> {
    fn update(self, context: &mut hmac::Context) {
        match self {
            Self::SignIn(credential) => {
                context.update(b"sign-in\0");
                context.update(credential.as_bytes());
            }
            Self::StepUp(session) => {
                context.update(b"step-up\0");
                context.update(session.uuid().as_bytes());
            }
        }
    }
}

/// A challenge that was made here, and has not expired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Genuine {
    /// Which one it is.
    pub(super) digest: [u8; MAC],
    pub(super) expires_at: Timestamp,
}

/// Makes challenges and recognises them. Cloning shares the key.
#[derive(Clone)]
pub struct Challenges(Arc<hmac::Key>);

impl Challenges {
    /// The key is derived from the master key: under another one, what waits is good no longer.
    pub fn new(config: &Config) -> Result<Self, SecretsError> {
        let key = config.master_key.derive("device-key-challenges")?;
        Ok(Self(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key.expose()))))
    }

    /// A new one: text that is signed as it is.
    #[must_use]
    pub fn issue(&self, purpose: Purpose<'_>, now: Timestamp, entropy: &dyn Entropy) -> String {
        let nonce = random::bytes::<NONCE>(entropy);
        let expiry = (now + LIFETIME).timestamp().to_be_bytes();
        let tag = hmac::Context::sign(self.context(purpose, &nonce, expiry));
        Base64UrlUnpadded::encode_string(&[&nonce[..], &expiry, tag.as_ref()].concat())
    }

    /// The challenge that a text is, if it was made here for this purpose and has not expired.
    #[must_use]
    pub fn recognise(&self, text: &str, purpose: Purpose<'_>, now: Timestamp) -> Option<Genuine> {
        let mut bytes = [0; NONCE + EXPIRY + MAC];
        let bytes = Base64UrlUnpadded::decode(text, &mut bytes).ok()?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE>()?;
        let (expiry, tag) = rest.split_first_chunk::<EXPIRY>()?;
        let tag: &[u8; MAC] = tag.try_into().ok()?;
        let made = self.context(purpose, nonce, *expiry).sign();
        let is_ours: bool = subtle::ConstantTimeEq::ct_eq(made.as_ref(), &tag[..]).into();
        let expires_at = Timestamp::from_timestamp(i64::from_be_bytes(*expiry), 0)?;
        (is_ours && expires_at > now).then_some(Genuine {
            digest: *tag,
            expires_at,
        })
    }

    /// The parts before the purpose have fixed lengths, so that no two texts are the same.
    fn context(&self, purpose: Purpose<'_>, nonce: &[u8; NONCE], expiry: [u8; EXPIRY]) -> hmac::Context {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(nonce);
        context.update(&expiry);
        purpose.update(&mut context);
        context
    }
}

impl fmt::Debug for Challenges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Challenges").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::random::SystemEntropy;

    fn challenges(byte: u8) -> Challenges {
        Challenges(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])))
    }

    fn session(number: u128) -> SessionId {
        uuid::Uuid::from_u128(number).into()
    }

    #[test]
    fn a_challenge_is_good_for_what_it_was_made_for_and_for_five_minutes() {
        let (ours, now) = (
            challenges(1),
            Timestamp::from_timestamp(1_800_000_000, 0).unwrap(),
        );
        let purposes = [
            Purpose::SignIn("a"),
            Purpose::SignIn("b"),
            Purpose::StepUp(session(1)),
            Purpose::StepUp(session(2)),
        ];
        for made_for in purposes {
            let text = ours.issue(made_for, now, &SystemEntropy);
            for purpose in purposes {
                let found = ours.recognise(&text, purpose, now);
                assert_eq!(found.is_some(), purpose == made_for, "{made_for:?} {purpose:?}");
                assert_eq!(challenges(2).recognise(&text, purpose, now), None);
            }
            let later = |seconds| ours.recognise(&text, made_for, now + TimeDelta::seconds(seconds));
            assert!(later(299).is_some() && later(300).is_none());
        }
    }

    #[test]
    fn no_text_is_a_challenge_that_was_changed() {
        let (ours, now) = (
            challenges(1),
            Timestamp::from_timestamp(1_800_000_000, 0).unwrap(),
        );
        let text = ours.issue(Purpose::SignIn("a"), now, &SystemEntropy);
        let is_good = |text: &str| ours.recognise(text, Purpose::SignIn("a"), now).is_some();
        assert!(is_good(&text));
        for at in 0..text.len() {
            let other = if text[at..].starts_with('A') { "B" } else { "A" };
            let changed = format!("{}{other}{}", &text[..at], &text[at + 1..]);
            assert!(!is_good(&changed), "{at}");
        }
        for bad in [
            "",
            "A",
            &text[1..],
            &format!("{text}="),
            &format!("{text}A"),
            &"A".repeat(100_000),
        ] {
            assert!(!is_good(bad), "{bad:.80}");
        }
    }
}
