//! Pages of other origins in a real browser: one that is allowed, and one that is not.

use portcullis_tests::account::Account;
use portcullis_tests::chromium::Chromium;
use portcullis_tests::scripted::ScriptedUpstream;
use portcullis_tests::world::Door;
use serde_json::{Value, json};

use super::ALLOWED;

/// Fetches, and gives what the page gets to see.
const FETCH: &str = "
    const [url, init] = given;
    try {
        const answer = await fetch(url, init);
        const header = (name) => answer.headers.get(name);
        return {
            status: answer.status, body: await answer.json(), id: header('x-request-id'),
            challenge: header('www-authenticate'), options: header('x-content-type-options'),
        };
    } catch (error) {
        return error.name;
    }";

#[tokio::test]
async fn a_page_of_an_allowed_origin_reads_answers_and_refusals_and_another_reads_nothing() {
    let door = Door::edge();
    let account = Account::register(&door).await;
    let site = ScriptedUpstream::start().await;
    let rule = format!(
        "--host-resolver-rules=MAP localhost:3000 127.0.0.1:{}",
        site.port()
    );
    let browser = Chromium::start_with(&[&rule]).await;

    let bearer = format!("Bearer {}", account.access_token());
    let with_token = json!({"headers": {"authorization": bearer}});
    let change = json!({"method": "PUT", "body": "{}", "headers": {"authorization": bearer, "content-type": "application/json"}});
    let knock = json!({"headers": {"authorization": bearer, "x-secret-knock": "1"}});
    let fetch = async |path: &str, init: &Value| {
        let url = format!("{}{path}", door.url());
        browser.run(FETCH, &[url.into(), init.clone()]).await
    };

    browser.open(&format!("{ALLOWED}/page")).await;
    let seen = fetch("/api/echo", &with_token).await;
    assert_eq!(
        (&seen["status"], &seen["body"]["path"]),
        (&json!(200), &json!("/api/echo")),
        "{seen}"
    );
    assert!(seen["id"].is_string(), "{seen}");
    assert_eq!(seen["options"], Value::Null, "what is not exposed is not shown");
    let seen = fetch("/api/echo", &change).await;
    assert_eq!(
        (&seen["status"], &seen["body"]["method"]),
        (&json!(200), &json!("PUT")),
        "{seen}"
    );
    let refused = fetch("/api/echo", &json!({})).await;
    assert_eq!(
        (
            &refused["status"],
            &refused["body"]["code"],
            &refused["challenge"]
        ),
        (&json!(401), &json!("invalid_token"), &json!("Bearer")),
        "{refused}"
    );
    assert_eq!(refused["id"], refused["body"]["requestId"]);
    assert_eq!(
        fetch("/api/echo", &knock).await,
        "TypeError",
        "a header that is not allowed"
    );

    // The same page at an address of its own is another origin, and nobody has allowed it.
    browser.open(&format!("{}/page", site.url())).await;
    for init in [&with_token, &change, &json!({})] {
        assert_eq!(fetch("/api/echo", init).await, "TypeError", "{init}");
    }
    browser.close().await;
}

#[tokio::test]
async fn a_page_of_an_allowed_origin_of_the_same_site_reads_by_cookie_and_changes_nothing() {
    let door = Door::edge();
    let account = Account::register(&door).await;
    let site = ScriptedUpstream::start().await;
    let rule = format!(
        "--host-resolver-rules=MAP localhost:3000 127.0.0.1:{}",
        site.port()
    );
    let browser = Chromium::start_with(&[&rule]).await;
    // The same host as the page's, so that cookies that are `SameSite` are sent along.
    let edge = door.url().replacen("127.0.0.1", "localhost", 1);
    let fetch = async |path: &str, init: Value| {
        let mut init = init;
        init["credentials"] = "include".into();
        browser.run(FETCH, &[format!("{edge}{path}").into(), init]).await
    };

    browser.open(&format!("{ALLOWED}/page")).await;
    let body = json!({"email": account.email, "password": account.password}).to_string();
    let headers = json!({"content-type": "application/json", "x-token-delivery": "cookie"});
    let signed_in = fetch(
        "/auth/login",
        json!({"method": "POST", "headers": headers, "body": body}),
    )
    .await;
    assert_eq!(signed_in["status"], 200, "{signed_in}");
    let me = fetch("/auth/me", json!({})).await;
    assert_eq!(me["body"]["user"]["id"], account.id(), "{me}");
    let headers = json!({"content-type": "application/json"});
    let refused = fetch(
        "/api/tickets/purchase",
        json!({"method": "POST", "headers": headers, "body": "{}"}),
    )
    .await;
    assert_eq!(
        (&refused["status"], &refused["body"]["code"]),
        (&json!(403), &json!("csrf_rejected")),
        "{refused}"
    );
    browser.close().await;
}
