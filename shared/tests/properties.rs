//! Whatever comes in: nothing panics, and what was signed is what is read.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    dead_code,
    reason = "a test says what it expects by failing, and shares the generator's mint without using all of it"
)]

#[path = "../examples/make_vectors/mint.rs"]
mod mint;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use mint::{AUDIENCE, HEADER, ISSUER, KID, LEEWAY, Mint, NOW, b64};
use portcullis_shared::claims::{AccessClaims, Audience, Expectations};
use portcullis_shared::error::TokenError;
use portcullis_shared::identity;
use portcullis_shared::jwk::{JwkSet, RsaVerifyingKey};
use portcullis_shared::jws::CompactJws;
use portcullis_shared::request_signature::{SIGNED_HEADERS, SignedRequest, SigningKey, sign, verify};
use portcullis_shared::signature::ReferenceKey;
use portcullis_shared::token::UnverifiedToken;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

static MINT: LazyLock<Mint> = LazyLock::new(Mint::signer);
static KEY: LazyLock<ReferenceKey> = LazyLock::new(|| {
    let key = RsaVerifyingKey::from_components(KID, &MINT.modulus(), &[1, 0, 1]).unwrap();
    ReferenceKey::new(&key).unwrap()
});

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(9421),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

fn check(token: &str) -> Result<AccessClaims, TokenError> {
    let token = UnverifiedToken::parse(token)?;
    KEY.verify(token)?
        .check(&Expectations::new(ISSUER, AUDIENCE), NOW)
}

prop_compose! {
    fn claims()(
        (sub, jti, sid, tenant_id) in ("[!-~]{1,40}", "[!-~]{1,40}", "[!-~]{1,40}", "[!-~]{1,40}"),
        aud in prop_oneof![
            Just(Audience::One(AUDIENCE.to_owned())),
            prop::collection::vec(".{0,10}", 0..4).prop_map(|mut all| {
                all.push(AUDIENCE.to_owned());
                Audience::Many(all)
            }),
        ],
        exp in NOW - LEEWAY + 1..=i64::MAX,
        iat in 0..=NOW + LEEWAY,
        nbf in prop::option::of(0..=NOW + LEEWAY),
        (client_id, role, acr) in (prop::option::of(".{1,20}"), prop::option::of("[!-~]{1,20}"), prop::option::of("[!-~]{1,8}")),
        (permissions, amr) in (prop::collection::vec("[!-~]{1,20}", 0..6), prop::collection::vec("[!-~]{1,6}", 0..3)),
        venues in prop::collection::btree_map(".{0,20}", prop::collection::vec("[!-~]{1,12}", 0..3), 0..=32),
        venues_truncated in any::<bool>(),
        auth_time in prop::option::of(0..=i64::MAX),
    ) -> AccessClaims {
        AccessClaims {
            iss: ISSUER.to_owned(), aud, sub, exp, iat, nbf, jti, client_id, sid, tenant_id, role, permissions, venues,
            venues_truncated, auth_time, amr, acr,
        }
    }
}

