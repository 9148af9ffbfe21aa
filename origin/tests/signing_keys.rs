//! Signing keys: made, imported, published, replaced, and read again by those who have old ones in memory.

use futures_util::future::join_all;
use portcullis_origin::kernel::config::Config;
use portcullis_origin::kernel::random::SystemEntropy;
use portcullis_origin::kernel::secrets::SecretBytes;
use portcullis_origin::kernel::time::{TimeDelta, Timestamp};
use portcullis_origin::tokens::keys::{self, Import, Imported};
use portcullis_origin::tokens::{KeyState, KeysError, SigningKey, Tokens};
use portcullis_shared::jwk::{JwkSet, RsaVerifyingKey};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{
    PASSWORD, assert_refused, body_of, count, execute, login, me, register, server, try_login, without_limits,
};

const PEM: &str = include_str!("keys/rsa-2048-pkcs1.pem");

fn now(server: &TestServer) -> Timestamp {
    server.app.core().clock().now()
}

async fn import(server: &TestServer, pem: &str, kid: &str, activate: bool) -> Result<Imported, KeysError> {
    let import = Import {
        pem: SecretBytes::new(pem.as_bytes().to_vec()),
        kid: Some(kid.to_owned()),
        activate,
        access_ttl: TimeDelta::seconds(900),
    };
    let core = server.app.core();
    keys::import(
        core.pool(),
        &core.config().master_key,
        &import,
        now(server),
        &SystemEntropy,
    )
    .await
}

async fn key_set(server: &TestServer) -> JwkSet {
    let answer = server.get("/.well-known/jwks.json").send().await.unwrap();
    JwkSet::parse(&answer.bytes().await.unwrap()).unwrap()
}

async fn published(server: &TestServer) -> Vec<String> {
    key_set(server)
        .await
        .keys()
        .map(|key| key.kid().to_owned())
        .collect()
}

/// A token that `key` signs about the person whose token this is.
async fn forged(server: &TestServer, access: &str, key: &SigningKey) -> String {
    let answer = server
        .get("/auth/verify")
        .bearer_auth(access)
        .send()
        .await
        .unwrap();
    key.sign(&body_of(answer, StatusCode::OK).await["claims"])
        .unwrap()
}

fn kid_of(token: &str) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let header = Base64UrlUnpadded::decode_vec(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// What a token says.
fn claims_of(token: &str) -> Value {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let claims = Base64UrlUnpadded::decode_vec(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&claims).unwrap()
}

#[tokio::test]
async fn replicas_that_start_at_once_agree_on_one_key() {
    let server = server().await;
    let core = server.app.core();
    let config: &Config = core.config();
    let replicas: Vec<Tokens> = (0..5)
        .map(|_| Tokens::new(&config.tokens, core.pool().clone(), config.master_key.clone()))
        .collect();
    for outcome in join_all(
        replicas
            .iter()
            .map(|tokens| tokens.prepare(now(&server), &SystemEntropy)),
    )
    .await
    {
        outcome.unwrap();
    }
    let mut sets = Vec::new();
    for tokens in &replicas {
        sets.push(tokens.key_set(now(&server)).await.unwrap().etag);
    }
    sets.dedup();
    assert_eq!(sets.len(), 1);
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM signing_keys WHERE state = 'active'"
        )
        .await,
        1
    );
    assert_eq!(count(&server, "SELECT count(*) FROM signing_keys").await, 1);
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM audit_events WHERE type = 'key_generated'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn a_server_that_was_never_prepared_makes_its_key_when_it_is_needed() {
    let server = server().await;
    assert!(key_set(&server).await.is_empty());
    let person = register(&server, "ada@example.com").await;
    assert_eq!(published(&server).await, [kid_of(&person.access)]);
}

