//! A key set that is wrong, huge, slow, elsewhere, or another one each time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use futures_util::{StreamExt as _, stream};
use portcullis_shared::jwk::{JwkSet, RsaVerifyingKey};
use portcullis_tests::bare_edge::BareEdge;
use portcullis_tests::eventually;
use portcullis_tests::forge::Issuer;
use portcullis_tests::hostile::{Act, Hostile, say, whole};
use serde_json::{Value, json};

use super::{KEY_SET, assert_tells_nothing, claims, origin, plain};

fn verifying_key(issuer: &Issuer) -> RsaVerifyingKey {
    RsaVerifyingKey::from_components(issuer.kid(), &issuer.modulus(), &[1, 0, 1]).unwrap()
}

/// The key set that the issuer would publish.
fn published(issuer: &Issuer) -> String {
    JwkSet::from_keys(vec![verifying_key(issuer)]).to_json()
}

/// A key of the issuer's name, with some members changed or added.
fn altered(issuer: &Issuer, changes: Value) -> Value {
    let mut jwk = serde_json::to_value(verifying_key(issuer).to_jwk()).unwrap();
    let Value::Object(changes) = changes else {
        unreachable!()
    };
    for (name, value) in changes {
        jwk[name] = value;
    }
    jwk
}

fn set_of(keys: &[Value]) -> Vec<Act> {
    plain(&json!({ "keys": keys }).to_string())
}

/// 16 MB of zeros, as 800 KB of gzip (RFC 1951 §3.2.6: one literal, then copies of 258 bytes at a distance of one).
fn gzip_bomb() -> Vec<u8> {
    let mut bits = vec![true, true, false];
    let mut push = |code: &str| bits.extend(code.bytes().map(|bit| bit == b'1'));
    push("00110000");
    for _ in 0..65_536 {
        push("1100010100000");
    }
    let mut bytes = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    bytes.extend(bits.chunks(8).map(|byte| {
        byte.iter()
            .enumerate()
            .fold(0, |byte, (at, bit)| byte | (u8::from(*bit) << at))
    }));
    bytes
}