/// JSON of any shape, in which the names that matter occur often.
fn json() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "iss|aud|sub|exp|iat|nbf|jti|sid|tenant_id|venues|alg|kid|typ|keys|kty|n|e|use",
        ".{0,4}"
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_map(|number| format!("{number:?}")),
        ".{0,12}".prop_map(|text| serde_json::to_string(&text).unwrap()),
    ];
    leaf.prop_recursive(4, 40, 8, move |inner| {
        let member = (name.clone(), inner.clone())
            .prop_map(|(name, value)| format!("{}:{value}", serde_json::to_string(&name).unwrap()));
        prop_oneof![
            prop::collection::vec(inner, 0..8).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..8).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn no_text_makes_the_token_parser_panic(text in any::<String>(), ascii in "[ -~]{0,60}\\.[ -~]{0,60}\\.[ -~]{0,60}") {
        for text in [text, ascii] {
            let _ = CompactJws::parse(&text);
            let _ = UnverifiedToken::parse(&text);
        }
    }

    #[test]
    fn no_bytes_in_the_segments_make_the_token_parser_panic(
        header in prop::collection::vec(any::<u8>(), 0..80),
        claims in prop::collection::vec(any::<u8>(), 0..80),
        signature in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let text = format!("{}.{}.{}", b64(header), b64(&claims), b64(&signature));
        let _ = UnverifiedToken::parse(&text);
        let text = format!("{}.{}.{}", b64(HEADER), b64(claims), b64(signature));
        let _ = UnverifiedToken::parse(&text);
    }

    #[test]
    fn no_json_in_the_header_makes_the_token_parser_panic(header in json()) {
        let _ = UnverifiedToken::parse(&format!("{}.{}.AAAA", b64(header), b64("{}")));
    }

    #[test]
    fn no_bytes_make_the_key_set_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json in json()) {
        for bytes in [bytes, json.clone().into_bytes(), format!("{{\"keys\":[{json}]}}").into_bytes()] {
            if let Ok(set) = JwkSet::parse(&bytes) {
                prop_assert!(set.is_empty(), "no such key verifies anything");
            }
        }
    }

    #[test]
    fn no_text_makes_the_signature_headers_verify_or_panic(
        input in any::<String>(),
        structured in r#"(edge=)?\((("[@a-z]{0,8}")? ?){0,4}\)(;[a-z]{1,7}(=("[ -~]{0,6}"|-?[0-9]{1,16}))?){0,5}"#,
        signature in r"(edge=)?:?[A-Za-z0-9+/=]{0,48}:?",
    ) {
        let request = SignedRequest { method: "GET", authority: "a", path: "/", query: None, headers: &[] };
        let keys = [SigningKey::new("k", &[7; 32]).unwrap()];
        for input in [input, structured] {
            prop_assert!(verify(&request, &input, &signature, &keys, NOW).is_err());
        }
    }

    #[test]
    fn identity_headers_are_visible_ascii_whatever_the_claims_hold(
        mut claims in claims(),
        (sub, role, permission, venue) in (any::<String>(), any::<String>(), any::<String>(), any::<String>()),
    ) {
        claims.sub = sub;
        claims.role = Some(role);
        claims.permissions.push(permission);
        claims.venues.insert(venue.clone(), vec![venue]);
        for (name, value) in identity::headers(&claims) {
            prop_assert!(!value.is_empty(), "{name}");
            prop_assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{name}: {value:?}");
            if name == identity::VENUE_ROLES {
                let read: BTreeMap<String, Vec<String>> = serde_json::from_str(&value).unwrap();
                prop_assert_eq!(&read, &claims.venues);
            }
        }
    }

    #[test]
    fn a_signed_request_verifies_as_it_was_and_not_otherwise(
        (method, authority, path) in ("[A-Z]{1,7}", "[a-z0-9.]{1,20}(:[0-9]{2,5})?", "/[!->@-~]{0,30}"),
        query in prop::option::of("[!-~]{0,30}"),
        values in prop::collection::vec(prop::option::of("[ -~]{0,30}"), SIGNED_HEADERS.len()),
        changed in 0..SIGNED_HEADERS.len(),
    ) {
        let headers: Vec<(&str, &str)> = SIGNED_HEADERS
            .into_iter()
            .zip(&values)
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
            .collect();
        let request =
            SignedRequest { method: &method, authority: &authority, path: &path, query: query.as_deref(), headers: &headers };
        let keys = [SigningKey::new("k", &[7; 32]).unwrap()];
        let signed = sign(&request, &keys[0], "nonce", NOW);
        prop_assert!(verify(&request, &signed.signature_input, &signed.signature, &keys, NOW).is_ok());
        let mut other = headers.clone();
        match other.iter_mut().find(|(name, _)| *name == SIGNED_HEADERS[changed]) {
            Some((_, value)) => *value = "something else entirely, longer than any",
            None => other.push((SIGNED_HEADERS[changed], "added")),
        }
        let request = SignedRequest { headers: &other, ..request };
        prop_assert!(verify(&request, &signed.signature_input, &signed.signature, &keys, NOW).is_err());
    }
}

proptest! {
    #![proptest_config(config(64))]

    #[test]
    fn a_token_that_was_minted_verifies_and_says_the_same(claims in claims()) {
        let token = MINT.token(HEADER, &serde_json::to_string(&claims).unwrap());
        prop_assume!(token.len() <= 8192);
        prop_assert_eq!(check(&token), Ok(claims));
    }

    #[test]
    fn no_signed_json_makes_the_claims_check_panic(json in json()) {
        prop_assert!(check(&MINT.token(HEADER, &json)).is_err(), "no such object has all the claims");
    }
}

#[test]
fn no_single_character_of_a_token_can_be_changed() {
    let token = MINT.token(HEADER, &mint::claims().json());
    assert!(check(&token).is_ok());
    for at in 0..token.len() {
        for replacement in ["A", "_", ".", "=", ""] {
            if &token[at..=at] != replacement {
                let changed = format!("{}{replacement}{}", &token[..at], &token[at + 1..]);
                assert!(check(&changed).is_err(), "{at}: {replacement:?}");
            }
        }
    }
}
