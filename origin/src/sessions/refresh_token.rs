//! Refresh tokens: how one is written, read, and derived.
//!
//! A token is `pcr_<family>.<generation>.<mac>`: the chain's name (base64url of 16 bytes), the position in
//! the chain (decimal), and HMAC-SHA256 (RFC 2104) under a key that only the server has. Nothing of it is
//! stored. Whoever presents generation *n* twice is given the same generation *n* + 1, because there is
//! only one that the key can make.

use std::fmt;

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use secrecy::{ExposeSecret as _, SecretString};

use crate::kernel::ids::{FamilyId, Id as _, SessionId, TenantId};
use crate::kernel::secrets::SecretBytes;

const PREFIX: &str = "pcr_";
const MAC_LENGTH: usize = 32;
/// 16 bytes in base64url.
const FAMILY_TEXT_LENGTH: usize = 22;
/// 32 bytes in base64url.
const MAC_TEXT_LENGTH: usize = 43;
/// Separates these MACs from any other that might be made under the same key. Every field that follows it
/// has a fixed length, so that no two inputs are the same bytes.
const DOMAIN: &[u8; 28] = b"portcullis-refresh-token-v1\0";
const MESSAGE_LENGTH: usize = DOMAIN.len() + 16 + 16 + 16 + 8;

/// Whether a text would be a refresh token if it were one of ours. No access token begins like one: its first bytes are
/// a JSON object in base64url.
#[must_use]
pub fn looks_like_refresh_token(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// What a token is about: one generation of the chain of one session of one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The tenant of the session.
    pub tenant: TenantId,
    /// The session that owns the chain.
    pub session: SessionId,
    /// The chain.
    pub family: FamilyId,
    /// The position in the chain; starts at 0.
    pub generation: u64,
}

/// A key that refresh tokens are derived under.
pub struct RefreshKey(hmac::Key);

impl RefreshKey {
    /// A key from its secret bytes, which should be 32 random ones.
    #[must_use]
    pub fn new(secret: &SecretBytes) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.expose()))
    }

    /// The one token of this link.
    #[must_use]
    pub fn derive(&self, link: &Link) -> SecretString {
        let tag = hmac::sign(&self.0, &message(link));
        let family = Base64UrlUnpadded::encode_string(link.family.uuid().as_bytes());
        let mac = Base64UrlUnpadded::encode_string(tag.as_ref());
        format!("{PREFIX}{family}.{}.{mac}", link.generation).into()
    }

    /// Whether `presented` carries the MAC of this link. Takes the same time wherever a difference lies.
    #[must_use]
    pub fn recognises(&self, presented: &PresentedToken, link: &Link) -> bool {
        hmac::verify(&self.0, &message(link), &presented.mac).is_ok()
    }
}

impl fmt::Debug for RefreshKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshKey(redacted)")
    }
}

/// A token as a client presented it: well-formed, and nothing more is known of it.
#[derive(Clone)]
pub struct PresentedToken {
    family: FamilyId,
    generation: u64,
    mac: [u8; MAC_LENGTH],
}

impl PresentedToken {
    /// Reads a token. Only the one canonical spelling is taken; `None` for anything else.
    #[must_use]
    pub fn parse(text: &SecretString) -> Option<Self> {
        let mut parts = text.expose_secret().strip_prefix(PREFIX)?.split('.');
        let (family, generation, mac) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || family.len() != FAMILY_TEXT_LENGTH || mac.len() != MAC_TEXT_LENGTH {
            return None;
        }
        let mut family_bytes = [0; 16];
        Base64UrlUnpadded::decode(family, &mut family_bytes).ok()?;
        let mut token = Self {
            family: FamilyId::from_uuid(uuid::Uuid::from_bytes(family_bytes)),
            generation: parse_generation(generation)?,
            mac: [0; MAC_LENGTH],
        };
        Base64UrlUnpadded::decode(mac, &mut token.mac).ok()?;
        Some(token)
    }

    /// Stands in for a text that is no token, so that refusing it is the same work as refusing a forgery.
    #[must_use]
    pub fn unreadable() -> Self {
        Self {
            family: FamilyId::from_uuid(uuid::Uuid::nil()),
            generation: 0,
            mac: [0; MAC_LENGTH],
        }
    }

    /// The chain that the token claims to be of.
    #[must_use]
    pub fn family(&self) -> FamilyId {
        self.family
    }

