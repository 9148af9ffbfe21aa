//! Which sign-ins make a device known, and which are told of.

use futures_util::future::join_all;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;
use serde_json::json;

use super::{
    ADA, CHROME, EVE, FIREFOX, NEWER_FIREFOX, devices, letters, list, login_on, own_device, person,
    registered, server, signing_in, token,
};
use crate::fixtures::{assert_refused, count, execute, login, register_at, try_login};
use crate::recovery::{mails, only};

#[tokio::test]
async fn the_device_that_somebody_registers_with_is_known_and_nobody_is_told() {
    let (server, _folder) = server().await;
    let (ada, _) = registered(&server, ADA).await;
    assert_eq!(letters(&server).await, 0);
    assert_eq!(list(&server, &ada).await.len(), 1);
}

#[tokio::test]
async fn a_device_that_signs_in_again_is_the_same_one_and_nobody_is_told() {
    let (server, _folder) = server().await;
    let (ada, known) = registered(&server, ADA).await;
    let device = own_device(&server, &ada).await;
    server.clock.advance(TimeDelta::days(1));
    let again = login_on(&server, ADA, Some(&known)).await;
    assert_eq!(token(&again), known);
    assert_eq!(own_device(&server, &again).await, device);
    assert_eq!(letters(&server).await, 0);
    assert_eq!(devices(&server).await, 1);
}

#[tokio::test]
async fn a_new_device_is_told_of_once_and_known_from_then_on() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    let new = login(&server, ADA).await;
    assert_ne!(token(&new), known);
    assert_eq!(letters(&server).await, 1);
    login_on(&server, ADA, Some(&token(&new))).await;
    assert_eq!(letters(&server).await, 1);
    assert_eq!(devices(&server).await, 2);
}

#[tokio::test]
async fn the_letter_says_when_from_where_and_on_what_and_what_to_do() {
    let (server, folder) = server().await;
    registered(&server, ADA).await;
    mails(&server, &folder).await;
    let request = signing_in(&server, ADA).header("user-agent", FIREFOX);
    let body = person(request.send().await.unwrap()).await.body;
    let mails = mails(&server, &folder).await;
    let mail = only(&mails, "A new sign-in to Default");
    assert_eq!(mail.to, ADA);
    for said in ["UTC", "127.0.0.1", "Firefox on Linux", "If it was not", "new one"] {
        assert!(mail.text.contains(said), "{said}: {}", mail.text);
        assert!(mail.html.contains(said), "{said}: {}", mail.html);
    }
    let secret = body["deviceToken"].as_str().unwrap();
    assert!(!mail.text.contains(secret) && !mail.html.contains(secret));
}

#[tokio::test]
async fn a_sign_in_that_is_refused_makes_nothing_known() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    let answer = try_login(&server, ADA, "not this one at all").await;
    let body = assert_refused(answer, 401, "invalid_credentials").await;
    assert_eq!(body.get("deviceToken"), None);
    server.clock.advance(TimeDelta::hours(1));
    let request = server.post("/auth/login").header("x-device-token", &known);
    let wrong = json!({"email": ADA, "password": "not this one at all"});
    assert_refused(
        request.json(&wrong).send().await.unwrap(),
        401,
        "invalid_credentials",
    )
    .await;
    assert_eq!(devices(&server).await, 1);
    let seen = "SELECT count(*) FROM devices WHERE last_seen_at > first_seen_at";
    assert_eq!(count(&server, seen).await, 0);
    assert_eq!(letters(&server).await, 0);
}

#[tokio::test]
async fn a_token_that_somebody_has_made_up_is_not_known_and_not_kept() {
    let (server, _folder) = server().await;
    registered(&server, ADA).await;
    let made_up = "A".repeat(43);
    let ada = login_on(&server, ADA, Some(&made_up)).await;
    assert_ne!(token(&ada), made_up);
    assert_eq!(letters(&server).await, 1);
    login_on(&server, ADA, Some(&made_up)).await;
    assert_eq!(letters(&server).await, 2);
}

#[tokio::test]
async fn a_token_that_was_stolen_by_another_kind_of_program_is_not_known() {
    let (server, _folder) = server().await;
    registered(&server, ADA).await;
    let on = |user_agent: &str, known: Option<&str>| {
        let request = signing_in(&server, ADA).header("user-agent", user_agent);
        known
            .into_iter()
            .fold(request, |request, known| request.header("x-device-token", known))
    };
    let ada = person(on(FIREFOX, None).send().await.unwrap()).await;
    let known = token(&ada);
    assert_eq!(letters(&server).await, 1);
    let thief = person(on(CHROME, Some(&known)).send().await.unwrap()).await;
    assert_ne!(token(&thief), known);
    assert_eq!(letters(&server).await, 2);
    // An update does not make another browser of it.
    let updated = person(on(NEWER_FIREFOX, Some(&known)).send().await.unwrap()).await;
    assert_eq!(token(&updated), known);
    assert_eq!(letters(&server).await, 2);
}

