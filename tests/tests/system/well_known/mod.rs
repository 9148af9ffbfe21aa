//! `/.well-known/*`: what machines read.

use portcullis_tests::account::{Account, decode};
use portcullis_tests::world::Door;

#[tokio::test]
async fn the_key_set_is_public_cacheable_and_holds_public_members_only() {
    for door in Door::both() {
        let answer = door
            .client()
            .get("/.well-known/jwks.json")
            .send()
            .await
            .expect(200);
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        let keys = answer.json()["keys"].as_array().expect("keys").clone();
        assert!(!keys.is_empty());
        for key in keys {
            let members: Vec<_> = key.as_object().unwrap().keys().map(String::as_str).collect();
            for member in ["kty", "kid", "n", "e", "alg", "use"] {
                assert!(members.contains(&member), "no {member} in {key}");
            }
            for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
                assert!(!members.contains(&private), "{private} in {key}");
            }
            assert_eq!(
                (key["kty"].as_str(), key["alg"].as_str(), key["use"].as_str()),
                (Some("RSA"), Some("RS256"), Some("sig"))
            );
        }
    }
}

#[tokio::test]
async fn a_key_set_that_has_not_changed_is_a_304() {
    for door in Door::both() {
        // A key imported in between by another test is a change, and the next round sees it.
        let mut rounds = 0;
        loop {
            let first = door
                .client()
                .get("/.well-known/jwks.json")
                .send()
                .await
                .expect(200);
            let tag = first.header("etag").expect("an ETag").to_owned();
            let second = door
                .client()
                .get("/.well-known/jwks.json")
                .header("if-none-match", &tag)
                .send()
                .await;
            if second.status == 304 {
                assert!(second.body.is_empty());
                break;
            }
            assert_ne!(second.header("etag"), Some(&*tag), "{second:?}");
            rounds += 1;
            assert!(rounds < 3, "the key set keeps changing");
        }
    }
}

#[tokio::test]
async fn the_metadata_names_what_exists() {
    let account = Account::register(&Door::edge()).await;
    let (_, claims) = decode(account.access_token());
    let issuer = claims["iss"].as_str().unwrap();
    for door in Door::both() {
        let answer = door
            .client()
            .get("/.well-known/oauth-authorization-server")
            .send()
            .await
            .expect(200);
        let metadata = answer.json();
        assert_eq!(metadata["issuer"], issuer);
        assert_eq!(metadata["jwks_uri"], format!("{issuer}/.well-known/jwks.json"));
        // RFC 8414 §2: required, even where no response type is supported.
        assert!(metadata["response_types_supported"].is_array(), "{metadata}");
        for (name, value) in metadata.as_object().unwrap() {
            if name.ends_with("_endpoint") || name.ends_with("_uri") {
                let path = value
                    .as_str()
                    .and_then(|url| url.strip_prefix(issuer))
                    .expect("a URL of the issuer");
                let status = door.client().get(path).send().await.status;
                assert_ne!(status, 404, "{name} names {path}, which does not exist");
            }
        }
    }
}
