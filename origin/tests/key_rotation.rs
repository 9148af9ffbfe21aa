//! The life of a signing key: published, signing, retired, removed; by hand, by the schedule, and in an emergency.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use portcullis_origin::kernel::random::SystemEntropy;
use portcullis_origin::kernel::time::{TimeDelta, Timestamp};
use portcullis_origin::tokens::{KeyKeeper, KeyState, KeysError, Rotation, Upkeep, key_set_version, keys};
use portcullis_shared::jwk::JwkSet;
use reqwest::StatusCode;

use crate::common::TestServer;
use crate::fixtures::{
    Person, assert_refused, body_of, count, execute, login, me, refresh, register, server, try_refresh,
    without_limits,
};

/// How long a key is published before it signs: twice the age of a cached set, and two looks of a replica.
const WAIT: TimeDelta = TimeDelta::seconds(610);
/// After this, every replica has looked at the keys again.
const LOOKED_AGAIN: TimeDelta = TimeDelta::seconds(5);
/// Longer than an access token lives, and than its key is published.
const TOKEN_LIFE: TimeDelta = TimeDelta::seconds(1000);

fn now(server: &TestServer) -> Timestamp {
    server.app.core().clock().now()
}

fn keeper(server: &TestServer) -> KeyKeeper {
    let core = server.app.core();
    KeyKeeper::new(
        &core.config().tokens,
        core.pool().clone(),
        core.config().master_key.clone(),
    )
}

async fn rotate(server: &TestServer, skip_wait: bool) -> Result<Rotation, KeysError> {
    keeper(server)
        .rotate(skip_wait, now(server), &SystemEntropy)
        .await
}

/// Lets another key sign at once, and names it.
async fn rotate_now(server: &TestServer) -> String {
    match rotate(server, true).await.unwrap() {
        Rotation::Activated { kid, .. } => kid,
        other => panic!("{other:?}"),
    }
}

async fn key_set(server: &TestServer, query: &str) -> JwkSet {
    let path = format!("/.well-known/jwks.json{query}");
    let answer = server.get(&path).send().await.unwrap();
    JwkSet::parse(&answer.bytes().await.unwrap()).unwrap()
}

async fn published(server: &TestServer) -> BTreeSet<String> {
    let set = key_set(server, "").await;
    set.keys().map(|key| key.kid().to_owned()).collect()
}

fn names<const N: usize>(kids: [&str; N]) -> BTreeSet<String> {
    kids.map(str::to_owned).into()
}

async fn states(server: &TestServer) -> Vec<(String, KeyState)> {
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let keys = keys::list(&mut connection).await.unwrap();
    keys.into_iter().map(|key| (key.kid, key.state)).collect()
}

async fn minimum_version(server: &TestServer) -> u64 {
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    key_set_version(&mut connection).await.unwrap()
}

/// How often this happened to this key.
async fn audited(server: &TestServer, what: &str, kid: &str) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM audit_events WHERE type = $1 AND detail ->> 'kid' = $2")
        .bind(what)
        .bind(kid)
        .fetch_one(server.pool())
        .await
        .unwrap()
}

fn kid_of(token: &str) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let header = Base64UrlUnpadded::decode_vec(token.split('.').next().unwrap()).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Refreshes, and gives the access and the refresh token.
async fn renew(server: &TestServer, token: &str) -> (String, String) {
    let body = body_of(try_refresh(server, token).await, StatusCode::OK).await;
    let text = |pointer: &str| body.pointer(pointer).unwrap().as_str().unwrap().to_owned();
    (text("/tokens/accessToken"), text("/tokens/refreshToken"))
}

/// Two servers on one database and under one master key. Each has a clock of its own.
async fn replicas(settings: &[(&str, &str)]) -> [TestServer; 2] {
    let mut master_key = None;
    let change = |of: &mut crate::common::Settings| {
        without_limits(of);
        for (name, value) in settings {
            of.insert((*name).to_owned(), (*value).to_owned());
        }
    };
    let first = TestServer::start_with(|of| {
        change(of);
        master_key = of.get("PORTCULLIS__SECRETS__MASTER_KEY").cloned();
    })
    .await;
    first.app.prepare().await.unwrap();
    let second = TestServer::start_on(first.database.as_ref().unwrap().url(), |of| {
        change(of);
        of.insert("PORTCULLIS__SECRETS__MASTER_KEY".into(), master_key.unwrap());
    })
    .await;
    [first, second]
}

