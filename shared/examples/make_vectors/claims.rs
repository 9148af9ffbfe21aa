//! Claims that must not pass under a good signature, and odd ones that must.

use crate::cases::{Case, Refusal, accepted, refused};
use crate::mint::{AUDIENCE, HEADER, ISSUER, LEEWAY, Mint, NOW, claims};

const MALFORMED: Refusal = ("malformed", None);

pub(crate) fn good(mint: &Mint) -> Vec<Case> {
    let with = |name, json: &str| mint.token(HEADER, &claims().set(name, json).json());
    let mut minimal = claims();
    for name in [
        "client_id",
        "role",
        "permissions",
        "venues",
        "auth_time",
        "amr",
        "acr",
    ] {
        minimal = minimal.without(name);
    }
    vec![
        accepted("only_the_required_claims", mint.token(HEADER, &minimal.json())),
        accepted(
            "aud_array_that_contains_ours",
            with("aud", &format!("[\"other\",\"{AUDIENCE}\"]")),
        ),
        accepted(
            "aud_array_of_ours_alone",
            with("aud", &format!("[\"{AUDIENCE}\"]")),
        ),
        accepted(
            "exp_within_the_leeway",
            with("exp", &(NOW - LEEWAY + 1).to_string()),
        ),
        accepted("exp_at_the_end_of_time", with("exp", &i64::MAX.to_string())),
        accepted("nbf_now", with("nbf", &NOW.to_string())),
        accepted(
            "nbf_at_the_edge_of_the_leeway",
            with("nbf", &(NOW + LEEWAY).to_string()),
        ),
        accepted(
            "iat_at_the_edge_of_the_leeway",
            with("iat", &(NOW + LEEWAY).to_string()),
        ),
        accepted("iat_zero", with("iat", "0")),
        accepted("thirty_two_venues", with("venues", &venues(32))),
        accepted("venues_truncated", with("venues_truncated", "true")),
        accepted(
            "empty_lists",
            mint.token(
                HEADER,
                &claims()
                    .set("permissions", "[]")
                    .set("venues", "{}")
                    .set("amr", "[]")
                    .json(),
            ),
        ),
        accepted(
            "a_venue_with_a_name_outside_ascii",
            with("venues", r#"{"Zürich 🎪\n":["door-staff"]}"#),
        ),
        accepted(
            "claims_nobody_reads",
            with("http://example.com/extra", r#"{"a":[1,2.5,null,true,{"b":1e3}]}"#),
        ),
        accepted("sub_written_with_escapes", with("sub", r#""\u0075ser""#)),
    ]
}

pub(crate) fn hostile(mint: &Mint) -> Vec<Case> {
    let mut cases = texts(mint);
    cases.extend(missing(mint));
    cases.extend(wrong_words(mint));
    cases.extend(wrong_dates(mint));
    cases.extend(wrong_values(mint));
    cases.extend(wrong_times(mint));
    cases.extend(wrong_lists(mint));
    cases
}

fn venues(count: usize) -> String {
    let members: Vec<String> = (0..count)
        .map(|n| format!("\"venue-{n}\":[\"door-staff\"]"))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn texts(mint: &Mint) -> Vec<Case> {
    let json = claims().json();
    let more = |member: &str| json.replacen('{', &format!("{{{member},"), 1);
    let deep = format!("\"x\":{}{}", "[".repeat(1000), "]".repeat(1000));
    let many: Vec<String> = (0..400).chain([0]).map(|n| format!("\"n{n}\":0")).collect();
    let mut cases: Vec<Case> = [
        ("claims_array", format!("[{json}]")),
        ("claims_string", "\"claims\"".to_owned()),
        ("claims_number", "1".to_owned()),
        ("claims_null", "null".to_owned()),
        ("claims_true", "true".to_owned()),
        ("claims_empty", String::new()),
        ("claims_white_space", " ".to_owned()),
        ("claims_cut_short", json.trim_end_matches('}').to_owned()),
        ("claims_followed_by_more", format!("{json}{json}")),
        ("claims_followed_by_nul", format!("{json}\0")),
        ("claims_with_a_byte_order_mark", format!("\u{feff}{json}")),
        (
            "claims_with_a_trailing_comma",
            format!("{},}}", json.trim_end_matches('}')),
        ),
        ("claims_with_a_comment", json.replacen('{', "{// \n", 1)),
        ("claims_with_a_raw_newline_in_a_string", more("\"x\":\"a\nb\"")),
        ("claims_with_a_raw_nul_in_a_string", more("\"x\":\"a\0b\"")),
        ("claims_with_a_lone_surrogate", more(r#""x":"\udead""#)),
        ("claims_with_a_bad_escape", more(r#""x":"\x41""#)),
        ("claims_with_nan", more("\"x\":NaN")),
        ("claims_with_a_number_past_any_float", more("\"x\":1e400")),
        ("claims_with_a_leading_zero", more("\"x\":01")),
        ("claims_with_a_plus_sign", more("\"x\":+1")),
        ("claims_nested_a_thousand_deep", more(&deep)),
        (
            "claim_twice_with_one_value",
            more(&format!("\"iss\":\"{ISSUER}\"")),
        ),
        ("claim_twice_with_two_values", more("\"sub\":\"somebody-else\"")),
        ("claim_twice_once_escaped", more(r#""\u0073ub":"somebody-else""#)),
        ("exp_twice", more("\"exp\":1900000000")),
        ("unread_claim_twice", more("\"x\":1,\"x\":1")),
        ("unread_claim_twice_among_four_hundred", more(&many.join(","))),
        ("nested_name_twice", more("\"x\":{\"a\":1,\"a\":2}")),
        (
            "name_twice_in_an_object_in_an_array",
            more("\"x\":[0,[{\"a\":{\"b\":1,\"b\":1}}]]"),
        ),
        (
            "venue_twice",
            claims()
                .set("venues", r#"{"v":["door-staff"],"v":["venue-owner"]}"#)
                .json(),
        ),
        (
            "exp_as_an_object_with_a_name_twice",
            claims().set("exp", "{\"a\":1,\"a\":1}").json(),
        ),
    ]
    .into_iter()
    .map(|(name, claims)| refused(name, MALFORMED, mint.token(HEADER, &claims)))
    .collect();
    for (name, bytes) in [
        ("claims_not_utf8", &b"\"\xff\":1"[..]),
        ("claims_with_an_overlong_slash", b"\"x\":\"\xc0\xaf\""),
        ("claims_with_an_encoded_surrogate", b"\"x\":\"\xed\xa0\x80\""),
        ("claims_with_a_cut_character", b"\"x\":\"\xe2\x82\""),
    ] {
        let claims = [b"{", bytes, b",", json.trim_start_matches('{').as_bytes()].concat();
        cases.push(refused(
            name,
            MALFORMED,
            mint.token_of_bytes(HEADER.as_bytes(), &claims),
        ));
    }
    cases.push(refused("claims_in_utf16", MALFORMED, {
        let utf16: Vec<u8> = json.encode_utf16().flat_map(u16::to_le_bytes).collect();
        mint.token_of_bytes(HEADER.as_bytes(), &utf16)
    }));
    cases
}

fn missing(mint: &Mint) -> Vec<Case> {
    [
        ("iss_missing", "iss"),
        ("aud_missing", "aud"),
        ("sub_missing", "sub"),
        ("exp_missing", "exp"),
        ("iat_missing", "iat"),
        ("jti_missing", "jti"),
        ("sid_missing", "sid"),
        ("tenant_id_missing", "tenant_id"),
    ]
    .into_iter()
    .map(|(name, claim)| {
        refused(
            name,
            ("claim", Some(claim)),
            mint.token(HEADER, &claims().without(claim).json()),
        )
    })
    .chain([
        refused(
            "no_claims_at_all",
            ("claim", Some("iss")),
            mint.token(HEADER, "{}"),
        ),
        refused("claim_named_in_upper_case", ("claim", Some("sub")), {
            let claims = claims().json().replace("\"sub\"", "\"SUB\"");
            mint.token(HEADER, &claims)
        }),
    ])
    .collect()
}

/// The same mistakes for every claim of one type, each as a vector of its own: `name!("iss", "null")`.
macro_rules! vectors {
    ($mint:expr, [$($claim:literal),+], $values:tt) => {
        vec![$(vectors!(@claim $mint, $claim, $values)),+].into_iter().flatten().collect::<Vec<Case>>()
    };
    (@claim $mint:expr, $claim:literal, [$($kind:literal: $json:literal),+ $(,)?]) => {
        vec![$(refused(
            concat!($claim, "_", $kind),
            ("claim", Some($claim)),
            $mint.token(HEADER, &claims().set($claim, $json).json()),
        )),+]
    };
}

fn wrong_words(mint: &Mint) -> Vec<Case> {
    let mut cases = vectors!(mint, ["iss", "sub", "jti", "sid", "tenant_id", "client_id", "role", "acr"], [
        "null": "null",
        "number": "7",
        "boolean": "true",
        "array": "[\"a\"]",
        "object": "{\"a\":\"b\"}",
        "empty": "\"\"",
    ]);
    // These become headers and words in lists: nothing in them may end a header or part a word.
    cases.extend(
        vectors!(mint, ["sub", "jti", "sid", "tenant_id", "role", "acr"], [
            "with_a_space": "\"a b\"",
            "with_a_line_break": r#""a\r\nX-Auth-Role: admin""#,
            "with_nul": r#""a\u0000""#,
            "outside_ascii": "\"zürich\"",
        ]),
    );
    cases
}

fn wrong_dates(mint: &Mint) -> Vec<Case> {
    vectors!(mint, ["exp", "iat", "nbf", "auth_time"], [
        "null": "null",
        "string": "\"1800000000\"",
        "rfc3339": "\"2027-01-15T08:00:00Z\"",
        "float": "1800000000.5",
        "float_with_zero_fraction": "1800000000.0",
        "with_an_exponent": "18e8",
        "negative": "-1",
        "negative_zero": "-0",
        "past_64_bits": "18446744073709551616",
        "past_63_bits": "9223372036854775808",
        "of_300_digits": "100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        "array": "[1800000000]",
        "boolean": "true",
    ])
}

fn wrong_values(mint: &Mint) -> Vec<Case> {
    let mut cases = vectors!(mint, ["aud"], [
        "null": "null",
        "number": "1",
        "object": "{\"example-api\":true}",
        "empty": "\"\"",
        "of_somebody_else": "\"other-api\"",
        "with_ours_as_a_prefix": "\"example-api-admin\"",
        "with_a_prefix_of_ours": "\"example\"",
        "in_upper_case": "\"EXAMPLE-API\"",
        "with_ours_among_words": "\"example-api other\"",
        "array_empty": "[]",
        "array_without_ours": "[\"other-api\",\"third-api\"]",
        "array_with_a_number_beside_ours": "[\"example-api\",1]",
        "array_with_null_beside_ours": "[\"example-api\",null]",
        "array_of_arrays": "[[\"example-api\"]]",
    ]);
    cases.extend(vectors!(mint, ["iss"], [
        "with_a_trailing_slash": "\"https://auth.example.com/\"",
        "over_http": "\"http://auth.example.com\"",
        "in_upper_case": "\"HTTPS://AUTH.EXAMPLE.COM\"",
        "with_the_default_port": "\"https://auth.example.com:443\"",
        "with_a_leading_space": "\" https://auth.example.com\"",
        "with_ours_as_a_prefix": "\"https://auth.example.com.attacker.example\"",
        "of_somebody_else": "\"https://attacker.example\"",
    ]));
    cases
}

fn wrong_times(mint: &Mint) -> Vec<Case> {
    let with = |claim, time: i64| mint.token(HEADER, &claims().set(claim, &time.to_string()).json());
    let expired: Refusal = ("expired", Some("exp"));
    vec![
        refused(
            "exp_at_the_edge_of_the_leeway",
            expired,
            with("exp", NOW - LEEWAY),
        ),
        refused("exp_past_the_leeway", expired, with("exp", NOW - LEEWAY - 1)),
        refused("exp_a_year_ago", expired, with("exp", NOW - 31_536_000)),
        refused("exp_zero", expired, with("exp", 0)),
        refused(
            "nbf_past_the_leeway",
            ("not_yet_valid", Some("nbf")),
            with("nbf", NOW + LEEWAY + 1),
        ),
        refused(
            "nbf_at_the_end_of_time",
            ("not_yet_valid", Some("nbf")),
            with("nbf", i64::MAX),
        ),
        refused(
            "iat_past_the_leeway",
            ("not_yet_valid", Some("iat")),
            with("iat", NOW + LEEWAY + 1),
        ),
        refused(
            "iat_in_milliseconds",
            ("not_yet_valid", Some("iat")),
            with("iat", NOW * 1000),
        ),
    ]
}

fn wrong_lists(mint: &Mint) -> Vec<Case> {
    let mut cases = vectors!(mint, ["permissions", "amr"], [
        "null": "null",
        "string": "\"tickets:view\"",
        "object": "{\"tickets:view\":true}",
        "with_a_number": "[\"tickets:view\",1]",
        "nested": "[[\"tickets:view\"]]",
        "with_an_empty_word": "[\"\"]",
        "with_a_space": "[\"tickets:view roles:manage\"]",
        "with_a_line_break": r#"["a\nb"]"#,
        "outside_ascii": "[\"tickets：view\"]",
    ]);
    cases.extend(vectors!(mint, ["venues"], [
        "null": "null",
        "array": "[\"venue-owner\"]",
        "string": "\"all\"",
        "with_a_role_outside_a_list": "{\"v\":\"venue-owner\"}",
        "with_a_number_for_a_role": "{\"v\":[1]}",
        "with_null_for_roles": "{\"v\":null}",
        "with_a_space_in_a_role": "{\"v\":[\"door-staff venue-owner\"]}",
    ]));
    cases.extend(vectors!(mint, ["venues_truncated"], ["null": "null", "string": "\"true\"", "number": "1"]));
    let many = mint.token(HEADER, &claims().set("venues", &venues(33)).json());
    cases.push(refused("thirty_three_venues", ("claim", Some("venues")), many));
    cases
}
