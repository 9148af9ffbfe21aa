//! `DELETE /auth/devices/{id}`, and what else makes an account forget.

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{ADA, EVE, devices, forget, letters, list, login_on, own_device, registered, server, token};
use crate::feed_reader;
use crate::fixtures::{PASSWORD, assert_refused, audit_trail, execute, login, me, register_at, try_refresh};
use crate::recovery::{CHOOSE, mails, only, post};

const NEW: &str = "violet anchors drift at noon";

#[tokio::test]
async fn a_device_that_was_forgotten_is_new_again_and_signed_out() {
    let (server, _folder) = server().await;
    let (ada, _) = registered(&server, ADA).await;
    let lost = login(&server, ADA).await;
    let device = own_device(&server, &lost).await;
    let answer = forget(&server, &ada, &device).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert!(answer.bytes().await.unwrap().is_empty());
    assert_eq!(list(&server, &ada).await.len(), 1);
    assert_refused(me(&server, &lost.access).await, 401, "invalid_token").await;
    assert_refused(
        try_refresh(&server, &lost.refresh).await,
        401,
        "invalid_refresh_token",
    )
    .await;
    let trail = audit_trail(&server).await;
    assert_eq!(trail[trail.len() - 2..], ["device_forgotten", "sessions_revoked"]);

    let before = letters(&server).await;
    let again = login_on(&server, ADA, Some(&token(&lost))).await;
    assert_eq!(letters(&server).await, before + 1);
    assert_ne!(token(&again), token(&lost));
}

#[tokio::test]
async fn the_edge_is_told_of_the_sessions_that_end_with_a_device() {
    let server = feed_reader::server().await;
    let (ada, known) = registered(&server, ADA).await;
    let [one, other] = [
        login(&server, ADA).await,
        login_on(&server, ADA, Some(&known)).await,
    ];
    let device = own_device(&server, &ada).await;
    forget(&server, &one, &device).await;
    let feed = feed_reader::read(&server, None).await;
    let mut ended = feed.sessions;
    ended.sort();
    let mut expected = [&ada, &other].map(|person| feed_reader::uuid(&person.session_id));
    expected.sort();
    assert_eq!(ended, expected);
    assert_eq!(me(&server, &one.access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn who_forgets_the_device_in_their_hands_stays_signed_in_by_this_session_alone() {
    let (server, _folder) = server().await;
    let (ada, known) = registered(&server, ADA).await;
    let other = login_on(&server, ADA, Some(&known)).await;
    let device = own_device(&server, &ada).await;
    assert_eq!(
        forget(&server, &ada, &device).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(me(&server, &ada.access).await.status(), StatusCode::OK);
    assert_refused(me(&server, &other.access).await, 401, "invalid_token").await;
    assert!(list(&server, &ada).await.is_empty());
    login_on(&server, ADA, Some(&known)).await;
    assert_eq!(letters(&server).await, 1);
}

#[tokio::test]
async fn nobody_forgets_the_device_of_another_or_one_that_is_not_there() {
    let (server, _folder) = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES ('00000000-0000-0000-0000-00000000000b', 'other', 'Other', now())",
    )
    .await;
    let (ada, _) = registered(&server, ADA).await;
    let (eve, _) = registered(&server, EVE).await;
    let there = register_at(&server, Some("other"), ADA).await;
    let device = own_device(&server, &ada).await;
    let unknown = "01890000-0000-7000-8000-000000000004";
    for (person, id) in [
        (&eve, &*device),
        (&there, &device),
        (&ada, unknown),
        (&ada, "not-an-id"),
    ] {
        assert_refused(forget(&server, person, id).await, 404, "not_found").await;
    }
    assert_eq!(devices(&server).await, 3);
    assert_eq!(me(&server, &ada.access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn of_all_who_forget_one_device_at_once_one_does() {
    let (server, _folder) = server().await;
    let (ada, _) = registered(&server, ADA).await;
    let lost = login(&server, ADA).await;
    let device = own_device(&server, &lost).await;
    let answers = join_all((0..20).map(|_| forget(&server, &ada, &device))).await;
    let done = answers
        .iter()
        .filter(|answer| answer.status() == StatusCode::NO_CONTENT);
    assert_eq!(done.count(), 1);
    let missed = answers
        .iter()
        .filter(|answer| answer.status() == StatusCode::NOT_FOUND);
    assert_eq!(missed.count(), 19);
    let trail = audit_trail(&server).await;
    assert_eq!(trail.iter().filter(|kind| *kind == "device_forgotten").count(), 1);
}

#[tokio::test]
async fn sign_ins_on_a_device_that_is_forgotten_meanwhile_are_on_one_that_is_known() {
    let (server, _folder) = server().await;
    let (ada, known) = registered(&server, ADA).await;
    let other = login(&server, ADA).await;
    let device = own_device(&server, &ada).await;
    let logins = join_all((0..10).map(|_| login_on(&server, ADA, Some(&known))));
    let (_, people) = futures_util::join!(forget(&server, &other, &device), logins);
    for person in people {
        if me(&server, &person.access).await.status() == StatusCode::OK {
            own_device(&server, &person).await;
        }
    }
}

#[tokio::test]
async fn a_changed_password_leaves_the_device_that_changed_it_and_no_other() {
    let (server, _folder) = server().await;
    let (ada, kept) = registered(&server, ADA).await;
    let lost = token(&login(&server, ADA).await);
    let change = server
        .request(Method::PUT, "/auth/change-password")
        .bearer_auth(&ada.access)
        .json(&json!({"currentPassword": PASSWORD, "newPassword": NEW}));
    assert_eq!(change.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    assert!(
        audit_trail(&server)
            .await
            .contains(&"devices_forgotten".to_owned())
    );
    let before = letters(&server).await;
    for (presented, letters_more) in [(kept, 0), (lost, 1)] {
        let request = server
            .post("/auth/login")
            .header("x-device-token", presented)
            .json(&json!({"email": ADA, "password": NEW}));
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(letters(&server).await, before + letters_more);
    }
}

#[tokio::test]
async fn a_password_that_was_forgotten_takes_all_devices_along() {
    let (server, folder) = server().await;
    let (_, known) = registered(&server, ADA).await;
    login(&server, ADA).await;
    let (eve, _) = registered(&server, EVE).await;
    post(&server, "/auth/forgot-password", &json!({"email": ADA})).await;
    let mails = mails(&server, &folder).await;
    let reset = json!({"token": only(&mails, CHOOSE).token(), "newPassword": NEW});
    let answer = post(&server, "/auth/reset-password", &reset).await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(devices(&server).await, 1, "that of another account");
    assert_eq!(list(&server, &eve).await.len(), 1);
    let request = server
        .post("/auth/login")
        .header("x-device-token", known)
        .json(&json!({"email": ADA, "password": NEW}));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(letters(&server).await, 1);
}
