//! Tokens that are wrong as texts, and signatures that are wrong as numbers.

use rsa::BigUint;

use crate::cases::{Case, Refusal, accepted, refused};
use crate::mint::{HEADER, Mint, b64, claims, header};

const MALFORMED: Refusal = ("malformed", None);
const SIGNATURE: Refusal = ("signature", None);
const MAX_TOKEN_BYTES: usize = 8192;

pub(crate) fn good(mint: &Mint) -> Vec<Case> {
    vec![
        accepted("plain", mint.token(HEADER, &claims().json())),
        accepted("exactly_8192_bytes", of_length(mint, MAX_TOKEN_BYTES)),
        accepted(
            "claims_with_white_space",
            mint.token(HEADER, &format!("\r\n {}\t ", claims().json())),
        ),
    ]
}

pub(crate) fn hostile(mint: &Mint) -> Vec<Case> {
    let mut cases = segments(mint);
    cases.extend(encodings(mint));
    cases.extend(signatures(mint));
    cases.extend(moved_bits(mint));
    cases
}

/// A good token of exactly `length` bytes: a claim that nobody reads takes up the slack.
fn of_length(mint: &Mint, length: usize) -> String {
    let padded = |filler: usize| {
        let filler = format!("\"{}\"", "x".repeat(filler));
        mint.token(HEADER, &claims().set("filler", &filler).json())
    };
    // Three bytes of claims make four of base64url, so one of a few neighbours fits exactly.
    let estimate = (length - padded(0).len()) / 4 * 3;
    let header_slack = ["", " ", "  "];
    (estimate.saturating_sub(8)..=estimate)
        .flat_map(|filler| header_slack.map(|slack| (filler, slack)))
        .map(|(filler, slack)| {
            let filler = format!("\"{}\"", "x".repeat(filler));
            mint.token(
                &format!("{HEADER}{slack}"),
                &claims().set("filler", &filler).json(),
            )
        })
        .find(|token| token.len() == length)
        .expect("one of the neighbours has the length")
}

