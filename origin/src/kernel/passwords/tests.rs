//! The hasher against the standard's vector, its bounds, and what it keeps.

use std::time::Duration;

use super::*;

const CHEAP: HasherConfig = HasherConfig {
    memory_kib: 8_192,
    iterations: 1,
    parallelism: 4,
    permits: 2,
    queue: 8,
};

fn password(text: &str) -> Password {
    Password::new(&SecretString::from(text))
}

fn stored(text: &str) -> PasswordHash {
    PasswordHash::from_stored(text.to_owned())
}

#[tokio::test]
async fn a_password_matches_its_hash_and_no_other_does() {
    let hasher = Hasher::new(&CHEAP).unwrap();
    let hash = hasher.hash(password("correct horse"), [7; 16]).await.unwrap();
    assert!(
        hasher
            .verify(password("correct horse"), Some(&hash))
            .await
            .unwrap()
    );
    assert!(
        !hasher
            .verify(password("correct horsf"), Some(&hash))
            .await
            .unwrap()
    );
    assert!(!hasher.verify(password(""), Some(&hash)).await.unwrap());
}

#[tokio::test]
async fn a_hash_is_a_phc_string_with_the_configured_cost() {
    let hash = Hasher::new(&CHEAP)
        .unwrap()
        .hash(password("correct horse"), [7; 16])
        .await
        .unwrap();
    assert!(
        hash.expose()
            .starts_with("$argon2id$v=19$m=8192,t=1,p=4$BwcHBwcHBwcHBwcHBwcHBw$"),
        "{}",
        hash.expose()
    );
}

#[tokio::test]
async fn a_hash_of_the_reference_implementation_is_verified() {
    // From the test program of the Argon2 reference implementation: 64 MiB, t = 2, p = 1.
    let reference =
        stored("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc");
    let hasher = Hasher::new(&CHEAP).unwrap();
    assert!(
        hasher
            .verify(password("password"), Some(&reference))
            .await
            .unwrap()
    );
    assert!(
        !hasher
            .verify(password("Password"), Some(&reference))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn the_same_password_typed_in_another_normal_form_matches() {
    let hasher = Hasher::new(&CHEAP).unwrap();
    let hash = hasher.hash(password("caf\u{e9}"), [7; 16]).await.unwrap();
    assert!(hasher.verify(password("cafe\u{301}"), Some(&hash)).await.unwrap());
}

#[tokio::test]
async fn without_a_hash_no_password_matches() {
    let hasher = Hasher::new(&CHEAP).unwrap();
    assert!(!hasher.verify(password("correct horse"), None).await.unwrap());
}

#[test]
fn the_hash_of_nobody_costs_what_a_fresh_one_does() {
    let nobody = Phc::of_nobody(&CHEAP).unwrap().to_hash().unwrap();
    let params = Phc::parse(&nobody).unwrap().params;
    assert_eq!((params.m_cost(), params.t_cost(), params.p_cost()), (8_192, 1, 4));
}

#[tokio::test]
async fn a_hash_that_is_none_of_ours_or_costs_too_much_is_unreadable() {
    let hasher = Hasher::new(&CHEAP).unwrap();
    for text in [
        "",
        "plain",
        "$2x$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        "$argon2i$v=19$m=8192,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=16$m=8192,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5Q",
        "$argon2id$v=19$m=8192,t=1,p=1$c29tZXNhbHQ",
        "$argon2id$v=19$m=4294967295,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2id$v=19$m=8192,t=65,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ] {
        let outcome = hasher.verify(password("password"), Some(&stored(text))).await;
        assert!(
            matches!(outcome, Err(HasherError::UnreadableHash)),
            "{text}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn whoever_finds_the_queue_full_is_refused_at_once() {
    let hasher = Hasher::new(&HasherConfig {
        permits: 1,
        queue: 1,
        ..CHEAP
    })
    .unwrap();
    // On this runtime the futures are polled in turn: one runs, one waits, and there is no third place.
    let outcomes = tokio::join!(
        hasher.verify(password("a"), None),
        hasher.verify(password("b"), None),
        hasher.verify(password("c"), None),
    );
    assert!(
        matches!(outcomes, (Ok(false), Ok(false), Err(HasherError::Overloaded))),
        "{outcomes:?}"
    );
    assert!(
        hasher.verify(password("d"), None).await.is_ok(),
        "the places are free again"
    );
}

#[tokio::test]
async fn a_caller_that_goes_away_keeps_its_place_until_the_work_is_done() {
    let hasher = Hasher::new(&HasherConfig {
        permits: 1,
        queue: 0,
        ..CHEAP
    })
    .unwrap();
    let abandoned = tokio::time::timeout(Duration::ZERO, hasher.verify(password("a"), None)).await;
    assert!(abandoned.is_err(), "it was polled once and then dropped");
    let refused = hasher.verify(password("b"), None).await;
    assert!(matches!(refused, Err(HasherError::Overloaded)), "{refused:?}");
    while hasher.verify(password("c"), None).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_is_bounded_by_the_permits_however_many_hash() {
    let hasher = Hasher::new(&HasherConfig {
        permits: 2,
        queue: 64,
        ..CHEAP
    })
    .unwrap();
    let flood: Vec<_> = (0..20)
        .map(|_| {
            let hasher = hasher.clone();
            tokio::spawn(async move { hasher.verify(password("a"), None).await })
        })
        .collect();
    for verified in flood {
        assert!(!verified.await.unwrap().unwrap());
    }
    assert!(hasher.inner.arenas.kept_bytes() <= 2 * 8_192 * 1024);
}

#[tokio::test(start_paused = true)]
async fn unused_memory_is_given_back() {
    let hasher = Hasher::new(&CHEAP).unwrap();
    hasher.verify(password("a"), None).await.unwrap();
    assert!(hasher.inner.arenas.kept_bytes() > 0);
    // The clock of this runtime jumps as soon as there is nothing else to do.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(hasher.inner.arenas.kept_bytes(), 0);
}

#[test]
fn passwords_and_hashes_are_not_shown() {
    let shown = format!("{:?} {:?}", password("hunter2"), stored("$argon2id$hunter2"));
    assert!(!shown.contains("hunter2"), "{shown}");
}