#[tokio::test]
async fn through_the_whole_life_of_a_key_nobody_is_logged_out() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let first = kid_of(&person.access);

    // Keys are listed in the order in which they came, and the clock stands still.
    server.clock.advance(TimeDelta::seconds(1));
    let Rotation::Published {
        kid: second,
        activates_at,
    } = rotate(&server, false).await.unwrap()
    else {
        panic!("there was no next key");
    };
    assert_eq!(activates_at, now(&server) + WAIT);
    server.clock.advance(LOOKED_AGAIN);
    assert_eq!(published(&server).await, names([&first, &second]));
    let (while_next, token) = renew(&server, &person.refresh).await;
    assert_eq!(kid_of(&while_next), first, "it is published and does not sign");

    // Until it has been published for long enough, it is left as it is.
    server
        .clock
        .advance(WAIT - LOOKED_AGAIN - TimeDelta::microseconds(1));
    let too_early = Rotation::Waiting {
        kid: second.clone(),
        activates_at,
    };
    assert_eq!(rotate(&server, false).await.unwrap(), too_early);
    server.clock.advance(TimeDelta::microseconds(1));
    let Rotation::Activated { kid, replaced } = rotate(&server, false).await.unwrap() else {
        panic!("it has waited long enough");
    };
    let (retired, until) = replaced.unwrap();
    assert_eq!((&kid, &retired), (&second, &first));

    server.clock.advance(LOOKED_AGAIN);
    let (while_active, token) = renew(&server, &token).await;
    assert_eq!(kid_of(&while_active), second);
    for access in [&person.access, &while_next, &while_active] {
        assert_eq!(me(&server, access).await.status(), StatusCode::OK);
    }

    // The first key's last token has expired when the key goes, and with it its private part.
    server
        .clock
        .advance(until - now(&server) - TimeDelta::microseconds(1));
    assert_eq!(published(&server).await, names([&first, &second]));
    assert!(
        server
            .app
            .tokens()
            .rotate_if_due(now(&server), &SystemEntropy)
            .await
            .unwrap()
            .removed
            .is_empty()
    );
    server.clock.advance(TimeDelta::microseconds(1) + LOOKED_AGAIN);
    assert_eq!(published(&server).await, names([&second]));
    let done = server
        .app
        .tokens()
        .rotate_if_due(now(&server), &SystemEntropy)
        .await
        .unwrap();
    assert_eq!(done.removed, [first.as_str()]);
    let (last, _) = renew(&server, &token).await;
    assert_eq!(me(&server, &last).await.status(), StatusCode::OK);

    assert_eq!(
        states(&server).await,
        [
            (first.clone(), KeyState::Removed),
            (second.clone(), KeyState::Active)
        ]
    );
    let erased = "SELECT count(*) FROM signing_keys WHERE private_sealed IS NULL AND master_key_id IS NULL";
    assert_eq!(count(&server, erased).await, 1);
    for kind in ["key_generated", "key_activated", "key_retired", "key_removed"] {
        assert_eq!(audited(&server, kind, &first).await, 1, "{kind}");
    }
    assert_eq!(audited(&server, "key_generated", &second).await, 1);
    assert_eq!(audited(&server, "key_activated", &second).await, 1);
    assert_eq!(minimum_version(&server).await, 0, "no verifier was ever hurried");
}

#[tokio::test]
async fn a_rotation_that_skips_the_wait_lets_another_key_sign_at_once() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let (first, mut refresh) = (kid_of(&person.access), person.refresh.clone());
    let mut kids = vec![first];
    let mut tokens = vec![person.access.clone()];
    for _ in 0..3 {
        let kid = rotate_now(&server).await;
        server.clock.advance(LOOKED_AGAIN);
        let (access, successor) = renew(&server, &refresh).await;
        assert_eq!(kid_of(&access), kid);
        (kids, refresh) = ([kids, vec![kid]].concat(), successor);
        tokens.push(access);
    }
    assert_eq!(published(&server).await, kids.iter().cloned().collect());
    for access in &tokens {
        assert_eq!(me(&server, access).await.status(), StatusCode::OK);
    }
    // A next key that is there already is the one that signs.
    let Rotation::Published { kid, .. } = rotate(&server, false).await.unwrap() else {
        panic!("there was no next key");
    };
    assert_eq!(rotate_now(&server).await, kid);
}

