//! Which keys may verify, and which sets of them are read.

#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use portcullis_shared::claims::Expectations;
use portcullis_shared::error::{TokenError, TokenErrorCode};
use portcullis_shared::jwk::{Jwk, JwkError, JwkSet, MAX_SET_BYTES, RsaVerifyingKey};
use portcullis_shared::jws::CompactJws;
use portcullis_shared::signature::{AwsLcKey, ReferenceKey};
use portcullis_shared::token::UnverifiedToken;
use serde_json::{Value, json};

/// A number of `bits` bits that passes for a modulus.
fn modulus(bits: usize) -> Vec<u8> {
    let mut bytes = vec![0x5a; bits.div_ceil(8)];
    *bytes.first_mut().unwrap() = 1 << ((bits - 1) % 8);
    *bytes.last_mut().unwrap() |= 1;
    bytes
}

fn jwk() -> Value {
    let key = RsaVerifyingKey::from_components("k1", &modulus(2048), &[1, 0, 1]).unwrap();
    serde_json::to_value(key.to_jwk()).unwrap()
}

fn with(name: &str, value: Value) -> Value {
    let mut jwk = jwk();
    jwk.as_object_mut().unwrap().insert(name.to_owned(), value);
    jwk
}

fn read(jwk: &Value) -> Result<RsaVerifyingKey, JwkError> {
    let jwk: Jwk = serde_json::from_value(jwk.clone()).map_err(|_| JwkError::NotAKey)?;
    RsaVerifyingKey::from_jwk(&jwk)
}

fn set(members: &[Value]) -> JwkSet {
    JwkSet::parse(json!({ "keys": members }).to_string().as_bytes()).unwrap()
}

#[test]
fn a_key_survives_publication() {
    let key = RsaVerifyingKey::from_components("k1", &modulus(3072), &[1, 0, 1]).unwrap();
    let json = JwkSet::from_keys(vec![key.clone()]).to_json();
    assert_eq!(JwkSet::parse(json.as_bytes()).unwrap().key("k1"), Some(&key));
}

#[test]
fn a_set_says_which_version_it_is_and_one_that_does_not_is_version_0() {
    let key = RsaVerifyingKey::from_components("k1", &modulus(2048), &[1, 0, 1]).unwrap();
    let unversioned = JwkSet::from_keys(vec![key]);
    assert_eq!(unversioned.version(), 0);
    assert!(!unversioned.to_json().contains("version"));
    for version in [1, 7, u64::MAX] {
        let set = unversioned.clone().with_version(version);
        let read = JwkSet::parse(set.to_json().as_bytes()).unwrap();
        assert_eq!((read.version(), read.len()), (version, 1));
        assert_ne!(read, unversioned);
    }
}

#[test]
fn a_version_that_is_no_whole_number_from_0_on_spoils_the_set() {
    for version in [
        "-1",
        "1.5",
        "1.0",
        "1e3",
        "\"7\"",
        "null",
        "[7]",
        "{}",
        "true",
        "18446744073709551616",
    ] {
        let text = format!("{{\"keys\":[],\"version\":{version}}}");
        assert_eq!(
            JwkSet::parse(text.as_bytes()),
            Err(JwkError::NotAKeySet),
            "{version}"
        );
    }
    assert_eq!(
        JwkSet::parse(br#"{"version":1,"keys":[],"version":2}"#),
        Err(JwkError::NotAKeySet)
    );
}

#[test]
fn a_published_key_names_its_purpose_and_nothing_private() {
    let jwk = jwk();
    let mut names: Vec<&str> = jwk.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["alg", "e", "kid", "kty", "n", "use"]);
    assert_eq!(
        (&jwk["use"], &jwk["alg"], &jwk["e"]),
        (&json!("sig"), &json!("RS256"), &json!("AQAB"))
    );
}

#[test]
fn the_modulus_has_2048_to_4096_bits_and_is_odd() {
    for bits in [2048, 2049, 3072, 4095, 4096] {
        RsaVerifyingKey::from_components("k", &modulus(bits), &[1, 0, 1]).unwrap();
    }
    let mut even = modulus(2048);
    *even.last_mut().unwrap() &= 0xfe;
    let padded = [&[0], &modulus(2048)[..]].concat();
    for wrong in [
        modulus(512),
        modulus(1024),
        modulus(2047),
        modulus(4097),
        modulus(8192),
        even,
        padded,
        Vec::new(),
    ] {
        assert_eq!(
            RsaVerifyingKey::from_components("k", &wrong, &[1, 0, 1]),
            Err(JwkError::Modulus)
        );
    }
}

