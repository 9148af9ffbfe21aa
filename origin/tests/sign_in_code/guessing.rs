//! How often a code may be guessed.

use portcullis_origin::kernel::time::TimeDelta;

use super::*;
use crate::fixtures::audit_trail;
use crate::recovery::{CHOOSE, post};

#[tokio::test]
async fn the_fifth_wrong_code_ends_the_sign_in() {
    let (server, folder, _) = server_with_ada().await;
    let token = challenged(&server).await;
    let code = code(&server, &folder).await;
    for _ in 0..5 {
        assert_wrong(&server, &token, &wrong(&code)).await;
    }
    assert_over(&server, &token, &code).await;
    assert_eq!(sessions(&server).await, 1);
    assert_eq!(
        audit_trail(&server).await[2..],
        ["login_challenged"; 1]
            .into_iter()
            .chain(["login_failed"; 5])
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn four_wrong_codes_are_forgiven() {
    let (server, folder, _) = server_with_ada().await;
    for _ in 0..3 {
        let token = challenged(&server).await;
        let code = code(&server, &folder).await;
        for _ in 0..4 {
            assert_wrong(&server, &token, &wrong(&code)).await;
        }
        body_of(answer(&server, &token, &code).await, StatusCode::OK).await;
    }
}

/// Uses ten codes up, for two sign-ins, and gives another one that waits, and its code.
async fn locked(server: &TestServer, folder: &Folder) -> (String, String) {
    let waiting = challenged(server).await;
    let code = code(server, folder).await;
    for _ in 0..2 {
        let token = challenged(server).await;
        for _ in 0..5 {
            assert_wrong(server, &token, "none").await;
        }
    }
    (waiting, code)
}

#[tokio::test]
async fn ten_wrong_codes_lock_all_sign_ins_of_the_account_and_its_holder_is_told() {
    let (server, folder, ada) = server_with_ada().await;
    let (waiting, code) = locked(&server, &folder).await;
    let refused = answer(&server, &waiting, &code).await;
    assert_eq!(refused.headers()["retry-after"], "900");
    assert_refused(refused, 429, "account_locked").await;
    assert_refused(try_login(&server, ADA, PASSWORD).await, 429, "account_locked").await;
    let arrived = mails(&server, &folder).await;
    let mail = only(&arrived, "Too many wrong codes for Default");
    assert!(mail.text.contains("knows your password"), "{}", mail.text);
    let of = "SELECT count(*) FROM audit_events WHERE type = 'sign_in_locked' AND detail ->> 'of' = 'factor'";
    assert_eq!(count(&server, of).await, 1);

    // A device that the account knows is not concerned.
    let body = json!({"email": ADA, "password": PASSWORD});
    let known = text(&ada.body, "/deviceToken");
    let request = server
        .post("/auth/login")
        .header("x-device-token", known)
        .json(&body);
    body_of(request.send().await.unwrap(), StatusCode::OK).await;

    server.clock.advance(TimeDelta::minutes(15));
    challenged(&server).await;
}

#[tokio::test]
async fn a_new_password_does_not_give_back_what_was_guessed_away() {
    let (server, folder, _) = server_with_ada().await;
    locked(&server, &folder).await;
    mails(&server, &folder).await;
    post(&server, "/auth/forgot-password", &json!({"email": ADA})).await;
    let token = only(&mails(&server, &folder).await, CHOOSE).token();
    let new = json!({"token": token, "newPassword": "another battery, staple and horse"});
    let reset = post(&server, "/auth/reset-password", &new).await;
    assert_eq!(reset.status(), StatusCode::NO_CONTENT);
    let refused = try_login(&server, ADA, "another battery, staple and horse").await;
    assert_refused(refused, 429, "account_locked").await;
}

#[tokio::test]
async fn a_code_is_good_for_its_own_sign_in_alone() {
    let (server, folder, _) = server_with_ada().await;
    let first = challenged(&server).await;
    let code_of_first = code(&server, &folder).await;
    let second = challenged(&server).await;
    assert_wrong(&server, &second, &code_of_first).await;
    body_of(answer(&server, &first, &code_of_first).await, StatusCode::OK).await;
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_the_answer_is_the_same() {
    let (server, folder, _) = server_with_ada().await;
    let token = challenged(&server).await;
    let code = code(&server, &folder).await;
    let long = "A".repeat(10_000);
    for bad in [
        "",
        "x",
        &token[1..],
        &token.to_lowercase(),
        &format!("{token}A"),
        &long,
    ] {
        assert_over(&server, bad, &code).await;
    }
    body_of(answer(&server, &token, &code).await, StatusCode::OK).await;
}