#[tokio::test]
async fn of_operators_who_rotate_at_once_one_makes_a_key() {
    for skip_wait in [false, true] {
        let server = server().await;
        server.app.prepare().await.unwrap();
        let (first, second) = tokio::join!(rotate(&server, skip_wait), rotate(&server, skip_wait));
        let outcomes = [first, second];
        let done = outcomes.iter().filter(|outcome| {
            matches!(
                outcome,
                Ok(Rotation::Published { .. } | Rotation::Activated { .. })
            )
        });
        assert_eq!(done.count(), 1, "{outcomes:?}");
        for outcome in &outcomes {
            assert!(
                matches!(outcome, Ok(_) | Err(KeysError::ChangedElsewhere)),
                "{outcome:?}"
            );
        }
        let states: Vec<KeyState> = states(&server)
            .await
            .into_iter()
            .map(|(_, state)| state)
            .collect();
        assert_eq!(states.len(), 2);
        assert_eq!(
            states.iter().filter(|state| **state == KeyState::Active).count(),
            1
        );
    }
}

#[tokio::test]
async fn of_operators_who_let_the_same_key_sign_one_does() {
    let server = server().await;
    server.app.prepare().await.unwrap();
    rotate(&server, false).await.unwrap();
    server.clock.advance(WAIT);
    let outcomes = join_all((0..8).map(|_| rotate(&server, false))).await;
    let activated = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(Rotation::Activated { .. })));
    assert_eq!(activated.count(), 1, "{outcomes:?}");
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM audit_events WHERE type = 'key_retired'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn removing_a_compromised_key_refuses_its_tokens_and_nobody_has_to_sign_in_again() {
    let [here, there] = replicas(&[]).await;
    let person = register(&here, "ada@example.com").await;
    there.clock.advance(TimeDelta::seconds(10));
    here.clock.advance(TimeDelta::seconds(10));
    assert_eq!(me(&there, &person.access).await.status(), StatusCode::OK);
    let stolen = kid_of(&person.access);
    let before = key_set(&here, "").await.version();

    let refused = keeper(&here)
        .retire(&stolen, false, now(&here), &SystemEntropy)
        .await;
    assert!(matches!(refused, Err(KeysError::StillActive(kid)) if kid == stolen));
    let removal = keeper(&here)
        .retire(&stolen, true, now(&here), &SystemEntropy)
        .await
        .unwrap();
    assert_eq!(removal.was, KeyState::Active);
    let replacement = removal.replacement.unwrap();

    for server in [&here, &there] {
        server.clock.advance(LOOKED_AGAIN);
        assert_refused(me(server, &person.access).await, 401, "invalid_token").await;
        let set = key_set(server, "").await;
        assert_eq!(published(server).await, names([&replacement]));
        assert!(set.version() > before && set.version() == minimum_version(server).await);
    }
    let (access, _) = renew(&there, &person.refresh).await;
    assert_eq!(kid_of(&access), replacement);
    assert_eq!(me(&here, &access).await.status(), StatusCode::OK);

    let again = keeper(&here)
        .retire(&stolen, true, now(&here), &SystemEntropy)
        .await;
    assert!(matches!(again, Err(KeysError::AlreadyRemoved(_))));
    let detail = "SELECT count(*) FROM audit_events WHERE type = 'key_removed'
                  AND detail ->> 'was' = 'active' AND detail -> 'compromised' = 'true'";
    assert_eq!(count(&here, detail).await, 1);
    assert_eq!(audited(&here, "key_activated", &replacement).await, 1);
    let private = "SELECT count(*) FROM signing_keys WHERE state = 'removed' AND private_sealed IS NOT NULL";
    assert_eq!(count(&here, private).await, 0);
}

