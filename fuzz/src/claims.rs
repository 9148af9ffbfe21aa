//! The claims of a token that is properly signed: the input is its payload.
//!
//! Claims can be read after a verdict only, so each payload is signed, with a key that is made when the target begins.

use std::sync::LazyLock;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_shared::claims::Expectations;
use portcullis_shared::identity;
use portcullis_shared::jwk::RsaVerifyingKey;
use portcullis_shared::signature::ReferenceKey;
use portcullis_shared::token::UnverifiedToken;
use rsa::RsaPrivateKey;
use rsa::pkcs1v15::SigningKey;
use rsa::rand_core::OsRng;
use rsa::sha2::Sha256;
use rsa::signature::{SignatureEncoding as _, Signer as _};
use rsa::traits::PublicKeyParts as _;

use crate::NOW;

const ISSUER: &str = "https://i";
const AUDIENCE: &str = "a";

struct Issuer {
    signing: SigningKey<Sha256>,
    verifying: ReferenceKey,
    /// The encoded header.
    header: String,
}

static ISSUER_KEY: LazyLock<Issuer> = LazyLock::new(|| {
    let private = RsaPrivateKey::new(&mut OsRng, 2048).expect("randomness");
    let (modulus, exponent) = (private.n().to_bytes_be(), private.e().to_bytes_be());
    let verifying = RsaVerifyingKey::from_components("k", &modulus, &exponent).expect("a good key");
    Issuer {
        signing: SigningKey::new(private),
        verifying: ReferenceKey::new(&verifying).expect("a good key"),
        header: Base64UrlUnpadded::encode_string(br#"{"alg":"RS256","typ":"at+jwt","kid":"k"}"#),
    }
});

/// Claims that are accepted are those that were expected, are timely, and make headers that are visible ASCII.
pub fn check(data: &[u8]) {
    let issuer = &*ISSUER_KEY;
    let signed = format!("{}.{}", issuer.header, Base64UrlUnpadded::encode_string(data));
    // Most payloads are none, and signing takes a thousand times as long as finding out.
    if UnverifiedToken::parse(&format!("{signed}.AAAA")).is_err() {
        return;
    }
    let signature = issuer.signing.sign(signed.as_bytes()).to_bytes();
    let token = format!("{signed}.{}", Base64UrlUnpadded::encode_string(&signature));
    let Ok(token) = UnverifiedToken::parse(&token) else {
        // The signature made it too long.
        return;
    };
    let verified = issuer.verifying.verify(token).expect("a good signature");
    let expected = Expectations::new(ISSUER, AUDIENCE);
    let Ok(claims) = verified.check(&expected, NOW) else {
        return;
    };
    let leeway = expected.leeway_seconds;
    assert!(
        claims.iss == ISSUER && claims.aud.contains(AUDIENCE),
        "{claims:?}"
    );
    assert!(
        claims.exp + leeway > NOW && claims.iat <= NOW + leeway,
        "{claims:?}"
    );
    assert!(
        claims.nbf.is_none_or(|nbf| (0..=NOW + leeway).contains(&nbf)),
        "{claims:?}"
    );
    assert!(claims.recheck_time(leeway, NOW).is_ok(), "{claims:?}");
    let headers = identity::headers(&claims);
    for name in [identity::SUBJECT, identity::TENANT, identity::SESSION] {
        assert!(
            headers.iter().any(|(other, _)| *other == name),
            "{name} is missing: {claims:?}"
        );
    }
    for (name, value) in &headers {
        assert!(!value.is_empty(), "{name} is empty: {claims:?}");
        assert!(
            value.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{name}: {value:?}"
        );
    }
}
