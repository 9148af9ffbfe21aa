//! Hashes that are not what a fresh one would be.

use portcullis_origin::kernel::passwords::{Hasher, HasherConfig, Password};
use reqwest::StatusCode;

use crate::common::TestServer;
use crate::fixtures::{PASSWORD, assert_refused, register, server, try_login, without_limits};

/// The only hash that is stored.
async fn stored(server: &TestServer) -> String {
    let found = sqlx::query_scalar("SELECT password_hash FROM users");
    found.fetch_one(server.pool()).await.unwrap()
}

/// A hash as the old service made it, at the least cost.
pub(super) fn bcrypt(password: &str, cost: u32) -> String {
    bcrypt::hash_with_salt(password, cost, [7; 16])
        .unwrap()
        .format_for_version(bcrypt::Version::TwoB)
}

async fn store(server: &TestServer, hash: &str) {
    sqlx::query("UPDATE users SET password_hash = $1")
        .bind(hash)
        .execute(server.pool())
        .await
        .unwrap();
}

async fn assert_signs_in(server: &TestServer, password: &str) {
    let answer = try_login(server, "ada@example.com", password).await;
    assert_eq!(answer.status(), StatusCode::OK);
}

async fn assert_does_not(server: &TestServer, password: &str) {
    let answer = try_login(server, "ada@example.com", password).await;
    assert_refused(answer, 401, "invalid_credentials").await;
}

#[tokio::test]
async fn a_hash_of_bcrypt_is_replaced_at_the_first_good_sign_in() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    let old = bcrypt("old service", 4);
    for variant in ["$2a$", "$2b$", "$2y$"] {
        store(&server, &old.replace("$2b$", variant)).await;
        assert_does_not(&server, "old servicf").await;
        assert_eq!(
            stored(&server).await,
            old.replace("$2b$", variant),
            "a wrong password changes nothing"
        );
        assert_signs_in(&server, "old service").await;
        assert!(
            stored(&server)
                .await
                .starts_with("$argon2id$v=19$m=8192,t=1,p=1$")
        );
        assert_signs_in(&server, "old service").await;
        assert_does_not(&server, "old servicf").await;
    }
}

#[tokio::test]
async fn a_password_too_long_for_bcrypt_keeps_its_hash() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    let (seen, beyond) = ("p".repeat(72), "p".repeat(72) + " and a mistake");
    let old = bcrypt(&seen, 4);
    store(&server, &old).await;
    assert_signs_in(&server, &beyond).await;
    assert_eq!(
        stored(&server).await,
        old,
        "or the mistake would be the password from now on"
    );
    assert_signs_in(&server, &seen).await;
    assert!(stored(&server).await.starts_with("$argon2id$"));
    assert_does_not(&server, &beyond).await;
}

#[tokio::test]
async fn hashes_that_no_password_is_checked_against_let_nobody_in() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    let good = bcrypt(PASSWORD, 4);
    for unreadable in [
        good.replace("$2b$", "$2x$"),
        good.replace("$04$", "$15$"),
        good.replace("$04$", "$03$"),
        good[..59].to_owned(),
        format!("{good}."),
        "$2b$04$".to_owned(),
    ] {
        store(&server, &unreadable).await;
        assert_refused(
            try_login(&server, "ada@example.com", PASSWORD).await,
            500,
            "internal_error",
        )
        .await;
    }
}

async fn hash_at(memory_kib: u32, iterations: u32) -> String {
    let hasher = Hasher::new(&HasherConfig {
        memory_kib,
        iterations,
        parallelism: 1,
        permits: 1,
        queue: 1,
    });
    let password = Password::new(&PASSWORD.to_owned().into());
    hasher
        .unwrap()
        .hash(password, [7; 16])
        .await
        .unwrap()
        .expose()
        .to_owned()
}

#[tokio::test]
async fn a_hash_is_raised_to_the_configured_cost_and_never_lowered() {
    let server = TestServer::start_with(|settings| {
        without_limits(settings);
        settings.insert("PORTCULLIS__PASSWORDS__ITERATIONS".into(), "2".into());
        settings.insert("PORTCULLIS__PASSWORDS__MEMORY_KIB".into(), "9216".into());
    })
    .await;
    register(&server, "ada@example.com").await;
    for (memory, iterations, expected) in [
        (8192, 2, "m=9216,t=2,p=1"),
        (9216, 1, "m=9216,t=2,p=1"),
        (8192, 3, "m=9216,t=2,p=1"),
        (9216, 2, "m=9216,t=2,p=1"),
        (10240, 2, "m=10240,t=2,p=1"),
        (9216, 3, "m=9216,t=3,p=1"),
    ] {
        let before = hash_at(memory, iterations).await;
        store(&server, &before).await;
        assert_does_not(&server, "something else entirely").await;
        assert_eq!(stored(&server).await, before);
        assert_signs_in(&server, PASSWORD).await;
        let after = stored(&server).await;
        assert!(after.contains(expected), "{after}");
        assert_eq!(
            after == before,
            before.contains(expected),
            "a hash that is good enough stays"
        );
        assert_signs_in(&server, PASSWORD).await;
    }
}
