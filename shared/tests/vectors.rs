//! Every vector through every native backend. The Worker's half of the comparison is in the system tests.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test says what it expects by failing"
)]

// The generator writes the vectors as an example and is held to them as a test.
#[path = "../examples/make_vectors/cases.rs"]
mod cases;
#[path = "../examples/make_vectors/claims.rs"]
mod claims;
#[path = "../examples/make_vectors/header.rs"]
mod header;
#[path = "../examples/make_vectors/mint.rs"]
mod mint;
#[path = "../examples/make_vectors/shape.rs"]
mod shape;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use futures_util::FutureExt as _;
use portcullis_vector_worker::case::Verdict;
use portcullis_vector_worker::corpus::{self, Vector};
use portcullis_vector_worker::judge;

/// Replays `vectors` and returns how many were accepted.
fn replay(file: &str, vectors: &[Vector]) -> usize {
    let mut accepted = 0;
    for vector in vectors {
        let reference = judge::by_reference(&vector.case)
            .now_or_never()
            .expect("it never waits");
        let aws_lc = judge::by_aws_lc(&vector.case)
            .now_or_never()
            .expect("it never waits");
        assert!(
            vector.expected.is_met_by(&reference),
            "{}: {:?}, got {reference:?}",
            vector.name,
            vector.expected
        );
        assert_eq!(reference, aws_lc, "{}: the backends differ", vector.name);
        accepted += usize::from(reference.is_accepted());
    }
    println!(
        "{file}: {} vectors, {accepted} accepted, {} refused",
        vectors.len(),
        vectors.len() - accepted
    );
    accepted
}

#[test]
fn every_own_vector_gets_its_verdict_from_both_native_backends() {
    let files = corpus::access_tokens().expect("the committed vectors are readable");
    let counts: Vec<_> = files
        .iter()
        .map(|(name, vectors)| (replay(name, vectors), vectors.len()))
        .collect();
    let [(good, all_good), (hostile, all_hostile)] = counts[..] else {
        panic!("there are two files")
    };
    assert_eq!(good, all_good);
    assert_eq!(hostile, 0);
    assert!(all_hostile >= 100, "{all_hostile}");
}

#[test]
fn every_public_vector_gets_its_verdict_from_both_native_backends() {
    let Some(files) = corpus::public().expect("the public vectors are readable") else {
        return;
    };
    let counts: Vec<_> = files
        .iter()
        .map(|(name, vectors)| (name.as_str(), vectors.len(), replay(name, vectors)))
        .collect();
    assert_eq!(
        counts,
        [
            ("rfc7515_a2_rs256", 3, 1),
            ("rfc7520_4_1_rs256", 1, 1),
            ("rfc7520_4_2_ps384", 1, 0),
            ("rfc7520_4_3_es512", 1, 0),
            ("rfc7520_4_4_hs256", 1, 0),
            ("json_web_signature_test", 401, 8),
            ("rsa_signature_2048_sha256_test", 259, 7),
            ("rsa_signature_3072_sha256_test", 259, 7),
            ("rsa_signature_4096_sha256_test", 258, 7),
        ]
    );
}

#[test]
fn a_verified_vector_says_what_was_signed() {
    let files = corpus::access_tokens().expect("the committed vectors are readable");
    let (_, good) = &files[0];
    let plain = good
        .iter()
        .find(|vector| vector.name == "good.json: plain")
        .expect("it is there");
    let verdict = judge::by_reference(&plain.case)
        .now_or_never()
        .expect("it never waits");
    let Verdict::Token { claims } = verdict else {
        panic!("{verdict:?}")
    };
    assert_eq!(claims.sub, "018f4d6e-7a31-7c44-9c1f-1d1f6f1a2b3c");
    assert_eq!(claims.exp, mint::NOW + 900);
    assert_eq!(claims.permissions, ["tickets:purchase", "profile:update-own"]);
    assert_eq!(claims.venues.len(), 1);
    let written: serde_json::Value = serde_json::from_str(&mint::claims().json()).expect("it is JSON");
    assert_eq!(serde_json::to_value(&claims).expect("claims serialise"), written);
}

#[test]
fn the_committed_vectors_are_what_the_generator_makes() {
    for (name, file) in cases::files() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/vectors")
            .join(name);
        let committed = fs::read_to_string(path).expect("the committed vectors are readable");
        let made = serde_json::to_string_pretty(&file).expect("the vectors serialise");
        assert_eq!(committed.trim_end(), made, "{name}: run the example make_vectors");
        let names: HashSet<_> = file.cases.iter().map(|case| case.name).collect();
        assert_eq!(
            names.len(),
            file.cases.len(),
            "{name}: every vector has a name of its own"
        );
        let tokens: HashSet<_> = file.cases.iter().map(|case| &case.token).collect();
        assert_eq!(
            tokens.len(),
            file.cases.len(),
            "{name}: every vector is a token of its own"
        );
    }
}