#[tokio::test]
async fn the_key_set_is_cacheable_and_says_when_it_has_not_changed() {
    let server = server().await;
    server.app.prepare().await.unwrap();
    let answer = server.get("/.well-known/jwks.json").send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "public, max-age=300");
    assert_eq!(answer.headers()["content-type"], "application/jwk-set+json");
    let etag = answer.headers()["etag"].to_str().unwrap().to_owned();
    let set: Value = answer.json().await.unwrap();
    let key = set["keys"][0].as_object().unwrap();
    let mut members: Vec<_> = key.keys().collect();
    members.sort();
    assert_eq!(
        members,
        ["alg", "e", "kid", "kty", "n", "use"],
        "public members only"
    );
    for (known, status) in [
        (etag.clone(), 304),
        (format!("W/{etag}"), 304),
        (format!("\"x\", {etag}"), 304),
        ("*".to_owned(), 304),
        ("\"x\"".to_owned(), 200),
    ] {
        let request = server
            .get("/.well-known/jwks.json")
            .header("if-none-match", &known);
        let again = request.send().await.unwrap();
        assert_eq!(again.status().as_u16(), status, "{known}");
        assert_eq!(again.headers()["etag"], etag.as_str());
    }
}

#[tokio::test]
async fn the_metadata_names_what_exists() {
    let server = server().await;
    let answer = server
        .get("/.well-known/oauth-authorization-server")
        .send()
        .await
        .unwrap();
    assert_eq!(
        body_of(answer, StatusCode::OK).await,
        json!({
            "issuer": "https://auth.example.com",
            "jwks_uri": "https://auth.example.com/.well-known/jwks.json",
            "response_types_supported": [],
            "grant_types_supported": [],
            "introspection_endpoint": "https://auth.example.com/oauth2/introspect",
            "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "revocation_endpoint": "https://auth.example.com/oauth2/revoke",
            "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        })
    );
}

#[tokio::test]
async fn a_private_key_is_sealed_in_its_row_and_opens_in_no_other() {
    let server = server().await;
    server.app.prepare().await.unwrap();
    // PKCS#8 begins with the tag and length of a sequence, whatever the key.
    let plain = "SELECT count(*) FROM signing_keys
                 WHERE substring(private_sealed FROM 1 FOR 2) = '\\x3082' OR position('\\x2a864886f7'::bytea IN private_sealed) > 0";
    assert_eq!(count(&server, plain).await, 0);
    execute(&server, "UPDATE signing_keys SET kid = 'renamed'").await;
    let core = server.app.core();
    let fresh = Tokens::new(
        &core.config().tokens,
        core.pool().clone(),
        core.config().master_key.clone(),
    );
    let refused = fresh.prepare(now(&server), &SystemEntropy).await;
    assert!(
        matches!(&refused, Err(KeysError::Locked(kid)) if kid == "renamed"),
        "{refused:?}"
    );
    assert_eq!(count(&server, "SELECT count(*) FROM signing_keys").await, 1);
}

#[tokio::test]
async fn a_server_that_cannot_open_the_key_that_signs_verifies_by_the_newest_keys_and_signs_nothing() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    // Another server has made a new key under a master key that this one does not have, and taken the old one out.
    import(&server, PEM, "new", true).await.unwrap();
    execute(
        &server,
        "UPDATE signing_keys SET master_key_id = 'elsewhere' WHERE kid = 'new'",
    )
    .await;
    execute(&server, "DELETE FROM signing_keys WHERE kid <> 'new'").await;
    server.clock.advance(TimeDelta::seconds(6));

    assert_eq!(published(&server).await, ["new"]);
    assert_refused(me(&server, &person.access).await, 401, "invalid_token").await;
    let key = SigningKey::from_pem(&SecretBytes::new(PEM.as_bytes().to_vec()), Some("new")).unwrap();
    let claims = claims_of(&person.access);
    assert_eq!(
        me(&server, &key.sign(&claims).unwrap()).await.status(),
        StatusCode::OK
    );
    for _ in 0..2 {
        let refused = try_login(&server, "ada@example.com", PASSWORD).await;
        assert_refused(refused, 503, "unavailable").await;
    }
    assert_eq!(count(&server, "SELECT count(*) FROM signing_keys").await, 1);
}

#[tokio::test]
async fn an_imported_key_verifies_at_once_and_never_signs() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let own = kid_of(&person.access);
    let imported = import(&server, PEM, "old-service", false).await.unwrap();
    assert_eq!(
        imported,
        Imported {
            kid: "old-service".into(),
            state: KeyState::Retired,
            replaced: None
        }
    );

    let old = SigningKey::from_pem(&SecretBytes::new(PEM.as_bytes().to_vec()), Some("old-service")).unwrap();
    let token = forged(&server, &person.access, &old).await;
    assert_eq!(me(&server, &token).await.status(), StatusCode::OK);
    assert_eq!(kid_of(&login(&server, "ada@example.com").await.access), own);
    let mut kids = published(&server).await;
    kids.sort();
    let mut expected = [own, "old-service".to_owned()];
    expected.sort();
    assert_eq!(kids, expected);
    // It stays until somebody removes it.
    server.clock.advance(TimeDelta::days(365));
    assert_eq!(published(&server).await.len(), 2);
}

