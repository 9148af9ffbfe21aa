//! Headers that must not pass, and the few odd ones that must.

use crate::cases::{Case, Refusal, accepted, refused};
use crate::mint::{HEADER, KID, Mint, b64, claims, header, hs256};

const ALG: Refusal = ("header", Some("alg"));
const KID_PARAMETER: Refusal = ("header", Some("kid"));
const TYP: Refusal = ("header", Some("typ"));
const UNKNOWN_KEY: Refusal = ("unknown_key", Some("kid"));
const SIGNATURE: Refusal = ("signature", None);
const MALFORMED: Refusal = ("malformed", None);

pub(crate) fn good(mint: &Mint) -> Vec<Case> {
    let claims = claims().json();
    let with = |name: &str, json: &str| {
        let header = HEADER.strip_suffix('}').expect("the header is an object");
        mint.token(&format!("{header},\"{name}\":{json}}}"), &claims)
    };
    vec![
        accepted(
            "typ_in_upper_case",
            mint.token(&header().set("typ", "\"AT+JWT\"").json(), &claims),
        ),
        accepted(
            "typ_with_application",
            mint.token(&header().set("typ", "\"application/at+jwt\"").json(), &claims),
        ),
        accepted(
            "typ_with_application_in_mixed_case",
            mint.token(&header().set("typ", "\"Application/At+Jwt\"").json(), &claims),
        ),
        accepted(
            "alg_written_with_an_escape",
            mint.token(&header().set("alg", r#""\u0052S256""#).json(), &claims),
        ),
        accepted(
            "header_with_white_space",
            mint.token(&format!(" {HEADER}\r\n\t"), &claims),
        ),
        accepted(
            "jku_is_ignored",
            with("jku", "\"https://attacker.example/jwks.json\""),
        ),
        accepted("jwk_is_ignored", with("jwk", &Mint::stranger().jwk(KID))),
        accepted(
            "x5u_is_ignored",
            with("x5u", "\"https://attacker.example/cert.pem\""),
        ),
        accepted("x5c_is_ignored", with("x5c", "[\"MIIB\"]")),
        accepted("x5t_is_ignored", with("x5t", "\"3q2-7w\"")),
        accepted("x5t_s256_is_ignored", with("x5t#S256", "\"3q2-7w\"")),
        accepted(
            "cty_and_private_parameters_are_ignored",
            with("cty", "\"JWT\",\"http://example.com/x\":{\"a\":[1]}"),
        ),
    ]
}

pub(crate) fn hostile(mint: &Mint) -> Vec<Case> {
    let mut cases = algorithms(mint);
    cases.extend(extensions(mint));
    cases.extend(key_ids(mint));
    cases.extend(foreign_keys(mint));
    cases.extend(types(mint));
    cases.extend(texts(mint));
    cases
}

fn algorithms(mint: &Mint) -> Vec<Case> {
    let claims = claims().json();
    let input = |alg: &str| format!("{}.{}", b64(header().set("alg", alg).json()), b64(&claims));
    let mut cases = vec![
        refused(
            "alg_none_without_a_signature",
            ALG,
            format!("{}.", input("\"none\"")),
        ),
        refused(
            "alg_hs256_with_the_public_pem_as_secret",
            ALG,
            hs256(&input("\"HS256\""), mint.public_pem().as_bytes()),
        ),
        refused(
            "alg_hs256_with_the_public_der_as_secret",
            ALG,
            hs256(&input("\"HS256\""), mint.public_der_base64().as_bytes()),
        ),
        refused(
            "alg_hs256_with_the_modulus_as_secret",
            ALG,
            hs256(&input("\"HS256\""), &mint.modulus()),
        ),
        refused(
            "alg_hs256_with_an_empty_secret",
            ALG,
            hs256(&input("\"HS256\""), b""),
        ),
        refused(
            "rs256_declared_over_an_hmac",
            SIGNATURE,
            hs256(&input("\"RS256\""), mint.public_pem().as_bytes()),
        ),
        refused("alg_rs512_signed_with_sha512", ALG, {
            let input = input("\"RS512\"");
            format!("{input}.{}", b64(mint.sha512_signature(&input)))
        }),
        refused(
            "alg_missing",
            ALG,
            mint.token(&header().without("alg").json(), &claims),
        ),
        refused(
            "alg_twice",
            MALFORMED,
            mint.token(&HEADER.replacen('{', "{\"alg\":\"RS256\",", 1), &claims),
        ),
        refused(
            "alg_twice_once_none",
            MALFORMED,
            mint.token(&HEADER.replacen('{', "{\"alg\":\"none\",", 1), &claims),
        ),
    ];
    for (name, alg) in [
        ("alg_none", "\"none\""),
        ("alg_none_capital", "\"None\""),
        ("alg_none_upper_case", "\"NONE\""),
        ("alg_none_mixed_case", "\"nOnE\""),
        ("alg_hs512", "\"HS512\""),
        ("alg_ps256", "\"PS256\""),
        ("alg_rs384", "\"RS384\""),
        ("alg_rs1", "\"RS1\""),
        ("alg_es256", "\"ES256\""),
        ("alg_eddsa", "\"EdDSA\""),
        ("alg_lower_case", "\"rs256\""),
        ("alg_with_trailing_space", "\"RS256 \""),
        ("alg_with_leading_space", "\" RS256\""),
        ("alg_with_nul", r#""RS256\u0000""#),
        ("alg_empty", "\"\""),
        ("alg_null", "null"),
        ("alg_number", "256"),
        ("alg_array", "[\"RS256\"]"),
        ("alg_object", "{\"name\":\"RS256\"}"),
        ("alg_true", "true"),
    ] {
        cases.push(refused(name, ALG, mint.sign(&input(alg))));
    }
    cases
}

fn extensions(mint: &Mint) -> Vec<Case> {
    let claims = claims().json();
    [
        ("crit_exp", "crit", "[\"exp\"]"),
        ("crit_empty", "crit", "[]"),
        ("crit_null", "crit", "null"),
        ("crit_b64", "crit", "[\"b64\"]"),
        ("b64_false", "b64", "false"),
        ("b64_true", "b64", "true"),
        ("zip_deflate", "zip", "\"DEF\""),
        ("enc_a128gcm", "enc", "\"A128GCM\""),
        ("enc_null", "enc", "null"),
    ]
    .into_iter()
    .map(|(name, parameter, json)| {
        refused(
            name,
            ("header", Some(parameter)),
            mint.token(&header().set(parameter, json).json(), &claims),
        )
    })
    .chain([refused("b64_false_with_a_raw_payload", MALFORMED, {
        let raw = header().set("b64", "false").set("crit", "[\"b64\"]").json();
        mint.sign(&format!("{}.{claims}", b64(raw)))
    })])
    .collect()
}

fn key_ids(mint: &Mint) -> Vec<Case> {
    let claims = claims().json();
    let with = |kid: &str| mint.token(&header().set("kid", kid).json(), &claims);
    vec![
        refused(
            "kid_missing",
            KID_PARAMETER,
            mint.token(&header().without("kid").json(), &claims),
        ),
        refused("kid_empty", KID_PARAMETER, with("\"\"")),
        refused("kid_null", KID_PARAMETER, with("null")),
        refused("kid_number", KID_PARAMETER, with("2048")),
        refused("kid_array", KID_PARAMETER, with("[\"signer-2048\"]")),
        refused("kid_object", KID_PARAMETER, with("{}")),
        refused(
            "kid_twice",
            MALFORMED,
            mint.token(&HEADER.replacen('{', "{\"kid\":\"signer-2048\",", 1), &claims),
        ),
        refused(
            "kid_twice_once_escaped",
            MALFORMED,
            mint.token(&HEADER.replacen('{', r#"{"\u006bid":"other","#, 1), &claims),
        ),
        refused("kid_unknown", UNKNOWN_KEY, with("\"rotated-away\"")),
        refused("kid_in_upper_case", UNKNOWN_KEY, with("\"SIGNER-2048\"")),
        refused("kid_with_trailing_space", UNKNOWN_KEY, with("\"signer-2048 \"")),
        refused("kid_with_nul", UNKNOWN_KEY, with(r#""signer-2048\u0000""#)),
        refused("kid_as_a_path", UNKNOWN_KEY, with("\"../../../../dev/null\"")),
        refused(
            "kid_as_sql",
            UNKNOWN_KEY,
            with("\"x' UNION SELECT 'signer-2048\""),
        ),
        refused(
            "kid_of_4000_characters",
            UNKNOWN_KEY,
            with(&format!("\"{}\"", "k".repeat(4000))),
        ),
        refused("kid_of_two_keys_in_the_set", UNKNOWN_KEY, with("\"ambiguous\"")),
        refused(
            "kid_of_an_encryption_key_in_the_set",
            UNKNOWN_KEY,
            with("\"encryption\""),
        ),
        refused("kid_of_a_ps256_key_in_the_set", UNKNOWN_KEY, with("\"pss\"")),
    ]
}

/// The token brings its own key along: the key set alone decides, so it is a stranger's signature.
fn foreign_keys(mint: &Mint) -> Vec<Case> {
    let stranger = Mint::stranger();
    let claims = claims().json();
    let with =
        |parameter: &'static str, json: &str| stranger.token(&header().set(parameter, json).json(), &claims);
    let own_kid = header()
        .set("kid", "\"stranger\"")
        .set("jwk", &stranger.jwk("stranger"))
        .json();
    vec![
        refused("jwk_of_a_stranger", SIGNATURE, with("jwk", &stranger.jwk(KID))),
        refused(
            "jku_of_a_stranger",
            SIGNATURE,
            with("jku", "\"https://attacker.example/jwks.json\""),
        ),
        refused(
            "x5u_of_a_stranger",
            SIGNATURE,
            with("x5u", "\"https://attacker.example/cert.pem\""),
        ),
        refused(
            "x5c_of_a_stranger",
            SIGNATURE,
            with("x5c", &format!("[\"{}\"]", stranger.public_der_base64())),
        ),
        refused(
            "jwk_and_kid_of_a_stranger",
            UNKNOWN_KEY,
            stranger.token(&own_kid, &claims),
        ),
        refused("signed_by_a_stranger", SIGNATURE, stranger.token(HEADER, &claims)),
        refused(
            "jwk_twice",
            MALFORMED,
            mint.token(&HEADER.replacen('{', "{\"jwk\":{},\"jwk\":{},", 1), &claims),
        ),
        refused(
            "jwk_with_a_repeated_name",
            MALFORMED,
            mint.token(&HEADER.replacen('{', "{\"jwk\":{\"n\":1,\"n\":2},", 1), &claims),
        ),
    ]
}

fn types(mint: &Mint) -> Vec<Case> {
    let claims = claims().json();
    let mut cases = vec![
        refused(
            "typ_missing",
            TYP,
            mint.token(&header().without("typ").json(), &claims),
        ),
        refused(
            "typ_twice",
            MALFORMED,
            mint.token(&HEADER.replacen('{', "{\"typ\":\"at+jwt\",", 1), &claims),
        ),
    ];
    for (name, typ) in [
        ("typ_jwt", "\"JWT\""),
        ("typ_jwt_lower_case", "\"jwt\""),
        ("typ_application_jwt", "\"application/jwt\""),
        ("typ_id_token", "\"id+jwt\""),
        ("typ_logout_token", "\"logout+jwt\""),
        ("typ_with_a_parameter", "\"at+jwt;v=1\""),
        ("typ_with_a_space", "\"at+jwt \""),
        ("typ_with_another_tree", "\"text/at+jwt\""),
        ("typ_with_application_twice", "\"application/application/at+jwt\""),
        ("typ_empty", "\"\""),
        ("typ_null", "null"),
        ("typ_number", "1"),
        ("typ_array", "[\"at+jwt\"]"),
    ] {
        cases.push(refused(
            name,
            TYP,
            mint.token(&header().set("typ", typ).json(), &claims),
        ));
    }
    cases
}

fn texts(mint: &Mint) -> Vec<Case> {
    let claims = claims().json();
    let nested = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let mut cases: Vec<Case> = [
        ("header_array", "[\"RS256\"]".to_owned()),
        ("header_string", "\"RS256\"".to_owned()),
        ("header_null", "null".to_owned()),
        ("header_number", "256".to_owned()),
        ("header_empty", String::new()),
        ("header_cut_short", HEADER.trim_end_matches('}').to_owned()),
        ("header_followed_by_another", format!("{HEADER}{HEADER}")),
        ("header_followed_by_nul", format!("{HEADER}\0")),
        ("header_with_a_byte_order_mark", format!("\u{feff}{HEADER}")),
        ("header_with_a_trailing_comma", HEADER.replace('}', ",}")),
        ("header_with_single_quotes", HEADER.replace('"', "'")),
        ("header_with_a_comment", HEADER.replacen('{', "{/* */", 1)),
        (
            "header_with_a_raw_newline_in_a_string",
            HEADER.replace("RS256", "RS256\n"),
        ),
        (
            "header_with_a_lone_surrogate",
            HEADER.replacen('{', r#"{"x":"\ud800","#, 1),
        ),
        (
            "header_with_deep_nesting",
            HEADER.replacen('{', &format!("{{\"x\":{nested},"), 1),
        ),
        (
            "header_with_a_number_past_any_float",
            HEADER.replacen('{', "{\"x\":1e999,", 1),
        ),
    ]
    .into_iter()
    .map(|(name, header)| refused(name, MALFORMED, mint.token(&header, &claims)))
    .collect();
    let mut bytes = HEADER.as_bytes().to_vec();
    bytes.splice(1..1, *b"\"\xff\":1,");
    cases.push(refused(
        "header_not_utf8",
        MALFORMED,
        mint.token_of_bytes(&bytes, claims.as_bytes()),
    ));
    cases
}
