//! For when the app is lost.

use super::*;
use crate::fixtures::server;

async fn sign_in_by(server: &TestServer, code: &str) -> Response {
    let token = challenged(server).await;
    answer(server, &token, "backup_code", code).await
}

#[tokio::test]
async fn each_of_them_stands_in_for_the_app_once() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    for code in &ada.backup_codes {
        let person = Person::of(body_of(sign_in_by(&server, code).await, StatusCode::OK).await);
        assert_eq!(claims(&server, &person.access).await["acr"], "aal2");
        assert_refused(sign_in_by(&server, code).await, 401, "invalid_code").await;
    }
    assert_eq!(count(&server, "SELECT count(*) FROM backup_codes").await, 0);
    login_with(&server, &ada.app).await;
}

#[tokio::test]
async fn it_is_taken_however_it_is_typed() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    for (code, written) in ada.backup_codes.iter().zip([
        |code: &str| code.to_lowercase(),
        |code: &str| code.replace('-', " "),
        |code: &str| code.replace('-', "").replace('0', "o").replace('1', "l"),
    ]) {
        assert_eq!(sign_in_by(&server, &written(code)).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn who_has_three_left_is_told() {
    let (server, folder, ada) = server_with_ada().await;
    for (used, code) in ada.backup_codes.iter().enumerate() {
        body_of(sign_in_by(&server, code).await, StatusCode::OK).await;
        let left = 9 - used;
        let arrived = mails(&server, &folder).await;
        assert_eq!(arrived.len(), usize::from(left <= 3), "{left} left");
        for mail in arrived {
            assert_eq!(mail.subject, "Few backup codes are left for Default");
            let words = match left {
                0 => "No backup code is left".to_owned(),
                1 => "1 backup code is left".to_owned(),
                _ => format!("{left} backup codes are left"),
            };
            assert!(mail.text.contains(&words), "{}", mail.text);
        }
    }
}

#[tokio::test]
async fn new_ones_take_the_place_of_the_old_after_a_fresh_proof_of_both_factors() {
    let (server, folder, ada) = server_with_ada().await;
    assert_refused(
        new_backup_codes(&server, &ada.person.access).await,
        401,
        "step_up_required",
    )
    .await;
    let fresh = login_with(&server, &ada.app).await;
    let body = body_of(new_backup_codes(&server, &fresh.access).await, StatusCode::OK).await;
    let new = body["backupCodes"].as_array().unwrap();
    assert_eq!(new.len(), 10);
    assert_refused(
        sign_in_by(&server, &ada.backup_codes[0]).await,
        401,
        "invalid_code",
    )
    .await;
    let answered = sign_in_by(&server, new[0].as_str().unwrap()).await;
    assert_eq!(answered.status(), StatusCode::OK);
    only(
        &mails(&server, &folder).await,
        "Your account with Default has new backup codes",
    );
}

#[tokio::test]
async fn they_are_good_only_once_the_app_is_confirmed_and_not_after_it_is_given_up() {
    let server = server().await;
    let person = register(&server, ADA).await;
    let body = body_of(set_up(&server, &person.access, PASSWORD).await, StatusCode::OK).await;
    let early = text(&body, "/backupCodes/0");
    let refused = step_up(&server, &person.access, "backup_code", &early).await;
    assert_refused(refused, 400, "validation_failed").await;
    let app = App::of(&text(&body, "/secret"));
    body_of(
        verify(&server, &person.access, &app.code(&server)).await,
        StatusCode::OK,
    )
    .await;
    next_step(&server);
    let fresh = login_with(&server, &app).await;
    assert_eq!(
        disable(&server, &fresh.access, PASSWORD).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_eq!(count(&server, "SELECT count(*) FROM backup_codes").await, 0);
}
