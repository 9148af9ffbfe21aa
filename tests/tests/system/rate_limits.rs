//! 429: who has asked too often is told when to come back, and nobody else notices.

use futures_util::future::join_all;
use portcullis_tests::account::{Account, fresh_email, fresh_password, registration};
use portcullis_tests::answer::Answer;
use portcullis_tests::world::Door;

#[track_caller]
fn assert_limited(answer: &Answer) {
    answer.problem(429, "rate_limited");
    for name in ["ratelimit-policy", "ratelimit"] {
        let value = answer
            .header(name)
            .unwrap_or_else(|| panic!("no {name}: {answer:?}"));
        assert!(
            value.starts_with('"'),
            "the name of a limit is a quoted string: {value}"
        );
    }
}

#[tokio::test]
async fn the_fourth_registration_of_a_client_within_minutes_is_limited() {
    for door in Door::both() {
        let client = door.client();
        let register = async || {
            client
                .post("/auth/register")
                .json(&registration(&fresh_email(), &fresh_password()))
                .send()
                .await
        };
        for _ in 0..3 {
            let answer = register().await.expect(201);
            assert!(answer.header("ratelimit-policy").is_some(), "{answer:?}");
        }
        let limited = register().await;
        assert_limited(&limited);
        assert!(limited.retry_after() <= 3600, "{limited:?}");
        // Another client is not.
        Account::register(&door).await;
    }
}

#[tokio::test]
async fn logins_of_one_client_to_one_account_are_limited_and_good_ones_count() {
    let account = Account::register(&Door::edge()).await;
    let answers = join_all((0..18).map(|_| account.login())).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    let limited: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(
        good >= 10 && good + limited.len() == answers.len(),
        "{good} of {}",
        answers.len()
    );
    assert_limited(limited.first().expect("the eleventh at once is limited"));
    // From elsewhere the account can still be used.
    let elsewhere = Account {
        client: Door::edge().client(),
        ..account
    };
    elsewhere.login().await.expect(200);
}

#[tokio::test]
async fn refreshes_of_one_session_are_limited() {
    let account = Account::register(&Door::origin()).await;
    let answers = join_all((0..60).map(|_| account.refresh(account.refresh_token()))).await;
    let good = answers.iter().filter(|answer| answer.status == 200).count();
    let limited: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(
        good >= 30 && good + limited.len() == answers.len(),
        "{good} of {}",
        answers.len()
    );
    assert_limited(limited.first().expect("the 31st at once is limited"));
}
