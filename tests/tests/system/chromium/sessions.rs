//! Signing in, being signed in, and signing out.

use portcullis_tests::account::Account;
use portcullis_tests::chromium::{Chromium, KeptCookie};
use portcullis_tests::world::Door;
use serde_json::json;

use super::{ACCESS, REFRESH, get, open_own_page, post, seen_headers, sign_in};

#[tokio::test]
async fn a_session_in_cookies_is_used_by_the_page_and_seen_by_nobody() {
    let door = Door::edge();
    let account = Account::register(&door).await;
    let browser = Chromium::start().await;
    open_own_page(&browser, &door).await;
    get(&browser, "/api/echo").await.expect(401);

    let result = sign_in(&browser, &account).await;
    let tokens = result.json()["tokens"].clone();
    assert_eq!(
        tokens,
        json!({"expiresIn": 900, "refreshExpiresIn": 30 * 24 * 3600})
    );
    let visible = browser.run("return document.cookie", &[]).await;
    assert_eq!(visible, "", "a script of the page sees no cookie");
    let mut secrets = Vec::new();
    for name in [ACCESS, REFRESH] {
        let KeptCookie {
            value,
            http_only,
            secure,
            same_site,
        } = browser.cookie(name).await.expect(name);
        assert!(http_only && secure, "{name}");
        assert_eq!(same_site.as_deref(), Some("Lax"), "{name}");
        secrets.push(value);
    }

    let seen = get(&browser, "/api/echo").await.expect(200);
    let bought = post(&browser, "/api/tickets/purchase", &json!({"event": "x"}))
        .await
        .expect(200);
    let me = get(&browser, "/auth/me").await.expect(200);
    for answer in [&result, &seen, &bought, &me] {
        for secret in &secrets {
            assert!(
                !answer.text.contains(secret.as_str()),
                "a token in an answer: {answer:?}"
            );
        }
    }
    for request in [seen.json(), bought.json()] {
        assert_eq!(seen_headers(&request, "x-auth-subject"), [account.id()]);
        assert_eq!(
            seen_headers(&request, "cookie"),
            [""; 0],
            "the upstream sees no cookie of ours"
        );
        assert_eq!(seen_headers(&request, "authorization"), [""; 0], "nor a token");
    }
    assert_eq!(me.json()["user"]["id"], account.id());
    browser.close().await;
}

#[tokio::test]
async fn a_logout_empties_the_browser() {
    let door = Door::edge();
    let account = Account::register(&door).await;
    let browser = Chromium::start().await;
    open_own_page(&browser, &door).await;
    for access_cookie_is_gone in [false, true] {
        sign_in(&browser, &account).await;
        if access_cookie_is_gone {
            browser.expire_cookie(ACCESS).await;
        }
        let stolen = browser.cookie(REFRESH).await.expect("a refresh cookie").value;
        post(&browser, "/auth/logout", &json!({})).await.expect(204);
        for name in [ACCESS, REFRESH] {
            assert_eq!(browser.cookie(name).await, None, "{name}");
        }
        get(&browser, "/api/echo").await.expect(401);
        get(&browser, "/auth/me").await.expect(401);
        account
            .refresh(&stolen)
            .await
            .problem(401, "invalid_refresh_token");
    }
    browser.close().await;
}
