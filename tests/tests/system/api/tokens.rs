//! Which access tokens are believed: at the edge for an upstream, and at both doors for the origin.

use base64ct::{Base64UrlUnpadded, Encoding as _};
use portcullis_tests::account::{Account, decode};
use portcullis_tests::answer::Answer;
use portcullis_tests::forge::{Issuer, claims_for, signing_input, stranger, trusted};
use portcullis_tests::now;
use portcullis_tests::world::Door;
use serde_json::{Value, json};

/// Presents a value of `Authorization` wherever a token is needed.
async fn present(authorization: &str) -> Vec<(&'static str, Answer)> {
    let edge = Door::edge();
    let calls = [
        ("edge, for the upstream", edge.client().get("/api/echo")),
        ("edge, public route", edge.client().get("/api/public/anything")),
        ("edge, for the origin", edge.client().get("/auth/me")),
        ("origin", Door::origin().client().get("/auth/me")),
    ];
    let mut answers = Vec::new();
    for (place, call) in calls {
        answers.push((place, call.header("authorization", authorization).send().await));
    }
    answers
}

async fn is_refused_everywhere(what: &str, token: &str) {
    for (place, answer) in present(&format!("Bearer {token}")).await {
        assert_eq!(answer.status, 401, "{what} at {place}: {answer:?}");
        let problem = answer.problem(401, "invalid_token");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(
            challenge.contains(r#"error="invalid_token""#),
            "{what} at {place}: {challenge}"
        );
        assert!(
            token.len() < 8 || !problem.to_string().contains(token),
            "{what} at {place}: the token is repeated"
        );
    }
}

fn changed(claims: &Value, name: &str, value: Value) -> Value {
    let mut claims = claims.clone();
    claims[name] = value;
    claims
}

fn without(claims: &Value, name: &str) -> Value {
    let mut claims = claims.clone();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[tokio::test]
async fn no_token_is_a_401_with_a_bare_challenge() {
    for (door, path) in [
        (Door::edge(), "/api/echo"),
        (Door::edge(), "/auth/me"),
        (Door::origin(), "/auth/me"),
    ] {
        let answer = door.client().get(path).send().await;
        answer.problem(401, "invalid_token");
        // RFC 6750 §3.1: a request without credentials is told no error.
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(!challenge.contains("error"), "{challenge}");
    }
}

#[tokio::test]
async fn a_token_of_another_key_is_refused_under_any_name() {
    let account = Account::register(&Door::origin()).await;
    let claims = claims_for(&account);
    let (header, _) = decode(account.access_token());
    is_refused_everywhere("unknown kid", &stranger().await.token(&claims)).await;
    is_refused_everywhere(
        "our kid, another key",
        &stranger().await.token_with_header(&header, &claims),
    )
    .await;
}

#[tokio::test]
async fn a_token_whose_claims_do_not_hold_is_refused() {
    let issuer = trusted().await;
    let claims = claims_for(&Account::register(&Door::origin()).await);
    for (_, answer) in present(&format!("Bearer {}", issuer.token(&claims))).await {
        answer.expect(200);
    }
    let now = now();
    let cases = [
        ("expired", changed(&claims, "exp", json!(now - 60))),
        (
            "other issuer",
            changed(&claims, "iss", json!("https://elsewhere.example")),
        ),
        (
            "issuer with a slash",
            changed(
                &claims,
                "iss",
                json!(format!("{}/", claims["iss"].as_str().unwrap())),
            ),
        ),
        ("other audience", changed(&claims, "aud", json!("someone-else"))),
        (
            "audience list without us",
            changed(&claims, "aud", json!(["a", "b"])),
        ),
        ("not yet valid", changed(&claims, "nbf", json!(now + 120))),
        ("issued in the future", changed(&claims, "iat", json!(now + 120))),
        (
            "textual expiry",
            changed(&claims, "exp", json!((now + 600).to_string())),
        ),
        ("fractional expiry", changed(&claims, "exp", json!(0.5))),
        ("numeric subject", changed(&claims, "sub", json!(1))),
        (
            "permissions as text",
            changed(&claims, "permissions", json!("reports:view")),
        ),
        ("no expiry", without(&claims, "exp")),
        ("no issuer", without(&claims, "iss")),
        ("no audience", without(&claims, "aud")),
        ("no subject", without(&claims, "sub")),
        ("no session", without(&claims, "sid")),
        ("no tenant", without(&claims, "tenant_id")),
        ("no id", without(&claims, "jti")),
        ("no issue date", without(&claims, "iat")),
    ];
    for (what, claims) in cases {
        is_refused_everywhere(what, &issuer.token(&claims)).await;
    }
}

#[tokio::test]
async fn an_audience_list_with_us_in_it_is_believed() {
    let issuer = trusted().await;
    let claims = claims_for(&Account::register(&Door::origin()).await);
    let list = json!(["someone-else", claims["aud"]]);
    for (place, answer) in present(&format!(
        "Bearer {}",
        issuer.token(&changed(&claims, "aud", list))
    ))
    .await
    {
        assert_eq!(answer.status, 200, "{place}");
    }
}

#[tokio::test]
async fn a_token_with_another_header_is_refused() {
    let issuer = trusted().await;
    let claims = claims_for(&Account::register(&Door::origin()).await);
    let good = json!({"alg": "RS256", "typ": "at+jwt", "kid": issuer.kid()});
    let cases = [
        ("RS384", changed(&good, "alg", json!("RS384"))),
        ("rs256", changed(&good, "alg", json!("rs256"))),
        ("typ JWT", changed(&good, "typ", json!("JWT"))),
        ("no typ", without(&good, "typ")),
        ("no kid", without(&good, "kid")),
        ("crit", changed(&good, "crit", json!(["exp"]))),
        ("b64", changed(&good, "b64", json!(false))),
        ("zip", changed(&good, "zip", json!("DEF"))),
        ("enc", changed(&good, "enc", json!("A256GCM"))),
    ];
    for (what, header) in cases {
        is_refused_everywhere(what, &issuer.token_with_header(&header, &claims)).await;
    }
    let embedded = changed(
        &good,
        "jwk",
        json!({"kty": "RSA", "kid": "mine", "n": "AQAB", "e": "AQAB"}),
    );
    for (_, answer) in present(&format!(
        "Bearer {}",
        issuer.token_with_header(&embedded, &claims)
    ))
    .await
    {
        answer.expect(200);
    }
}

#[tokio::test]
async fn a_token_of_another_algorithm_is_refused() {
    let issuer: &Issuer = trusted().await;
    let claims = claims_for(&Account::register(&Door::origin()).await);
    let header = |alg: &str| json!({"alg": alg, "typ": "at+jwt", "kid": issuer.kid()});
    for alg in ["none", "None", ""] {
        is_refused_everywhere("alg none", &format!("{}.", signing_input(&header(alg), &claims))).await;
    }
    // The public key, which everybody knows, taken for an HMAC secret.
    let input = signing_input(&header("HS256"), &claims);
    for secret in [issuer.modulus(), issuer.public_pem().into_bytes()] {
        let mac = Base64UrlUnpadded::encode_string(&portcullis_tests::forge::hmac_sha256(
            &secret,
            input.as_bytes(),
        ));
        is_refused_everywhere("HS256", &format!("{input}.{mac}")).await;
    }
}

#[tokio::test]
async fn a_token_that_was_tampered_with_is_refused() {
    let account = Account::register(&Door::origin()).await;
    let good = account.access_token();
    let parts: Vec<_> = good.split('.').collect();
    let (_, claims) = decode(good);
    let admin =
        Base64UrlUnpadded::encode_string(changed(&claims, "role", json!("admin")).to_string().as_bytes());
    let cases = [
        ("other claims", format!("{}.{admin}.{}", parts[0], parts[2])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{good}.x")),
        ("padding", format!("{good}==")),
        ("cut short", good[..good.len() - 4].to_owned()),
        ("garbage", "not-a-token".to_owned()),
        ("only dots", "..".to_owned()),
        ("a refresh token", account.refresh_token().to_owned()),
        ("10 KiB", "a".repeat(10_240)),
    ];
    for (what, token) in cases {
        is_refused_everywhere(what, &token).await;
    }
}

#[tokio::test]
async fn an_expired_token_is_told_so() {
    let issuer = trusted().await;
    let claims = claims_for(&Account::register(&Door::origin()).await);
    let expired = issuer.token(&changed(&claims, "exp", json!(now() - 60)));
    for (place, answer) in present(&format!("Bearer {expired}")).await {
        answer.problem(401, "invalid_token");
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("expired"), "{place}: {challenge}");
    }
}

#[tokio::test]
async fn the_scheme_is_compared_without_case_and_others_are_no_token() {
    let account = Account::register(&Door::origin()).await;
    for scheme in ["bearer", "BEARER"] {
        for (place, answer) in present(&format!("{scheme} {}", account.access_token())).await {
            assert_eq!(answer.status, 200, "{scheme} at {place}");
        }
    }
    for authorization in ["Bearer", "Bearer ", "Basic dTpw", account.access_token()] {
        for (door, path) in [
            (Door::edge(), "/api/echo"),
            (Door::edge(), "/auth/me"),
            (Door::origin(), "/auth/me"),
        ] {
            let answer = door
                .client()
                .get(path)
                .header("authorization", authorization)
                .send()
                .await;
            answer.problem(401, "invalid_token");
        }
    }
}
