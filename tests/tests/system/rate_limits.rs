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

#[tokio::test]
async fn a_page_that_asks_for_more_than_thirty_things_as_its_access_token_ends_is_served() {
    let account = Account::register(&Door::edge()).await;
    let cookie = format!("__Host-pc_refresh={}", account.refresh_token());
    let page = (0..45).map(|_| account.client.get("/api/echo").header("cookie", &cookie).send());
    let answers = join_all(page).await;
    let mut set: Vec<_> = answers
        .iter()
        .map(|answer| {
            assert_eq!(answer.status, 200, "{answer:?}");
            let lines = answer.headers.get_all("set-cookie").iter();
            let lines: Vec<_> = lines.map(|line| line.to_str().unwrap().to_owned()).collect();
            assert_eq!(lines.len(), 2, "{answer:?}");
            lines
        })
        .collect();
    set.dedup();
    assert_eq!(set.len(), 1, "all have the same session");
    // The origin saw one refresh, and the next token is as good as any.
    let next = set[0]
        .iter()
        .find_map(|line| line.strip_prefix("__Host-pc_refresh="));
    let next = next.and_then(|line| line.split(';').next()).unwrap();
    account.refresh(next).await.expect(200);
}