    /// The position that the token claims to have.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

/// The MAC is what makes the token good for anything.
impl fmt::Debug for PresentedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedToken")
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// Decimal without sign or leading zeros, and no larger than the column can hold.
fn parse_generation(text: &str) -> Option<u64> {
    let canonical = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    let generation = canonical.then(|| text.parse::<u64>().ok())??;
    i64::try_from(generation).is_ok().then_some(generation)
}

fn message(link: &Link) -> [u8; MESSAGE_LENGTH] {
    let (tenant, session, family) = (link.tenant.uuid(), link.session.uuid(), link.family.uuid());
    let generation = link.generation.to_be_bytes();
    let fields = [
        DOMAIN.as_slice(),
        tenant.as_bytes(),
        session.as_bytes(),
        family.as_bytes(),
        &generation,
    ];
    let mut message = [0; MESSAGE_LENGTH];
    for (byte, value) in message.iter_mut().zip(fields.into_iter().flatten()) {
        *byte = *value;
    }
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn key(byte: u8) -> RefreshKey {
        RefreshKey::new(&SecretBytes::new(vec![byte; 32]))
    }

    fn link() -> Link {
        Link {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            session: SessionId::from_uuid(Uuid::from_u128(2)),
            family: FamilyId::from_uuid(Uuid::from_u128(3)),
            generation: 7,
        }
    }

    fn parse(text: &str) -> Option<PresentedToken> {
        PresentedToken::parse(&text.to_owned().into())
    }

    #[test]
    fn a_token_says_its_chain_and_position_and_is_recognised() {
        let token = key(1).derive(&link());
        let presented = PresentedToken::parse(&token).unwrap();
        assert_eq!((presented.family(), presented.generation()), (link().family, 7));
        assert!(key(1).recognises(&presented, &link()));
    }

    #[test]
    fn the_spelling_of_a_token_is_fixed() {
        // The MAC was computed with Python's hmac module over the documented layout.
        assert_eq!(
            key(1).derive(&link()).expose_secret(),
            "pcr_AAAAAAAAAAAAAAAAAAAAAw.7.POpnFx2BmmU0En-IONq1JQs1vqh-BONk1f_gVDplhMo"
        );
    }

    #[test]
    fn the_same_link_gives_the_same_token_and_every_other_link_another() {
        let token = key(1).derive(&link());
        assert_eq!(token.expose_secret(), key(1).derive(&link()).expose_secret());
        let presented = PresentedToken::parse(&token).unwrap();
        let other = Uuid::from_u128(9);
        for foreign in [
            Link {
                tenant: TenantId::from_uuid(other),
                ..link()
            },
            Link {
                session: SessionId::from_uuid(other),
                ..link()
            },
            Link {
                family: FamilyId::from_uuid(other),
                ..link()
            },
            Link {
                generation: 8,
                ..link()
            },
        ] {
            assert!(!key(1).recognises(&presented, &foreign), "{foreign:?}");
        }
        assert!(!key(2).recognises(&presented, &link()));
    }

    #[test]
    fn swapped_identifiers_are_not_the_same_link() {
        let swapped = Link {
            session: SessionId::from_uuid(link().tenant.uuid()),
            tenant: TenantId::from_uuid(link().session.uuid()),
            ..link()
        };
        let presented = PresentedToken::parse(&key(1).derive(&link())).unwrap();
        assert!(!key(1).recognises(&presented, &swapped));
    }

    #[test]
    fn every_single_changed_bit_is_refused() {
        let token = key(1).derive(&link()).expose_secret().to_owned().into_bytes();
        for at in 0..token.len() {
            for bit in 0..8 {
                let mut changed = token.clone();
                changed[at] ^= 1 << bit;
                let Ok(text) = String::from_utf8(changed) else {
                    continue;
                };
                let accepted = parse(&text).is_some_and(|presented| {
                    let claimed = Link {
                        family: presented.family(),
                        generation: presented.generation(),
                        ..link()
                    };
                    key(1).recognises(&presented, &claimed)
                });
                assert!(!accepted, "{text}");
            }
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let token = key(1).derive(&link()).expose_secret().to_owned();
        for length in 0..token.len() {
            assert!(parse(&token[..length]).is_none(), "{length}");
        }
    }

    #[test]
    fn a_second_spelling_of_a_token_is_refused() {
        let token = key(1).derive(&link()).expose_secret().to_owned();
        let (family, mac) = (&token[4..26], &token[29..]);
        assert!(parse(&format!("pcr_{family}.7.{mac}")).is_some());
        for text in [
            format!("pcr_{family}.07.{mac}"),
            format!("pcr_{family}.+7.{mac}"),
            format!("pcr_{family}.7 .{mac}"),
            format!("pcr_{family}..{mac}"),
            format!("pcr_{family}.18446744073709551616.{mac}"),
            format!("pcr_{family}.9223372036854775808.{mac}"),
            format!("pcr_{family}.7.{mac}="),
            format!("pcr_{family}.7.{mac}."),
            format!("pcr_{family}.7.{mac}.{mac}"),
            format!("PCR_{family}.7.{mac}"),
            format!(" pcr_{family}.7.{mac}"),
            format!("pcr_{family}.7.{mac}\n"),
        ] {
            assert!(parse(&text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn what_stands_in_for_an_unreadable_text_is_never_recognised() {
        let unreadable = PresentedToken::unreadable();
        let claimed = Link {
            family: unreadable.family(),
            generation: unreadable.generation(),
            ..link()
        };
        assert!(!key(1).recognises(&unreadable, &claimed));
    }

    #[test]
    fn neither_key_nor_mac_shows_in_debug_output() {
        let token = key(1).derive(&link());
        let presented = PresentedToken::parse(&token).unwrap();
        assert_eq!(format!("{:?}", key(1)), "RefreshKey(redacted)");
        assert_eq!(format!("{presented:?}"), "PresentedToken { generation: 7, .. }");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_only_what_was_derived_is_recognised(text in "(pcr_)?[A-Za-z0-9_.=-]{0,80}") {
            if let Some(presented) = parse(&text) {
                let claimed = Link { family: presented.family(), generation: presented.generation(), ..link() };
                prop_assert!(!key(1).recognises(&presented, &claimed));
            }
        }

        #[test]
        fn every_derived_token_reads_back(family: u128, generation in 0..=i64::MAX.unsigned_abs()) {
            let link = Link { family: FamilyId::from_uuid(Uuid::from_u128(family)), generation, ..link() };
            let presented = PresentedToken::parse(&key(1).derive(&link)).unwrap();
            prop_assert_eq!((presented.family(), presented.generation()), (link.family, generation));
            prop_assert!(key(1).recognises(&presented, &link));
        }
    }
}
