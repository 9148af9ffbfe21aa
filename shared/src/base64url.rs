//! base64url without padding (RFC 4648 §5), in its one canonical spelling.
//!
//! Invariant: two different texts never decode to the same bytes. Padding, white space, the standard
//! alphabet and non-zero trailing bits are all refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Decodes canonical base64url; `None` for any other spelling.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Encodes to canonical base64url.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn a_canonical_text_survives_the_round_trip() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", &[0xfb, 0xff, 0xfe]] {
            assert_eq!(decode(&encode(bytes)).as_deref(), Some(bytes));
        }
    }

    #[test]
    fn every_other_spelling_is_refused() {
        for text in ["Zg==", "Zh", "Zm9", "Z", "Zg\n", " Zg", "+/8", "Zm9v="] {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
