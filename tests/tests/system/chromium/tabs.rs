//! Several tabs that find their access token expired at the same moment.

use portcullis_tests::account::Account;
use portcullis_tests::chromium::Chromium;
use portcullis_tests::world::Door;
use serde_json::{Value, json};

use super::{ACCESS, REFRESH, chain_of, get, open_own_page, post, seen_headers, sign_in};

/// How many requests each tab sends at once. Each of them may be refreshed, and a session may be refreshed 30 times in a
/// minute: two tabs and three rounds stay below that.
const REQUESTS: u64 = 4;

/// Makes a tab wait for a word from another, and then ask for everything at once.
const WAIT_AND_RACE: &str = "
    const [requests] = given;
    window.raced = new Promise((resolve) => {
        const channel = new BroadcastChannel('race');
        channel.onmessage = async () => {
            channel.close();
            const started = performance.timeOrigin + performance.now();
            const fetches = Array.from({length: requests}, async (_, number) => {
                const answer = await fetch('/api/echo?request=' + number);
                return {status: answer.status, seen: await answer.json()};
            });
            resolve({started, answers: await Promise.all(fetches)});
        };
    });";

const START: &str = "
    const channel = new BroadcastChannel('race');
    channel.postMessage('go');
    channel.close();";

/// What came of it, which the tab also shows, for its picture.
const RESULT: &str = "
    const [name] = given;
    const raced = await window.raced;
    const lines = raced.answers.map(({status, seen}) => `${status} ${seen.method} ${seen.path}?${seen.query ?? ''}`);
    document.body.innerText = [`${name} tab, ${new Date(raced.started).toISOString()}`,
        ...lines].join('\\n');
    return raced;";

#[tokio::test]
async fn two_tabs_that_race_over_an_expired_access_token_stay_in_one_session() {
    let door = Door::edge();
    let account = Account::register(&door).await;
    let browser = Chromium::start().await;
    open_own_page(&browser, &door).await;
    let first = browser.tab().await;
    let session = sign_in(&browser, &account).await.json()["session"]["id"].clone();
    let (family, generation) = chain_of(&browser.cookie(REFRESH).await.expect("a refresh cookie").value);
    assert_eq!(generation, 0);
    let second = browser.open_tab().await;
    open_own_page(&browser, &door).await;

    for (round, end_of_life) in (1..=3).zip(["the first", "the second", "the third"]) {
        for tab in [&first, &second] {
            browser.choose(tab).await;
            browser.run(WAIT_AND_RACE, &[REQUESTS.into()]).await;
        }
        browser.expire_cookie(ACCESS).await;
        browser.run(START, &[]).await;
        // A channel does not carry to who has sent, and the one that was closed was another: both tabs heard it.
        for (tab, name) in [(&first, "first"), (&second, "second")] {
            browser.choose(tab).await;
            let raced = browser.run(RESULT, &[name.into()]).await;
            browser.screenshot(&format!("race-{round}-{name}-tab")).await;
            assert_all_answered(&raced, &session);
        }
        let refresh = browser.cookie(REFRESH).await.expect("a refresh cookie").value;
        assert_eq!(
            chain_of(&refresh),
            (family.clone(), round),
            "{end_of_life} access token: one chain, one step"
        );
        assert!(browser.cookie(ACCESS).await.is_some());
    }
    for tab in [&first, &second] {
        browser.choose(tab).await;
        get(&browser, "/auth/me").await.expect(200);
    }
    post(&browser, "/auth/refresh", &json!({})).await.expect(200);
    browser.close().await;
}

#[track_caller]
fn assert_all_answered(raced: &Value, session: &Value) {
    let answers = raced["answers"].as_array().unwrap_or_else(|| panic!("{raced}"));
    assert_eq!(answers.len() as u64, REQUESTS);
    for answer in answers {
        assert_eq!(answer["status"], 200, "{answer}");
        assert_eq!(
            seen_headers(&answer["seen"], "x-auth-session"),
            [session.as_str().unwrap()]
        );
        assert_eq!(seen_headers(&answer["seen"], "cookie"), [""; 0]);
    }
}
