//! Which keys are taken, and that what they sign is what verifiers read.

use portcullis_shared::claims::{AccessClaims, Audience, Expectations};
use portcullis_shared::jws::CompactJws;
use portcullis_shared::signature::AwsLcKey;
use portcullis_shared::token::UnverifiedToken;

use super::*;

const PKCS1: &str = include_str!("../../tests/keys/rsa-2048-pkcs1.pem");
const PKCS8: &str = include_str!("../../tests/keys/rsa-2048-pkcs8.pem");

fn read(pem: &str, kid: Option<&str>) -> Result<SigningKey, SigningKeyError> {
    SigningKey::from_pem(&SecretBytes::new(pem.as_bytes().to_vec()), kid)
}

fn claims() -> AccessClaims {
    AccessClaims {
        iss: "https://auth.example.com".into(),
        aud: Audience::One("api".into()),
        sub: "user".into(),
        exp: 1_900,
        iat: 1_000,
        nbf: None,
        jti: "token".into(),
        client_id: Some("portcullis".into()),
        sid: "session".into(),
        tenant_id: "tenant".into(),
        role: Some("customer".into()),
        permissions: vec!["tickets:purchase".into()],
        venues: std::collections::BTreeMap::new(),
        venues_truncated: false,
        auth_time: Some(1_000),
        amr: vec!["pwd".into()],
        acr: Some("aal1".into()),
    }
}

#[test]
fn both_forms_of_pem_give_the_same_key() {
    let (first, second) = (read(PKCS1, None).unwrap(), read(PKCS8, None).unwrap());
    assert_eq!(first.public(), second.public());
    assert_eq!(first.public().modulus().len(), 256);
}

#[test]
fn a_key_without_a_name_is_called_by_its_thumbprint() {
    // Computed apart from this code, with OpenSSL and Python, after RFC 7638.
    assert_eq!(
        read(PKCS1, None).unwrap().kid(),
        "DhS1JKZ35w0g5iE_PXirrIUsSH5w-wurqpC9SwqM3k8"
    );
}

#[test]
fn text_around_the_block_and_windows_line_ends_do_no_harm() {
    let with_text = format!("The old service's key, 2024\n{}", PKCS8.replace('\n', "\r\n"));
    assert!(read(&with_text, None).is_ok());
}

#[test]
fn a_token_verifies_under_the_published_key_and_reads_back() {
    let key = read(PKCS8, Some("old service/2024")).unwrap_err();
    assert!(
        matches!(key, SigningKeyError::Kid),
        "a space cannot stand in a kid"
    );

    let key = read(PKCS8, Some("old-service/2024")).unwrap();
    let token = key.sign(&claims()).unwrap();
    let header = CompactJws::parse(&token).unwrap();
    assert_eq!(header.kid(), Some("old-service/2024"));
    let verified = AwsLcKey::new(key.public())
        .unwrap()
        .verify(UnverifiedToken::parse(&token).unwrap())
        .unwrap();
    let expected = Expectations::new("https://auth.example.com", "api");
    assert_eq!(verified.check(&expected, 1_000).unwrap(), claims());
}

#[test]
fn a_key_survives_the_form_in_which_it_is_stored() {
    let key = read(PKCS1, Some("a")).unwrap();
    let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap(), "a").unwrap();
    assert_eq!(again.public(), key.public());
    assert_eq!(again.sign(&claims()).unwrap(), key.sign(&claims()).unwrap());
}

#[test]
fn a_generated_key_has_the_size_that_was_asked_for() {
    for bits in [2048, 3072] {
        let key = SigningKey::generate(bits).unwrap();
        assert_eq!(key.public().modulus().len() * 8, usize::try_from(bits).unwrap());
        assert_eq!(key.kid().len(), 43);
    }
    assert!(matches!(SigningKey::generate(1024), Err(SigningKeyError::Size)));
    assert!(matches!(SigningKey::generate(8192), Err(SigningKeyError::Size)));
}

#[test]
fn weak_and_odd_keys_are_refused() {
    let short = include_str!("../../tests/keys/rsa-1024.pem");
    assert!(matches!(
        read(short, None),
        Err(SigningKeyError::NotRsa | SigningKeyError::Unfit(JwkError::Modulus))
    ));
    let long = include_str!("../../tests/keys/rsa-8192.pem");
    assert!(matches!(
        read(long, None),
        Err(SigningKeyError::Unfit(JwkError::Modulus))
    ));
    let exponent = include_str!("../../tests/keys/rsa-2048-exponent-3.pem");
    assert!(matches!(
        read(exponent, None),
        Err(SigningKeyError::Unfit(JwkError::Exponent))
    ));
    let curve = include_str!("../../tests/keys/ec-p256.pem");
    assert!(matches!(read(curve, None), Err(SigningKeyError::NotRsa)));
}

#[test]
fn encrypted_keys_and_public_keys_are_refused_with_their_reason() {
    for encrypted in [
        include_str!("../../tests/keys/rsa-2048-encrypted.pem"),
        include_str!("../../tests/keys/rsa-2048-encrypted-pkcs1.pem"),
    ] {
        assert!(matches!(read(encrypted, None), Err(SigningKeyError::Encrypted)));
    }
    let public = include_str!("../../tests/keys/rsa-2048-public.pem");
    match read(public, None) {
        Err(SigningKeyError::OtherPemBlock(label)) => assert_eq!(label, "PUBLIC KEY"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_damaged_key_is_refused_and_never_panics() {
    for text in [
        "",
        "hello",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        &PKCS8[..400],
    ] {
        assert!(read(text, None).is_err(), "{text:?}");
    }
    let lines: Vec<&str> = PKCS1.lines().collect();
    for dropped in 1..lines.len() - 1 {
        let mut damaged = lines.clone();
        damaged.remove(dropped);
        assert!(read(&damaged.join("\n"), None).is_err(), "without line {dropped}");
    }
}

#[test]
fn a_private_key_whose_numbers_do_not_belong_together_is_refused() {
    let (_, mut der) = pem_rfc7468::decode_vec(PKCS1.as_bytes()).unwrap();
    // The private exponent lies behind the modulus (257 bytes from 11) and the public exponent.
    der[300] ^= 1;
    let pem = pem_rfc7468::encode_string("RSA PRIVATE KEY", pem_rfc7468::LineEnding::LF, &der).unwrap();
    assert!(matches!(read(&pem, None), Err(SigningKeyError::NotRsa)));
}

#[test]
fn names_that_cannot_stand_in_a_token_are_refused() {
    for kid in ["", "a b", "käse", "a\nb", &"k".repeat(129)] {
        assert!(
            matches!(read(PKCS1, Some(kid)), Err(SigningKeyError::Kid)),
            "{kid:?}"
        );
    }
    assert_eq!(read(PKCS1, Some(&"k".repeat(128))).unwrap().kid().len(), 128);
}

#[test]
fn no_private_number_shows_in_debug_output() {
    assert_eq!(
        format!("{:?}", read(PKCS1, Some("a")).unwrap()),
        "SigningKey { kid: \"a\", .. }"
    );
}