#[tokio::test]
async fn a_key_that_is_imported_and_activated_signs_from_now_on_and_nobody_is_logged_out() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let first = kid_of(&person.access);
    let imported = import(&server, PEM, "new", true).await.unwrap();
    assert_eq!(
        imported,
        Imported {
            kid: "new".into(),
            state: KeyState::Active,
            replaced: Some(first.clone())
        }
    );

    server.clock.advance(TimeDelta::seconds(5));
    assert_eq!(kid_of(&login(&server, "ada@example.com").await.access), "new");
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
    // The last token of the first key has expired when the key is no longer published.
    server.clock.advance(TimeDelta::seconds(900));
    assert_eq!(published(&server).await.len(), 2);
    server.clock.advance(TimeDelta::seconds(80));
    assert_eq!(published(&server).await, ["new"]);
    let events = "SELECT count(*) FROM audit_events WHERE type IN ('key_imported', 'key_activated')
                  AND detail = '{\"kid\": \"new\"}' AND tenant_id IS NULL";
    assert_eq!(count(&server, events).await, 2);
}

#[tokio::test]
async fn a_known_name_and_a_weak_key_are_refused_and_change_nothing() {
    let server = server().await;
    server.app.prepare().await.unwrap();
    import(&server, PEM, "old-service", false).await.unwrap();
    for activate in [false, true] {
        let again = import(&server, PEM, "old-service", activate).await;
        assert!(matches!(again, Err(KeysError::KidTaken(kid)) if kid == "old-service"));
        let weak = import(&server, include_str!("keys/rsa-1024.pem"), "weak", activate).await;
        assert!(matches!(weak, Err(KeysError::Key(_))));
    }
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let states: Vec<KeyState> = keys::list(&mut connection)
        .await
        .unwrap()
        .iter()
        .map(|key| key.state)
        .collect();
    assert_eq!(states.len(), 2);
    assert!(states.contains(&KeyState::Active) && states.contains(&KeyState::Retired));
}

#[tokio::test]
async fn of_two_keys_that_are_activated_at_once_one_is_active_afterwards() {
    let server = server().await;
    server.app.prepare().await.unwrap();
    let other = SigningKeyPem::generate();
    let (first, second) = tokio::join!(
        import(&server, PEM, "first", true),
        import(&server, &other.0, "second", true)
    );
    assert!(first.is_ok() || second.is_ok());
    for outcome in [first, second] {
        assert!(
            matches!(outcome, Ok(_) | Err(KeysError::ChangedElsewhere)),
            "{outcome:?}"
        );
    }
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM signing_keys WHERE state = 'active'"
        )
        .await,
        1
    );
}

/// Another key in PEM: a test that needs two has to make one.
struct SigningKeyPem(String);