#[test]
fn the_exponent_is_65537() {
    for wrong in [&[3][..], &[1], &[], &[1, 0, 0], &[0, 1, 0, 1], &[1, 0, 1, 0]] {
        assert_eq!(
            RsaVerifyingKey::from_components("k", &modulus(2048), wrong),
            Err(JwkError::Exponent)
        );
    }
}

#[test]
fn a_key_for_another_purpose_does_not_verify() {
    for (name, value) in [
        ("use", json!("enc")),
        ("use", json!("SIG")),
        ("alg", json!("PS256")),
        ("alg", json!("RS512")),
        ("alg", json!("rs256")),
        ("key_ops", json!(["sign"])),
        ("key_ops", json!(["encrypt", "wrapKey"])),
        ("key_ops", json!([])),
    ] {
        assert_eq!(
            read(&with(name, value.clone())),
            Err(JwkError::Purpose),
            "{name}: {value}"
        );
    }
    for (name, value) in [
        ("key_ops", json!(["verify"])),
        ("key_ops", json!(["sign", "verify"])),
        ("x5t", json!(1)),
    ] {
        assert!(read(&with(name, value.clone())).is_ok(), "{name}: {value}");
    }
}

#[test]
fn a_key_with_a_wrong_member_is_refused() {
    for (name, value, error) in [
        ("kty", json!("EC"), JwkError::KeyType),
        ("kty", json!("rsa"), JwkError::KeyType),
        ("kty", json!("oct"), JwkError::KeyType),
        ("kty", json!(null), JwkError::NotAKey),
        ("kid", json!(""), JwkError::KeyId),
        ("kid", json!(1), JwkError::NotAKey),
        ("use", json!(null), JwkError::NotAKey),
        ("key_ops", json!("verify"), JwkError::NotAKey),
        ("n", json!("not base64url!"), JwkError::Modulus),
        ("n", json!("AQAB"), JwkError::Modulus),
        ("n", json!(""), JwkError::Modulus),
        ("e", json!("AQAB="), JwkError::Exponent),
        ("e", json!("Aw"), JwkError::Exponent),
        ("e", json!(65537), JwkError::NotAKey),
    ] {
        assert_eq!(read(&with(name, value.clone())), Err(error), "{name}: {value}");
    }
    for (name, error) in [
        ("kid", JwkError::KeyId),
        ("n", JwkError::Modulus),
        ("e", JwkError::Exponent),
    ] {
        let mut jwk = jwk();
        jwk.as_object_mut().unwrap().remove(name);
        assert_eq!(read(&jwk), Err(error), "{name}");
    }
}

#[test]
fn members_that_cannot_verify_are_skipped() {
    let set = set(&[
        json!({ "kty": "EC", "kid": "ec", "crv": "P-256", "x": "AA", "y": "AA" }),
        json!({ "kty": "oct", "kid": "secret", "k": "AA" }),
        json!({ "kty": "from the future", "kid": 7 }),
        json!("not an object"),
        json!(null),
        jwk(),
        with("kid", json!("enc"))
            .as_object()
            .map(|jwk| {
                let mut jwk = jwk.clone();
                jwk.insert("use".to_owned(), json!("enc"));
                Value::Object(jwk)
            })
            .unwrap(),
    ]);
    assert_eq!(set.keys().map(RsaVerifyingKey::kid).collect::<Vec<_>>(), ["k1"]);
    assert_eq!(set.len(), 1);
}

#[test]
fn a_kid_that_two_keys_share_names_neither() {
    let set = set(&[jwk(), with("kid", json!("k2")), with("alg", json!("RS256"))]);
    assert_eq!(set.key("k1"), None);
    assert!(set.key("k2").is_some());
    assert_eq!(set.key(""), None);
}