#[tokio::test]
async fn a_next_or_a_retired_key_can_be_removed_at_once_and_an_unknown_one_cannot() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let first = kid_of(&person.access);
    let second = rotate_now(&server).await;
    let Rotation::Published { kid: third, .. } = rotate(&server, false).await.unwrap() else {
        panic!("there was no next key");
    };
    for (kid, was) in [(&first, KeyState::Retired), (&third, KeyState::Next)] {
        let before = minimum_version(&server).await;
        let removal = keeper(&server)
            .retire(kid, false, now(&server), &SystemEntropy)
            .await
            .unwrap();
        assert_eq!((removal.was, removal.replacement), (was, None));
        assert!(
            minimum_version(&server).await > before,
            "verifiers must forget it"
        );
    }
    server.clock.advance(LOOKED_AGAIN);
    assert_eq!(published(&server).await, names([&second]));
    assert_refused(me(&server, &person.access).await, 401, "invalid_token").await;
    refresh(&server, &person.refresh).await;

    let unknown = keeper(&server)
        .retire("unknown", true, now(&server), &SystemEntropy)
        .await;
    assert!(matches!(unknown, Err(KeysError::KidUnknown(kid)) if kid == "unknown"));
}

#[tokio::test]
async fn a_compromised_key_that_two_operators_remove_at_once_is_replaced_once() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let stolen = kid_of(&person.access);
    let retire = || async {
        keeper(&server)
            .retire(&stolen, true, now(&server), &SystemEntropy)
            .await
    };
    let (first, second) = tokio::join!(retire(), retire());
    assert_eq!(
        usize::from(first.is_ok()) + usize::from(second.is_ok()),
        1,
        "{first:?} {second:?}"
    );
    assert_eq!(count(&server, "SELECT count(*) FROM signing_keys").await, 2);
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM signing_keys WHERE state = 'active'"
        )
        .await,
        1
    );
}

#[tokio::test]
async fn the_schedule_rotates_once_however_many_replicas_look() {
    let servers = replicas(&[("PORTCULLIS__TOKENS__ROTATION_DAYS", "30")]).await;
    let [here, there] = &servers;
    let person = register(here, "ada@example.com").await;
    let first = kid_of(&person.access);
    let look = || async {
        let looks = servers
            .iter()
            .map(|server| server.app.tokens().rotate_if_due(now(server), &SystemEntropy));
        join_all(looks)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    };
    let advance = |by| servers.iter().for_each(|server| server.clock.advance(by));
    let active = || async {
        let sql = "SELECT kid FROM signing_keys WHERE state = 'active'";
        sqlx::query_scalar::<_, String>(sql)
            .fetch_one(here.pool())
            .await
            .unwrap()
    };

    assert!(
        look().await.iter().all(|done| *done == Upkeep::default()),
        "nothing is due"
    );
    advance(TimeDelta::days(30) - TimeDelta::minutes(59));
    let published_now = look().await;
    assert_eq!(
        published_now
            .iter()
            .filter(|done| done.rotation.is_some())
            .count(),
        1
    );
    assert_eq!(active().await, first);
    assert!(
        look().await.iter().all(|done| done.rotation.is_none()),
        "it waits until it is due"
    );
    advance(TimeDelta::minutes(59));
    assert_eq!(
        look().await.iter().filter(|done| done.rotation.is_some()).count(),
        1
    );
    let second = active().await;
    assert_ne!(second, first);

    // The session has gone idle meanwhile; a new one is signed with the new key, whoever opens it.
    advance(LOOKED_AGAIN);
    assert_eq!(kid_of(&login(there, "ada@example.com").await.access), second);
    advance(TOKEN_LIFE);
    let removed: Vec<String> = look().await.into_iter().flat_map(|done| done.removed).collect();
    assert_eq!(removed, [first.as_str()]);
    for (kind, kid) in [
        ("key_generated", &second),
        ("key_activated", &second),
        ("key_retired", &first),
        ("key_removed", &first),
    ] {
        assert_eq!(audited(here, kind, kid).await, 1, "{kind}");
    }
    assert_eq!(count(here, "SELECT count(*) FROM signing_keys").await, 2);
}

