//! Request ids: one for each request, the same in every log line and in the answer.

/// The random bytes a new id takes.
pub const RANDOM_BYTES: usize = 16;

/// Whether an id that came with the request is kept: 8 to 64 letters, digits, `_` and `-`.
#[must_use]
pub fn is_acceptable(id: &str) -> bool {
    (8..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

/// A version 4 UUID (RFC 9562 §5.4) of `random` bytes.
#[must_use]
pub fn from_random(random: [u8; RANDOM_BYTES]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut bits = u128::from_be_bytes(random);
    bits = bits & !(0xf000_u128 << 64) | (0x4000_u128 << 64);
    bits = bits & !(0xc000_u128 << 48) | (0x8000_u128 << 48);
    let mut text = String::with_capacity(36);
    for at in 0..32_u32 {
        if matches!(at, 8 | 12 | 16 | 20) {
            text.push('-');
        }
        let digit = (bits >> (124 - 4 * at)) & 0xf;
        text.extend(
            usize::try_from(digit)
                .ok()
                .and_then(|digit| DIGITS.get(digit))
                .map(|byte| char::from(*byte)),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{from_random, is_acceptable};

    #[test]
    fn ids_of_a_sensible_form_are_kept() {
        for id in ["12345678", "0195a1f2-7c00-7000-8000-000000000000", "a_b-C_d9"] {
            assert!(is_acceptable(id), "{id}");
        }
        for id in [
            "",
            "1234567",
            "a b c d e f",
            "id\r\nx: y",
            "ééééé",
            &"a".repeat(65),
        ] {
            assert!(!is_acceptable(id), "{id}");
        }
    }

    #[test]
    fn a_new_id_is_a_version_4_uuid() {
        assert_eq!(from_random([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(from_random([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert!(is_acceptable(&from_random(*b"0123456789abcdef")));
    }
}
