//! Who is limited: what stands for a client, and the name under which its count is kept without saying who it is.

use std::fmt;
use std::net::IpAddr;

use hmac::digest::KeyInit;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::base64url;
use crate::request_signature::SigningKey;

const KEY_LABEL: &str = "portcullis-limit-key-v1";
const NAME_LABEL: &[u8] = b"portcullis-limit-name-v1\0";

/// What stands for a client: the IPv4 address, also where it is written as an IPv6 one, or the /64 of an IPv6 address,
/// since a subscriber has all of it.
#[must_use]
pub fn client_key(client: IpAddr) -> String {
    match client.to_canonical() {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

/// The key under which the names of counts are made.
#[derive(Clone)]
pub struct LimitKey {
    /// 32 bytes, zero-padded to HMAC's block as RFC 2104 §2 has it.
    block: Zeroizing<[u8; 64]>,
}

impl LimitKey {
    /// The key that belongs to a signing key; it tells nothing about the other.
    #[must_use]
    pub fn of(signing_key: &SigningKey) -> Self {
        let derived = signing_key.mac(KEY_LABEL).finalize().into_bytes();
        let mut block = Zeroizing::new([0; 64]);
        for (to, from) in block.iter_mut().zip(derived) {
            *to = from;
        }
        Self { block }
    }

    /// The name of the count that a limit keeps of somebody, in base64url. Without the key nobody can tell from it whose it
    /// is, nor try all addresses until one fits. `limit` has no NUL in it.
    #[must_use]
    pub fn name(&self, limit: &str, who: &str) -> String {
        let mut mac = <Hmac<Sha256> as KeyInit>::new((&*self.block).into());
        mac.update(NAME_LABEL);
        mac.update(limit.as_bytes());
        mac.update(&[0]);
        mac.update(who.as_bytes());
        base64url::encode(&mac.finalize().into_bytes())
    }
}

impl fmt::Debug for LimitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LimitKey").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> LimitKey {
        LimitKey::of(&SigningKey::new("edge", &[byte; 32]).unwrap())
    }

    #[test]
    fn a_client_is_its_ipv4_address_or_its_network_of_64_bits() {
        let key = |address: &str| client_key(address.parse().unwrap());
        assert_eq!(key("192.0.2.1"), "192.0.2.1");
        assert_eq!(key("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(key("2001:db8:0:1::1"), "2001:db8:0:1::/64");
        assert_eq!(key("2001:db8:0:1:ffff::9"), key("2001:db8:0:1::1"));
        assert_ne!(key("2001:db8:0:2::1"), key("2001:db8:0:1::1"));
    }

    #[test]
    fn a_name_depends_on_the_key_the_limit_and_the_limited_and_shows_none_of_them() {
        let name = key(1).name("sign-in", "192.0.2.1");
        assert_eq!(name, key(1).name("sign-in", "192.0.2.1"));
        assert_eq!(name.len(), 43);
        for other in [
            key(2).name("sign-in", "192.0.2.1"),
            key(1).name("sign-i", "n192.0.2.1"),
            key(1).name("sign-in", "192.0.2.2"),
        ] {
            assert_ne!(name, other);
        }
        assert!(!name.contains("192"));
    }
}
