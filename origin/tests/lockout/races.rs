//! Many at once.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use portcullis_origin::jobs;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{ADA, HOME, WRONG, attempt, letters, locks, settings};
use crate::common::TestServer;
use crate::fixtures::{PASSWORD, count, execute, register, try_login};

/// Servers on one database that can write letters, which wait in the queue.
async fn replicas() -> [TestServer; 2] {
    let mut all = BTreeMap::new();
    let first = TestServer::start_with(|own| {
        settings(own);
        for (name, value) in [
            ("TRANSPORT", "file"),
            ("FOLDER", "/nonexistent"),
            ("FROM", "Example <no-reply@example.com>"),
        ] {
            own.insert(format!("PORTCULLIS__MAIL__{name}"), value.into());
        }
        all.clone_from(own);
    })
    .await;
    let url = first.database.as_ref().unwrap().url().to_owned();
    jobs::migrate(first.pool()).await.unwrap();
    let second = TestServer::start_on(&url, |own| {
        all.remove("DATABASE_URL");
        own.extend(all);
    })
    .await;
    [first, second]
}

/// Guesses a hundred times at once, from as many clients, and prints and checks what has come of it.
async fn storm(title: &str, servers: &[&TestServer], email: &str) {
    let guesses = (0..100).map(|number| {
        let from = format!("203.0.113.{number}");
        let server = servers[number % servers.len()];
        async move { attempt(server, &from, email, WRONG).await.status().as_u16() }
    });
    let mut answers = BTreeMap::<u16, usize>::new();
    for status in join_all(guesses).await {
        *answers.entry(status).or_default() += 1;
    }
    let server = servers[0];
    let event = "SELECT count(*) FROM audit_events WHERE type = 'sign_in_locked'";
    let refused = "SELECT count(*) FROM audit_events WHERE type = 'login_failed'";
    let for_the_lock = "SELECT count(*) FROM audit_events WHERE type = 'login_failed'
                        AND detail ->> 'reason' = 'too many failures of this account'";
    let clients = "SELECT count(*) FROM login_failures WHERE kind = 'client' AND failed_at <> '{}'";
    let numbers = [
        ("locks", locks(server).await, 1),
        ("clients with a failure", count(server, clients).await, 5),
        ("letters", letters(server).await, 1),
        ("events sign_in_locked", count(server, event).await, 1),
        ("events login_failed", count(server, refused).await, 100),
        ("of them for the lock", count(server, for_the_lock).await, 95),
    ];
    println!("{title}: answers by status {answers:?}");
    for (what, number, expected) in numbers {
        println!("  {what}: {number}");
        assert_eq!(number, expected, "{what}");
    }
    assert_eq!(answers, BTreeMap::from([(401, 5), (429, 95)]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_guesses_at_once_five_are_answered() {
    let [server, _other] = replicas().await;
    register(&server, ADA).await;
    storm("one server", &[&server], ADA).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_guesses_at_two_servers_five_are_answered() {
    let [one, two] = replicas().await;
    register(&one, ADA).await;
    storm("two servers", &[&one, &two], ADA).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_guesses_at_nobodys_address_five_are_answered() {
    let [one, two] = replicas().await;
    storm(
        "an address without an account",
        &[&one, &two],
        "nobody@example.com",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_right_guess_is_told_only_among_the_first_five() {
    let [server, _other] = replicas().await;
    for round in 0..4 {
        let email = format!("person-{round}@example.com");
        register(&server, &email).await;
        let guesses = (0..30).map(|number| {
            let from = format!("203.0.{round}.{number}");
            let password = if number == 15 { PASSWORD } else { WRONG };
            let (server, email) = (&server, &email);
            async move { attempt(server, &from, email, password).await.status().as_u16() }
        });
        let answers = join_all(guesses).await;
        let told = |status| answers.iter().filter(|answer| **answer == status).count();
        assert!(told(200) <= 1 && told(401) + told(200) + told(429) == 30);
        // A right one in between makes those before it forgotten: four, and then five.
        assert!(told(401) <= 5 + 4 * told(200), "{answers:?}");
    }
}

/// Gives the only account a hash as it comes from the old service.
async fn import_hash(server: &TestServer) {
    sqlx::query("UPDATE users SET password_hash = $1")
        .bind(
            bcrypt::hash_with_salt(PASSWORD, 4, [7; 16])
                .unwrap()
                .format_for_version(bcrypt::Version::TwoB),
        )
        .execute(server.pool())
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_get_in_who_sign_in_at_once_to_an_account_whose_hash_is_renewed() {
    let [server, other] = replicas().await;
    register(&server, ADA).await;
    import_hash(&server).await;
    let logins = (0..20).map(|number| try_login([&server, &other][number % 2], ADA, PASSWORD));
    for answer in join_all(logins).await {
        assert_eq!(
            answer.status(),
            StatusCode::OK,
            "{}",
            answer.text().await.unwrap()
        );
    }
    assert_eq!(count(&server, "SELECT count(*) FROM login_failures").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hash_that_is_renewed_meanwhile_stops_nobody_who_knows_the_password() {
    let [server, _other] = replicas().await;
    for round in 0..8 {
        execute(&server, "DELETE FROM users").await;
        let ada = register(&server, ADA).await;
        import_hash(&server).await;
        let logins = join_all((0..3).map(|_| attempt(&server, HOME, ADA, PASSWORD)));
        let (method, path, body) = if round % 2 == 0 {
            let new = "violet anchors drift at noon";
            let body = json!({"currentPassword": PASSWORD, "newPassword": new});
            (Method::PUT, "/auth/change-password", body)
        } else {
            (Method::DELETE, "/auth/account", json!({"password": PASSWORD}))
        };
        let request = server.request(method, path).bearer_auth(&ada.access).json(&body);
        let (answer, _) = tokio::join!(request.send(), logins);
        let answer = answer.unwrap();
        assert_eq!(
            answer.status(),
            StatusCode::NO_CONTENT,
            "{path}: {}",
            answer.text().await.unwrap()
        );
    }
}
