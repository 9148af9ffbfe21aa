//! Devices that an account knows, through the edge.

use std::time::Duration;

use http::Method;
use portcullis_tests::account::{Account, fresh_email, fresh_password, registration};
use portcullis_tests::client::Call;
use portcullis_tests::eventually;
use portcullis_tests::world::Door;
use serde_json::json;

use super::cookies::cookie_of;
use super::log_secrets::logs;
use super::mail::{mail_to, mails_to};

const DEVICE: &str = "__Host-pc_device";
const SUBJECT: &str = "A new sign-in to ";

fn login(account: &Account) -> Call {
    let body = json!({"email": account.email, "password": account.password});
    account.client.post("/auth/login").json(&body)
}

fn letters(account: &Account) -> usize {
    let mails = mails_to(&account.email);
    mails.iter().filter(|mail| mail.contains(SUBJECT)).count()
}

#[tokio::test]
async fn a_browser_is_known_again_by_its_cookie_and_another_one_is_told_of() {
    let (email, password) = (fresh_email(), fresh_password());
    let client = Door::edge().client();
    let in_browser = |call: Call| {
        call.header("x-token-delivery", "cookie")
            .header("sec-fetch-site", "same-origin")
    };
    let register = in_browser(client.post("/auth/register")).json(&registration(&email, &password));
    let answer = register.send().await.expect(201);
    let device = cookie_of(&answer, DEVICE).expect("a device cookie");
    assert!(answer.json()["deviceToken"].is_null());
    let account = Account {
        result: answer.json(),
        client,
        email,
        password,
    };
    let cookie = format!("{DEVICE}={device}");
    let again = in_browser(login(&account)).header("cookie", &cookie);
    let again = again.send().await.expect(200);
    assert_eq!(cookie_of(&again, DEVICE), Some(device));

    let new = login(&account).send().await.expect(200);
    assert_eq!(cookie_of(&new, DEVICE), None);
    let token = new.json()["deviceToken"].as_str().unwrap().to_owned();
    mail_to(&account.email, SUBJECT).await;
    let known = login(&account).header("x-device-token", &token);
    assert_eq!(
        known.send().await.expect(200).json()["deviceToken"],
        token.as_str()
    );
    // A letter of the third sign-in would be there by the time that of a fourth is.
    login(&account).send().await.expect(200);
    eventually(
        "the fourth sign-in is told of",
        Duration::from_secs(15),
        async || (letters(&account) >= 2).then_some(()),
    )
    .await;
    assert_eq!(letters(&account), 2);
    assert!(!logs().contains(&token), "a device token is logged");
}

#[tokio::test]
async fn what_a_device_is_known_by_reaches_the_origin_and_no_application() {
    let account = Account::register(&Door::edge()).await;
    let token = account.result["deviceToken"].as_str().unwrap();
    for path in ["/api/echo", "/api/public/x"] {
        for name in ["x-device-token", "X-Device-Token", "x_device_token"] {
            let call = account.client.get(path).bearer(account.access_token());
            let call = call
                .header(name, token)
                .header("cookie", &format!("a=1; {DEVICE}={token}; b=2"));
            let answer = call.send().await.expect(200);
            let text = String::from_utf8(answer.body.to_vec()).unwrap();
            assert!(!text.contains(token) && !text.contains(DEVICE), "{text}");
            assert!(text.contains("a=1; b=2"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_device_that_is_presented_in_two_ways_is_ambiguous_through_the_edge_too() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let token = account.result["deviceToken"].as_str().unwrap();
        let other = format!("{DEVICE}={}", "B".repeat(43));
        let twice = login(&account)
            .header("x-device-token", token)
            .header("cookie", &other);
        twice.send().await.problem(400, "ambiguous_credentials");
        let cookies = format!("{DEVICE}={token}; {other}");
        let twice = login(&account).header("cookie", &cookies);
        twice.send().await.problem(400, "ambiguous_credentials");
    }
}

#[tokio::test]
async fn a_device_that_is_forgotten_is_signed_out_at_the_edge() {
    let account = Account::register(&Door::edge()).await;
    let lost = account.login().await.expect(200).json();
    let lost = lost["tokens"]["accessToken"].as_str().unwrap();
    let devices = async |token: &str| {
        let call = account.client.get("/auth/devices").bearer(token);
        call.send().await.expect(200).json()["devices"].clone()
    };
    let known = devices(lost).await;
    let current = known
        .as_array()
        .unwrap()
        .iter()
        .find(|device| device["current"] == true);
    let path = format!("/auth/devices/{}", current.unwrap()["id"].as_str().unwrap());
    let forget = || {
        let call = account.client.call(Method::DELETE, &path);
        call.bearer(account.access_token()).send()
    };
    forget().await.expect(204);
    forget().await.problem(404, "not_found");
    eventually("the edge refuses its token", Duration::from_secs(6), async || {
        let answer = account.client.get("/api/echo").bearer(lost).send().await;
        (answer.status == 401).then_some(())
    })
    .await;
    assert_eq!(devices(account.access_token()).await.as_array().unwrap().len(), 1);
}
