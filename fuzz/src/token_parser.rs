//! An access token and a key set, both as strangers could spell them: the first line, and the rest.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_shared::jwk::{JwkSet, MAX_SET_KEYS};
use portcullis_shared::signature::ReferenceKey;
use portcullis_shared::token::UnverifiedToken;

/// What is accepted has one spelling, and a key set reads back what it writes.
pub fn check(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (token, rest) = data.split_at(end);
    let set = JwkSet::parse(rest.trim_ascii_start());
    if let Ok(set) = &set {
        check_set(set);
    }
    let Some(text) = str::from_utf8(token).ok() else {
        return;
    };
    let Ok(token) = UnverifiedToken::parse(text) else {
        return;
    };
    let signed = str::from_utf8(token.signing_input()).expect("a part of a text");
    let signature = Base64UrlUnpadded::encode_string(token.signature());
    assert_eq!(
        format!("{signed}.{signature}"),
        text,
        "another spelling was accepted"
    );
    if let Some(key) = set.ok().as_ref().and_then(|set| set.key(token.kid()))
        && let Ok(key) = ReferenceKey::new(key)
    {
        // Nobody has signed anything here.
        assert!(key.verify(token).is_err());
    }
}

fn check_set(set: &JwkSet) {
    assert!(set.len() <= MAX_SET_KEYS);
    for key in set.keys() {
        assert!(
            (256..=512).contains(&key.modulus().len()),
            "a key of another size"
        );
        assert_eq!(set.key(key.kid()), Some(key), "two keys of one name");
    }
    assert_eq!(JwkSet::parse(set.to_json().as_bytes()).as_ref(), Ok(set));
}