impl SigningKeyPem {
    fn generate() -> Self {
        use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
        use aws_lc_rs::rsa::{KeyPair, KeySize};
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        Self(pem_rfc7468::encode_string("PRIVATE KEY", pem_rfc7468::LineEnding::LF, der.as_ref()).unwrap())
    }
}

#[tokio::test]
async fn no_more_keys_are_published_than_verifiers_read() {
    let server = server().await;
    server.app.prepare().await.unwrap();
    execute(
        &server,
        "INSERT INTO signing_keys (kid, state, modulus, exponent, private_sealed, master_key_id, created_at, retired_at)
         SELECT 'old-' || n, 'retired', modulus, exponent, private_sealed, master_key_id, created_at, created_at
         FROM signing_keys, generate_series(1, 31) n",
    )
    .await;
    assert!(matches!(
        import(&server, PEM, "one-more", false).await,
        Err(KeysError::TooMany(32))
    ));
    server.clock.advance(TimeDelta::seconds(5));
    assert_eq!(published(&server).await.len(), 32);
}

#[tokio::test]
async fn another_replica_learns_of_a_key_by_a_token_that_it_signed() {
    let mut master_key = None;
    let first = TestServer::start_with(|settings| {
        without_limits(settings);
        master_key = settings.get("PORTCULLIS__SECRETS__MASTER_KEY").cloned();
    })
    .await;
    first.app.prepare().await.unwrap();
    let second = TestServer::start_on(first.database.as_ref().unwrap().url(), |settings| {
        without_limits(settings);
        settings.insert("PORTCULLIS__SECRETS__MASTER_KEY".into(), master_key.unwrap());
    })
    .await;
    second.clock.advance(TimeDelta::seconds(1));
    assert_eq!(published(&second).await.len(), 1);

    import(&first, PEM, "new", true).await.unwrap();
    assert_eq!(published(&second).await.len(), 1, "its copy is young enough");
    first.clock.advance(TimeDelta::seconds(5));
    let person = register(&first, "ada@example.com").await;
    assert_eq!(kid_of(&person.access), "new");
    second.clock.advance(TimeDelta::seconds(4));
    assert_eq!(me(&second, &person.access).await.status(), StatusCode::OK);
    assert_eq!(published(&second).await.len(), 2);
}

#[tokio::test]
async fn made_up_names_of_keys_cost_one_query_a_second() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let pem = SecretBytes::new(PEM.as_bytes().to_vec());
    let made_up = SigningKey::from_pem(&pem, Some("made-up")).unwrap();
    let token = forged(&server, &person.access, &made_up).await;
    assert_refused(me(&server, &token).await, 401, "invalid_token").await;

    // The database was asked a moment ago, so that a key which has come since is not found yet.
    let real = SigningKey::from_pem(&pem, Some("real")).unwrap();
    let token = forged(&server, &person.access, &real).await;
    import(&server, PEM, "real", false).await.unwrap();
    server.clock.advance(TimeDelta::milliseconds(999));
    assert_refused(me(&server, &token).await, 401, "invalid_token").await;
    server.clock.advance(TimeDelta::milliseconds(1));
    assert_eq!(me(&server, &token).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_key_set_is_served_while_the_database_is_away() {
    let server = server().await;
    server.app.prepare().await.unwrap();
    let before = published(&server).await;
    server.app.core().pool().close().await;
    server.clock.advance(TimeDelta::hours(1));
    assert_eq!(published(&server).await, before);
}

#[tokio::test]
async fn a_key_in_memory_is_that_of_the_database_to_the_byte() {
    let server = server().await;
    server.app.prepare().await.unwrap();
    let (kid, modulus, exponent): (String, Vec<u8>, Vec<u8>) =
        sqlx::query_as("SELECT kid, modulus, exponent FROM signing_keys")
            .fetch_one(server.pool())
            .await
            .unwrap();
    let stored = RsaVerifyingKey::from_components(&kid, &modulus, &exponent).unwrap();
    assert_eq!(key_set(&server).await.key(&kid), Some(&stored));
}
