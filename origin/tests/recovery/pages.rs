//! What a person sees who opens a link.

use reqwest::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};

use super::*;
use crate::fixtures::{assert_refused, count, register};
use crate::mail::server_with_folder;

async fn open(server: &TestServer, token: &str) -> Response {
    server
        .get(&format!("/auth/verify-email?token={token}"))
        .send()
        .await
        .unwrap()
}

async fn press(server: &TestServer, token: &str) -> Response {
    let request = server
        .post("/auth/verify-email")
        .header("sec-fetch-site", "same-origin");
    request.form(&[("token", token)]).send().await.unwrap()
}

async fn page(answer: Response, status: u16) -> String {
    assert_eq!(answer.status().as_u16(), status);
    assert_eq!(answer.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
    assert_eq!(answer.headers()[CACHE_CONTROL], "no-store");
    assert_eq!(answer.headers()[REFERRER_POLICY], "no-referrer");
    let policy = answer.headers()[CONTENT_SECURITY_POLICY]
        .to_str()
        .unwrap()
        .to_owned();
    let text = answer.text().await.unwrap();
    let nonce = text
        .split_once("<style nonce=\"")
        .unwrap()
        .1
        .split_once('"')
        .unwrap()
        .0;
    // The template writes base64 with its signs escaped.
    let nonce = nonce
        .replace("&#43;", "+")
        .replace("&#61;", "=")
        .replace("&#47;", "/");
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    );
    text
}

#[tokio::test]
async fn opening_a_link_changes_nothing_however_often_and_the_button_does() {
    let (server, folder) = server_with_folder().await;
    register(&server, "ada@example.com").await;
    let token = only(&mails(&server, &folder).await, CONFIRM).token();
    for _ in 0..3 {
        let text = page(open(&server, &token).await, 200).await;
        assert!(text.contains(&format!("name=\"token\" value=\"{token}\"")));
        assert!(text.contains("method=\"post\" action=\"/auth/verify-email\""));
        assert!(
            !text.contains("<script") && !text.contains("http"),
            "nothing is fetched"
        );
    }
    assert_eq!(
        count(&server, "SELECT count(*) FROM users WHERE email_verified").await,
        0
    );
    let text = page(press(&server, &token).await, 200).await;
    assert!(text.contains("Your address is confirmed"));
    assert_eq!(
        count(&server, "SELECT count(*) FROM users WHERE email_verified").await,
        1
    );
    let text = page(press(&server, &token).await, 400).await;
    assert!(text.contains("This link is not good") && !text.contains("<form"));
}

#[tokio::test]
async fn what_no_link_has_is_not_repeated_on_the_page() {
    let (server, _folder) = server_with_folder().await;
    for token in ["", "%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E", "a%00b", "%ff"] {
        let text = page(open(&server, token).await, 400).await;
        assert!(!text.contains("script") && !text.contains("<form"), "{token}");
    }
    let answer = server.get("/auth/verify-email").send().await.unwrap();
    page(answer, 400).await;
    assert_refused(open(&server, "a&token=b").await, 400, "malformed_request").await;
}

#[tokio::test]
async fn a_form_that_is_none_is_refused() {
    let (server, _folder) = server_with_folder().await;
    page(press(&server, "").await, 400).await;
    let twice = server
        .post("/auth/verify-email")
        .form(&[("token", "a"), ("token", "b")]);
    assert_refused(twice.send().await.unwrap(), 400, "malformed_request").await;
    let text = server
        .post("/auth/verify-email")
        .header("content-type", "text/plain")
        .body("token=a");
    assert_refused(text.send().await.unwrap(), 415, "unsupported_media_type").await;
}

#[tokio::test]
async fn another_site_cannot_press_the_button_with_a_visitors_cookies() {
    let (server, _folder) = server_with_folder().await;
    let request = server
        .post("/auth/verify-email")
        .header("cookie", "__Host-pc_access=x.y.z")
        .header("sec-fetch-site", "cross-site");
    let answer = request.form(&[("token", "A".repeat(43))]).send().await.unwrap();
    assert_refused(answer, 403, "csrf_rejected").await;
}
