//! Reads secrets from text and refuses those that are none.

use std::ops::RangeInclusive;

use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding};

use super::super::secrets::SecretBytes;

/// What a key identifier may be.
pub(super) const KEY_ID_RULE: &str = "a key identifier is 1 to 64 of A-Z, a-z, 0-9, _ and -";

/// Random bytes of any accepted length have more distinct values than this; patterns have not.
const MIN_DISTINCT: usize = 12;

/// Why a text is not accepted as a secret. The message never repeats the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SecretMistake {
    /// It is not base64.
    #[error("must be base64 or base64url")]
    Encoding,
    /// It has too few or too many bytes.
    #[error("has the wrong length: 32 random bytes are needed")]
    Length,
    /// It is a pattern, such as zeros.
    #[error("is too weak: it must be random bytes")]
    Weak,
}

/// Decodes base64 or base64url, with or without padding.
pub(super) fn decode(text: &str, length: RangeInclusive<usize>) -> Result<SecretBytes, SecretMistake> {
    let text = text.trim();
    let bytes = Base64::decode_vec(text)
        .or_else(|_| Base64Unpadded::decode_vec(text))
        .or_else(|_| Base64Url::decode_vec(text))
        .or_else(|_| Base64UrlUnpadded::decode_vec(text))
        .map_err(|_| SecretMistake::Encoding)?;
    let secret = SecretBytes::new(bytes);
    if !length.contains(&secret.expose().len()) {
        return Err(SecretMistake::Length);
    }
    if distinct(secret.expose()) < MIN_DISTINCT || counts_up_or_down(secret.expose()) {
        return Err(SecretMistake::Weak);
    }
    Ok(secret)
}

/// Whether the text can name a key.
pub(super) fn is_key_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

fn distinct(bytes: &[u8]) -> usize {
    bytes.iter().collect::<std::collections::BTreeSet<_>>().len()
}

fn counts_up_or_down(bytes: &[u8]) -> bool {
    let mut steps = bytes
        .iter()
        .zip(bytes.iter().skip(1))
        .map(|(before, after)| after.wrapping_sub(*before));
    let Some(first) = steps.next() else { return false };
    steps.all(|step| step == first)
}