#[tokio::test]
async fn a_schedule_that_is_switched_off_makes_no_key_and_still_removes_old_ones() {
    let server = TestServer::start_with(|settings| {
        without_limits(settings);
        settings.insert("PORTCULLIS__TOKENS__ROTATION_DAYS".into(), "0".into());
    })
    .await;
    server.app.prepare().await.unwrap();
    rotate_now(&server).await;
    server.clock.advance(TimeDelta::days(1000));
    let done = server
        .app
        .tokens()
        .rotate_if_due(now(&server), &SystemEntropy)
        .await
        .unwrap();
    assert_eq!((done.rotation, done.removed.len()), (None, 1));
    assert_eq!(count(&server, "SELECT count(*) FROM signing_keys").await, 2);
}

#[tokio::test]
async fn replicas_sign_with_the_new_key_within_seconds_and_believe_each_other_at_once() {
    let [here, there] = replicas(&[]).await;
    let person: Person = register(&here, "ada@example.com").await;
    let first = kid_of(&person.access);
    assert_eq!(kid_of(&login(&there, "ada@example.com").await.access), first);

    let second = rotate_now(&here).await;
    // One has looked again, the other has not: both sign, and each believes the other.
    here.clock.advance(LOOKED_AGAIN);
    let new = login(&here, "ada@example.com").await;
    let old = login(&there, "ada@example.com").await;
    assert_eq!(
        (kid_of(&new.access), kid_of(&old.access)),
        (second.clone(), first)
    );
    there.clock.advance(TimeDelta::seconds(1));
    for server in [&here, &there] {
        for access in [&person.access, &new.access, &old.access] {
            assert_eq!(me(server, access).await.status(), StatusCode::OK);
        }
    }
    there.clock.advance(LOOKED_AGAIN);
    assert_eq!(kid_of(&login(&there, "ada@example.com").await.access), second);
}

#[tokio::test]
async fn a_verifier_that_says_what_it_lacks_gets_a_set_that_has_it() {
    let [here, there] = replicas(&[]).await;
    let first = key_set(&there, "").await;
    let second = rotate_now(&here).await;
    assert_eq!(key_set(&there, "").await, first, "its copy is young enough");
    let newer = key_set(&there, &format!("?kid={second}")).await;
    assert!(newer.key(&second).is_some() && newer.version() > first.version());

    there.clock.advance(TimeDelta::seconds(1));
    let retired = first.keys().next().unwrap().kid().to_owned();
    keeper(&here)
        .retire(&retired, false, now(&here), &SystemEntropy)
        .await
        .unwrap();
    assert_eq!(key_set(&there, "").await, newer);
    let required = minimum_version(&here).await;
    let newest = key_set(&there, &format!("?kid={second}&version={required}")).await;
    assert_eq!(newest.version(), required);
    assert!(newest.key(&retired).is_none());

    // Hints that make no sense hold nothing back, and cost one query a second.
    for query in [
        "?version=-1",
        "?version=x",
        "?version=18446744073709551615",
        "?kid=",
        "?kid=%ff",
        "?kid=a&kid=b",
    ] {
        assert_eq!(key_set(&there, query).await, newest, "{query}");
    }
    there.app.core().pool().close().await;
    there.clock.advance(TimeDelta::seconds(2));
    assert_eq!(key_set(&there, "?kid=other&version=99").await, newest);
}

#[tokio::test]
async fn no_key_is_made_where_verifiers_read_no_more() {
    let server = server().await;
    server.app.prepare().await.unwrap();
    execute(
        &server,
        "INSERT INTO signing_keys (kid, state, modulus, exponent, private_sealed, master_key_id, created_at, retired_at)
         SELECT 'old-' || n, 'retired', modulus, exponent, private_sealed, master_key_id, created_at, created_at
         FROM signing_keys, generate_series(1, 31) n",
    )
    .await;
    for skip_wait in [false, true] {
        assert!(matches!(
            rotate(&server, skip_wait).await,
            Err(KeysError::TooMany(32))
        ));
    }
    // In an emergency one goes before the other comes.
    let active = states(&server)
        .await
        .into_iter()
        .find(|(_, state)| *state == KeyState::Active)
        .unwrap()
        .0;
    keeper(&server)
        .retire(&active, true, now(&server), &SystemEntropy)
        .await
        .unwrap();
    server.clock.advance(LOOKED_AGAIN);
    assert_eq!(published(&server).await.len(), 32);
}