#[tokio::test]
async fn what_one_account_knows_is_nothing_to_another() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    registered(&server, EVE).await;
    let eve = login_on(&server, EVE, Some(&known)).await;
    assert_eq!(letters(&server).await, 1);
    assert_eq!(list(&server, &eve).await.len(), 2);
    assert_ne!(
        token(&eve),
        known,
        "no account learns a token that came from outside"
    );
}

#[tokio::test]
async fn two_accounts_of_one_browser_are_both_known_by_what_it_was_given_last() {
    let (server, _folder) = server().await;
    let (ada, first) = registered(&server, ADA).await;
    registered(&server, EVE).await;
    let eve = login_on(&server, EVE, Some(&first)).await;
    let shared = token(&eve);
    let again = login_on(&server, ADA, Some(&shared)).await;
    assert_eq!(own_device(&server, &again).await, own_device(&server, &ada).await);
    login_on(&server, EVE, Some(&shared)).await;
    assert_eq!(letters(&server).await, 1, "that of Eve's first sign-in");
    // Whoever has kept the old token has nothing.
    login_on(&server, ADA, Some(&first)).await;
    assert_eq!(letters(&server).await, 2);
}

#[tokio::test]
async fn who_registers_in_a_browser_of_another_account_gets_a_token_of_their_own_making() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    let request = server
        .post("/auth/register")
        .header("x-device-token", &known)
        .json(&crate::fixtures::registration(EVE));
    let body = crate::fixtures::body_of(request.send().await.unwrap(), StatusCode::CREATED).await;
    let shared = body["deviceToken"].as_str().unwrap();
    assert_ne!(shared, known);
    login_on(&server, ADA, Some(shared)).await;
    assert_eq!(letters(&server).await, 0);
}

#[tokio::test]
async fn tenants_know_nothing_of_each_others_devices() {
    let (server, _folder) = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES ('00000000-0000-0000-0000-00000000000b', 'other', 'Other', now())",
    )
    .await;
    let (_, known) = registered(&server, ADA).await;
    register_at(&server, Some("other"), ADA).await;
    let request = signing_in(&server, ADA)
        .header("x-tenant", "other")
        .header("x-device-token", &known);
    person(request.send().await.unwrap()).await;
    assert_eq!(letters(&server).await, 1);
    // And what it is given there changes nothing here.
    login_on(&server, ADA, Some(&known)).await;
    assert_eq!(letters(&server).await, 1);
}

#[tokio::test]
async fn sign_ins_at_once_from_a_known_device_leave_it_one_device() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    let all = join_all((0..100).map(|_| login_on(&server, ADA, Some(&known)))).await;
    assert!(all.iter().all(|one| token(one) == known));
    assert_eq!(devices(&server).await, 1);
    assert_eq!(letters(&server).await, 0);
}

#[tokio::test]
async fn sign_ins_at_once_that_present_nothing_are_each_a_device_up_to_the_limit() {
    let (server, _folder) = server().await;
    registered(&server, ADA).await;
    let all = join_all((0..60).map(|_| login(&server, ADA))).await;
    assert_eq!(letters(&server).await, 60);
    assert_eq!(devices(&server).await, 50);
    let last = list(&server, &all[0]).await;
    assert_eq!(last.len(), 50);
}

#[tokio::test]
async fn accounts_that_share_a_browser_and_sign_in_at_once_do_not_stop_each_other() {
    let (server, _folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    let people: Vec<String> = (0..8).map(|n| format!("person{n}@example.com")).collect();
    for email in &people {
        registered(&server, email).await;
    }
    for _ in 0..3 {
        let everybody = people.iter().map(String::as_str).chain([ADA]);
        join_all(everybody.map(|email| login_on(&server, email, Some(&known)))).await;
    }
}

#[tokio::test]
async fn the_log_says_of_each_sign_in_which_device_it_was_on_and_how_well_that_was_known() {
    let (server, _folder) = server().await;
    let (ada, known) = registered(&server, ADA).await;
    let device = own_device(&server, &ada).await;
    login_on(&server, ADA, Some(&known)).await;
    let details: Vec<serde_json::Value> =
        sqlx::query_scalar("SELECT detail FROM audit_events WHERE type = 'logged_in' ORDER BY seq")
            .fetch_all(server.pool())
            .await
            .unwrap();
    assert_eq!(
        details,
        [
            json!({"device": device, "trust": 0}),
            json!({"device": device, "trust": 80})
        ]
    );
}
