//! `GET /auth/verify`, and what an access token says.

use portcullis_shared::claims::Expectations;
use portcullis_shared::jwk::JwkSet;
use portcullis_shared::signature::ReferenceKey;
use portcullis_shared::token::UnverifiedToken;
use portcullis_tests::account::{Account, decode};
use portcullis_tests::answer::assert_uuid;
use portcullis_tests::now;
use portcullis_tests::world::Door;
use serde_json::json;

#[tokio::test]
async fn the_claims_of_a_live_token_are_shown() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let answer = account
            .client
            .get("/auth/verify")
            .bearer(account.access_token())
            .send()
            .await
            .expect(200);
        let body = answer.json();
        assert_eq!(body["active"], true);
        let (_, claims) = decode(account.access_token());
        assert_eq!(body["claims"], claims);
    }
}

#[tokio::test]
async fn an_access_token_is_an_rfc_9068_token_with_the_claims_of_the_contract() {
    let account = Account::register(&Door::edge()).await;
    let (header, claims) = decode(account.access_token());
    assert_eq!(
        (&header["alg"], &header["typ"]),
        (&json!("RS256"), &json!("at+jwt"))
    );
    assert!(header["kid"].is_string());
    assert_eq!(claims["sub"], account.id());
    assert_eq!(claims["sid"], account.result["session"]["id"]);
    assert_eq!(claims["tenant_id"], account.result["user"]["tenantId"]);
    assert_eq!(claims["role"], "customer");
    assert_eq!(claims["permissions"], account.result["user"]["permissions"]);
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        900
    );
    assert_eq!(claims["acr"], "aal1");
    assert_eq!(claims["amr"], json!(["pwd"]));
    assert!(claims["client_id"].is_string());
    let age = now() - claims["auth_time"].as_i64().unwrap();
    assert!((0..60).contains(&age), "auth_time is {age} s old");
    assert_uuid(&claims["jti"]);
}

#[tokio::test]
async fn anybody_can_verify_a_token_with_the_published_keys() {
    let account = Account::register(&Door::edge()).await;
    let keys = Door::edge()
        .client()
        .get("/.well-known/jwks.json")
        .send()
        .await
        .expect(200);
    let keys = JwkSet::parse(&keys.body).unwrap();
    let token = UnverifiedToken::parse(account.access_token()).unwrap();
    let key = ReferenceKey::new(keys.key(token.kid()).expect("the signing key is published")).unwrap();
    let (_, claims) = decode(account.access_token());
    let text = |name: &str| claims[name].as_str().unwrap();
    let expected = Expectations::new(text("iss"), text("aud"));
    let verified = key.verify(token).unwrap();
    let checked = verified.check(&expected, now()).unwrap();
    assert_eq!(checked.sub, account.id());
}