fn segments(mint: &Mint) -> Vec<Case> {
    let token = mint.token(HEADER, &claims().json());
    let (head, payload, signature) = parts(&token);
    let flattened = format!(r#"{{"protected":"{head}","payload":"{payload}","signature":"{signature}"}}"#);
    let general = format!(
        r#"{{"payload":"{payload}","signatures":[{{"protected":"{head}","signature":"{signature}"}}]}}"#
    );
    [
        ("empty", String::new()),
        ("one_dot", ".".to_owned()),
        ("two_dots", "..".to_owned()),
        ("three_dots", "...".to_owned()),
        ("one_segment", head.to_owned()),
        ("two_segments", format!("{head}.{payload}")),
        ("four_segments", format!("{token}.{signature}")),
        ("four_segments_the_last_empty", format!("{token}.")),
        (
            "five_segments_like_a_jwe",
            format!("{head}.{payload}.{signature}.{signature}.{signature}"),
        ),
        ("leading_dot", format!(".{token}")),
        ("empty_header", format!(".{payload}.{signature}")),
        ("empty_payload", format!("{head}..{signature}")),
        ("empty_signature", format!("{head}.{payload}.")),
        ("json_flattened", flattened),
        ("json_general", general),
        ("bearer_prefix", format!("Bearer {token}")),
        ("quoted", format!("\"{token}\"")),
        ("two_tokens", format!("{token}, {token}")),
        ("leading_space", format!(" {token}")),
        ("trailing_space", format!("{token} ")),
        ("trailing_newline", format!("{token}\n")),
        ("trailing_carriage_return", format!("{token}\r\n")),
        ("trailing_nul", format!("{token}\0")),
        ("leading_byte_order_mark", format!("\u{feff}{token}")),
        ("trailing_zero_width_space", format!("{token}\u{200b}")),
        ("full_width_dots", token.replace('.', "\u{ff0e}")),
        ("percent_encoded_dots", token.replace('.', "%2E")),
        ("in_upper_case", token.to_uppercase()),
        ("not_base64_at_all", "not.a.token".to_owned()),
        ("one_byte_too_long", of_length(mint, MAX_TOKEN_BYTES + 1)),
        (
            "twice_the_longest",
            format!("{head}.{}.{signature}", "A".repeat(1 << 14)),
        ),
        ("ten_thousand_dots", ".".repeat(10_000)),
        ("eight_thousand_dots", ".".repeat(8000)),
    ]
    .map(|(name, token)| refused(name, MALFORMED, token))
    .into()
}

fn encodings(mint: &Mint) -> Vec<Case> {
    let mut cases = Vec::new();
    // One byte more than a multiple of three leaves four spare bits at the end of the base64 text.
    let spare = |json: String| {
        (0..3)
            .map(|n| format!("{json}{}", " ".repeat(n)))
            .find(|text| text.len() % 3 == 1)
    };
    let header = spare(HEADER.to_owned()).expect("one of three lengths");
    let claims = spare(claims().json()).expect("one of three lengths");
    let token = mint.token(&header, &claims);
    let (head, payload, signature) = parts(&token);
    let names = [
        [
            "header_padded",
            "header_with_trailing_bits",
            "header_with_one_character_more",
            "header_with_a_newline",
        ],
        [
            "payload_padded",
            "payload_with_trailing_bits",
            "payload_with_one_character_more",
            "payload_with_a_newline",
        ],
        [
            "signature_padded",
            "signature_with_trailing_bits",
            "signature_with_one_character_more",
            "signature_with_a_newline",
        ],
    ];
    for (index, names) in names.into_iter().enumerate() {
        let original = [head, payload, signature];
        let changed = [
            format!("{}==", original[index]),
            with_trailing_bits(original[index]),
            format!("{}AAA", original[index]),
            format!("{}\n{}", &original[index][..4], &original[index][4..]),
        ];
        for (name, segment) in names.into_iter().zip(changed) {
            let mut segments = original.map(str::to_owned);
            segments[index] = segment;
            // The first two segments are signed as they stand: only their spelling is at fault.
            let token = if index == 2 {
                segments.join(".")
            } else {
                mint.sign(&format!("{}.{}", segments[0], segments[1]))
            };
            cases.push(refused(name, MALFORMED, token));
        }
    }
    let wide = mint.token(
        HEADER,
        &crate::mint::claims()
            .set("note", "\"\u{3ff}\u{fff}~~~???\"")
            .json(),
    );
    let (head, payload, _) = parts(&wide);
    let standard = payload.replace('-', "+").replace('_', "/");
    assert_ne!(
        standard, payload,
        "the payload must use both alphabets' own characters"
    );
    cases.push(refused(
        "payload_in_the_standard_alphabet",
        MALFORMED,
        mint.sign(&format!("{head}.{standard}")),
    ));
    cases.push(refused(
        "payload_not_encoded",
        MALFORMED,
        mint.sign(&format!("{head}.{claims}")),
    ));
    cases.push(refused(
        "payload_in_hexadecimal_digits_of_odd_length",
        MALFORMED,
        mint.sign(&format!("{head}.abcde")),
    ));
    cases
}

/// Another text for the same bytes: the lowest of the four spare bits is set.
fn with_trailing_bits(segment: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = segment.split_at(segment.len() - 1);
    let value = ALPHABET.find(last).expect("the segment is base64url");
    assert_eq!(value % 16, 0, "the segment must have four spare bits");
    format!("{rest}{}", &ALPHABET[value + 1..=value + 1])
}

fn signatures(mint: &Mint) -> Vec<Case> {
    let input = format!("{}.{}", b64(HEADER), b64(claims().json()));
    let good = mint.signature(&input);
    let other = mint.signature(&format!(
        "{}.{}",
        b64(HEADER),
        b64(claims().set("jti", "\"another\"").json())
    ));
    let (shifted_input, shifted) = (0..64)
        .map(|n| {
            format!(
                "{}.{}",
                b64(HEADER),
                b64(claims().set("jti", &format!("\"shifted-{n}\"")).json())
            )
        })
        .find_map(|input| mint.shifted_signature(&input).map(|shifted| (input, shifted)))
        .expect("one signature in two leaves room for the modulus");
    let modulus = mint.modulus();
    let complement = (BigUint::from_bytes_be(&modulus) - BigUint::from_bytes_be(&good)).to_bytes_be();
    let mut cases: Vec<Case> = [
        ("signature_one_byte_short", good[..255].to_vec()),
        ("signature_without_its_first_byte", good[1..].to_vec()),
        ("signature_with_a_byte_more", [&good[..], &[0]].concat()),
        ("signature_with_a_leading_zero", [&[0], &good[..]].concat()),
        ("signature_of_one_byte", vec![0]),
        ("signature_of_zeros", vec![0; 256]),
        ("signature_of_ones", vec![0xff; 256]),
        ("signature_of_the_number_one", [&[0; 255][..], &[1]].concat()),
        ("signature_equal_to_the_modulus", modulus),
        ("signature_negated", complement),
        ("signature_twice", [&good[..], &good[..]].concat()),
        ("signature_of_another_token", other),
        ("signature_over_sha512", mint.sha512_signature(&input)),
        (
            "signature_without_the_algorithm_identifier",
            mint.unprefixed_signature(&input),
        ),
        (
            "signature_over_the_payload_alone",
            mint.signature(&b64(claims().json())),
        ),
        (
            "signature_over_the_decoded_text",
            mint.signature(&format!("{HEADER}.{}", claims().json())),
        ),
        ("signature_backwards", good.iter().rev().copied().collect()),
    ]
    .into_iter()
    .map(|(name, signature)| refused(name, SIGNATURE, format!("{input}.{}", b64(signature))))
    .collect();
    cases.push(refused(
        "signature_plus_the_modulus",
        SIGNATURE,
        format!("{shifted_input}.{}", b64(shifted)),
    ));
    cases
}

/// The signature stays; what it covers, or one of its bits, changes.
fn moved_bits(mint: &Mint) -> Vec<Case> {
    let token = mint.token(HEADER, &claims().json());
    let (head, payload, signature) = parts(&token);
    let mut cases = vec![
        refused(
            "header_changed_in_letter_case_only",
            SIGNATURE,
            format!(
                "{}.{payload}.{signature}",
                b64(header().set("typ", "\"at+JWT\"").json())
            ),
        ),
        refused(
            "header_with_a_space_more",
            SIGNATURE,
            format!("{}.{payload}.{signature}", b64(format!("{HEADER} "))),
        ),
    ];
    for (name, claim, json) in [
        ("role_raised", "role", "\"admin\""),
        ("permissions_raised", "permissions", "[\"*\"]"),
        (
            "subject_changed",
            "sub",
            "\"018f4d6e-7a31-7c44-9c1f-1d1f6f1a2b3d\"",
        ),
        (
            "tenant_changed",
            "tenant_id",
            "\"00000000-0000-0000-0000-000000000002\"",
        ),
        ("expiry_moved", "exp", "1900000000"),
        ("acr_raised", "acr", "\"aal2\""),
    ] {
        let payload = b64(claims().set(claim, json).json());
        cases.push(refused(name, SIGNATURE, format!("{head}.{payload}.{signature}")));
    }
    let bytes = mint.signature(&format!("{head}.{payload}"));
    for (name, bit) in [
        ("signature_first_bit_flipped", 0),
        ("signature_middle_bit_flipped", 1027),
        ("signature_last_bit_flipped", 2047),
    ] {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 0x80 >> (bit % 8);
        cases.push(refused(
            name,
            SIGNATURE,
            format!("{head}.{payload}.{}", b64(flipped)),
        ));
    }
    cases
}

fn parts(token: &str) -> (&str, &str, &str) {
    let (input, signature) = token.rsplit_once('.').expect("the token has a signature");
    let (head, payload) = input.split_once('.').expect("the token has a payload");
    (head, payload, signature)
}