/// Every answer in which there is no key to verify with, and what the log says of it.
fn cases(issuer: &Issuer) -> Vec<(&'static str, Vec<Act>, &'static str)> {
    const NO_SET: &str = "the body is not a key set";
    const NO_KEY: &str = "the key set has no usable key";
    const NOT_200: &str = "the origin did not answer 200";
    const SILENT: &str = "the origin did not answer";
    const TOO_LONG: &str = "the body is too long";
    const BROKEN: &str = "the body broke off";
    let good = published(issuer);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let spaces = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let bomb = gzip_bomb();
    let gzip = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    );
    let short = Base64UrlUnpadded::encode_string(&[0xc1; 128]);
    let moved = "Location: /moved.json\r\n";
    vec![
        ("404", vec![whole("404 No", "", "")], NOT_200),
        ("500", vec![whole("500 No", "", &good)], NOT_200),
        ("206", vec![whole("206 Part", "", &good)], NOT_200),
        ("302", vec![whole("302 Go", moved, &good)], NOT_200),
        ("308", vec![whole("308 Go", moved, &good)], NOT_200),
        ("a page", plain("<!doctype html><title>Log in</title>"), NO_SET),
        ("nothing", plain(""), NO_SET),
        ("half of it", plain(&good[..good.len() / 2]), NO_SET),
        ("another document", plain("{\"issuer\":\"x\"}"), NO_SET),
        ("a list", plain("[]"), NO_SET),
        (
            "a huge one",
            vec![whole("200 OK", "", &format!("{good}{}", " ".repeat(1 << 20)))],
            TOO_LONG,
        ),
        (
            "an endless one",
            vec![say(chunked), Act::Repeat(spaces.into_bytes())],
            TOO_LONG,
        ),
        ("a gzip bomb", vec![say(&gzip), Act::Send(bomb)], TOO_LONG),
        (
            "a cut one",
            vec![say("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"), say(&good)],
            BROKEN,
        ),
        ("silence", vec![Act::Hang], SILENT),
        ("a head and then silence", vec![say(chunked), Act::Hang], BROKEN),
        ("a reset", vec![Act::Reset], SILENT),
        ("no keys", set_of(&[]), NO_KEY),
        (
            "an EC key",
            set_of(&[altered(
                issuer,
                json!({"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}),
            )]),
            NO_KEY,
        ),
        (
            "a secret",
            set_of(&[json!({"kty": "oct", "kid": issuer.kid(), "k": "AAAA"})]),
            NO_KEY,
        ),
        (
            "RSA-1024",
            set_of(&[altered(issuer, json!({"n": short}))]),
            NO_KEY,
        ),
        ("e = 3", set_of(&[altered(issuer, json!({"e": "Aw"}))]), NO_KEY),
        (
            "another alg",
            set_of(&[altered(issuer, json!({"alg": "RS512"}))]),
            NO_KEY,
        ),
        (
            "an encryption key",
            set_of(&[altered(issuer, json!({"use": "enc"}))]),
            NO_KEY,
        ),
        (
            "two of one name",
            set_of(&[altered(issuer, json!({})), altered(issuer, json!({}))]),
            NO_KEY,
        ),
    ]
}

#[tokio::test]
async fn without_a_key_set_tokens_are_a_503_and_the_first_good_set_ends_it() {
    let issuer = Issuer::unknown();
    let app = Hostile::start().await;
    let checks = stream::iter(cases(&issuer)).for_each_concurrent(4, |(name, acts, reason)| {
        let (issuer, app) = (&issuer, app.url().to_owned());
        async move {
            let origin = origin().await;
            origin.answer(KEY_SET, acts);
            let edge = BareEdge::start(origin.url(), &app).await;
            let client = edge.door().client();
            let token = issuer.token(&claims());
            let answer = client.get("/me").bearer(&token).send().await;
            answer.problem(503, "unavailable");
            assert_tells_nothing(&answer);
            client.get("/app/fine").send().await.expect(200);
            assert_eq!(origin.heads(KEY_SET).len(), 1, "{name}: asked again at once");
            assert!(origin.heads("/moved.json").is_empty(), "{name}: followed");
            let log = edge.log();
            assert!(
                log.contains(&format!("The key set could not be fetched: {reason}")),
                "{name}: {log}"
            );
            origin.answer(KEY_SET, plain(&published(issuer)));
            eventually("the good set is taken", Duration::from_secs(10), async || {
                let answer = client.get("/me").bearer(&token).send().await;
                (answer.status == 200).then_some(())
            })
            .await;
        }
    });
    checks.await;
}

#[tokio::test]
async fn a_key_that_is_published_among_strange_ones_is_found() {
    let (issuer, other) = (Issuer::unknown(), Issuer::unknown());
    let (app, origin) = (Hostile::start().await, origin().await);
    let strange = [
        json!({}),
        json!(7),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "kid": issuer.kid()}),
        altered(&other, json!({"e": "Aw"})),
        altered(&issuer, json!({"x5u": "http://127.0.0.1:9/", "unknown": [1, {}]})),
    ];
    origin.answer(KEY_SET, set_of(&strange));
    let edge = BareEdge::start(origin.url(), app.url()).await;
    let client = edge.door().client();
    let call = |issuer: &Issuer| client.get("/me").bearer(&issuer.token(&claims())).send();
    call(&issuer).await.expect(200);
    call(&other).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_known_set_outlives_a_broken_origin_and_a_flood_of_unknown_kids_stays_at_the_edge() {
    let issuer = Issuer::unknown();
    let (app, origin) = (Hostile::start().await, origin().await);
    // Good the first time, and then something else each time.
    let (good, asked) = (published(&issuer), AtomicUsize::new(0));
    origin.answer_with(KEY_SET, move || match asked.fetch_add(1, Ordering::Relaxed) {
        0 => plain(&good),
        time if time % 2 == 1 => vec![whole("500 No", "", "")],
        _ => plain("{\"keys\":[]}"),
    });
    let edge = BareEdge::start(origin.url(), app.url()).await;
    let client = edge.door().client();
    let token = issuer.token(&claims());
    client.get("/me").bearer(&token).send().await.expect(200);
    let claims = claims();
    for number in 0..200 {
        let header = json!({"alg": "RS256", "typ": "at+jwt", "kid": format!("invented-{number}")});
        let invented = issuer.token_with_header(&header, &claims);
        let refused = client.get("/me").bearer(&invented).send().await;
        refused.problem(401, "invalid_token");
    }
    let fetched = origin.heads(KEY_SET).len();
    assert!(fetched <= 8, "the origin was asked {fetched} times");
    client.get("/me").bearer(&token).send().await.expect(200);
    let fresh = issuer.token(&claims);
    client.get("/me").bearer(&fresh).send().await.expect(200);
}