#[test]
fn a_repeated_member_name_spoils_the_key_or_the_set() {
    let twice = jwk().to_string().replacen('{', "{\"kid\":\"k0\",", 1);
    let set = JwkSet::parse(format!("{{\"keys\":[{twice}]}}").as_bytes()).unwrap();
    assert!(set.is_empty());
    assert_eq!(
        JwkSet::parse(br#"{"keys":[],"keys":[]}"#),
        Err(JwkError::NotAKeySet)
    );
}

#[test]
fn a_set_has_a_shape_and_a_size() {
    for text in [
        "",
        "null",
        "[]",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":null}",
        "{\"keys\":[}",
        "{\"keys\":[]}x",
        "\u{feff}{\"keys\":[]}",
    ] {
        assert_eq!(
            JwkSet::parse(text.as_bytes()),
            Err(JwkError::NotAKeySet),
            "{text}"
        );
    }
    assert_eq!(JwkSet::parse(b"{\"keys\":[\"\xff\"]}"), Err(JwkError::NotAKeySet));
    let members = |count| json!({ "keys": vec![json!({}); count] }).to_string();
    assert!(JwkSet::parse(members(32).as_bytes()).is_ok());
    assert_eq!(JwkSet::parse(members(33).as_bytes()), Err(JwkError::TooManyKeys));
    let mut long = members(1).into_bytes();
    long.resize(MAX_SET_BYTES, b' ');
    assert!(JwkSet::parse(&long).is_ok());
    long.push(b' ');
    assert_eq!(JwkSet::parse(&long), Err(JwkError::TooLong));
}

#[test]
fn a_key_does_not_verify_a_token_that_asks_for_another() {
    let good: Value = serde_json::from_str(include_str!("vectors/good.json")).unwrap();
    let token = good["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["name"] == "plain")
        .unwrap();
    let token = token["token"].as_str().unwrap();
    let keys = JwkSet::parse(good["keys"].as_str().unwrap().as_bytes()).unwrap();
    let right = keys.key("signer-2048").unwrap();
    let renamed = RsaVerifyingKey::from_components("other", right.modulus(), right.exponent()).unwrap();
    let reference = ReferenceKey::new(&renamed)
        .unwrap()
        .verify(UnverifiedToken::parse(token).unwrap());
    let aws_lc = AwsLcKey::new(&renamed)
        .unwrap()
        .verify(UnverifiedToken::parse(token).unwrap());
    assert_eq!(reference.unwrap_err(), TokenError::unknown_key());
    assert_eq!(aws_lc.unwrap_err(), TokenError::unknown_key());
}

#[test]
fn a_kept_token_is_checked_against_the_clock_again() {
    let good: Value = serde_json::from_str(include_str!("vectors/good.json")).unwrap();
    let token = good["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["name"] == "nbf_now")
        .unwrap();
    let keys = JwkSet::parse(good["keys"].as_str().unwrap().as_bytes()).unwrap();
    let token = UnverifiedToken::parse(token["token"].as_str().unwrap()).unwrap();
    let verified = AwsLcKey::new(keys.key(token.kid()).unwrap())
        .unwrap()
        .verify(token)
        .unwrap();
    let expected = Expectations::new("https://auth.example.com", "example-api");
    let claims = verified.check(&expected, 1_800_000_000).unwrap();
    assert_eq!(claims.recheck_time(5, claims.exp + 4), Ok(()));
    assert!(claims.recheck_time(5, claims.exp + 5).unwrap_err().is_expired());
    assert_eq!(
        claims.recheck_time(5, 1_799_999_994).unwrap_err().code,
        TokenErrorCode::NotYetValid
    );
}

#[test]
fn a_token_does_not_show_in_debug_output() {
    let good: Value = serde_json::from_str(include_str!("vectors/good.json")).unwrap();
    let token = good["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["name"] == "plain")
        .unwrap();
    let text = token["token"].as_str().unwrap();
    let keys = JwkSet::parse(good["keys"].as_str().unwrap().as_bytes()).unwrap();
    let token = UnverifiedToken::parse(text).unwrap();
    let key = ReferenceKey::new(keys.key(token.kid()).unwrap()).unwrap();
    let shown = [
        format!("{:?}", CompactJws::parse(text).unwrap()),
        format!("{token:?}"),
        format!("{:?}", key.verify(token).unwrap()),
    ]
    .concat();
    assert!(
        shown.len() < 200 && !shown.contains("018f4d6e") && !shown.contains("eyJ"),
        "{shown}"
    );
}
