//! From the password to the first code.

use base64ct::{Base64, Encoding as _};

use super::*;
use crate::fixtures::server;

#[tokio::test]
async fn an_app_is_set_up_with_the_password_and_confirmed_by_its_first_code() {
    let (server, folder) = server_with_folder().await;
    let ada = register(&server, ADA).await;
    let other = login(&server, ADA).await;
    mails(&server, &folder).await;
    let body = body_of(set_up(&server, &ada.access, PASSWORD).await, StatusCode::OK).await;
    let secret = text(&body, "/secret");
    assert_eq!(secret.len(), 32, "160 bits in base32");
    let url = text(&body, "/otpauthUrl");
    assert!(
        url.starts_with("otpauth://totp/Default:ada%40example.com?"),
        "{url}"
    );
    assert!(
        url.contains(&format!("secret={secret}")) && url.contains("issuer=Default"),
        "{url}"
    );
    let picture = text(&body, "/qrCode");
    let picture = Base64::decode_vec(picture.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
    assert!(picture.starts_with(b"\x89PNG\r\n"));
    assert_eq!(body["backupCodes"].as_array().unwrap().len(), 10);
    assert!(
        !mfa_enabled(&server, &ada.access).await,
        "not before it is confirmed"
    );
    assert_eq!(me(&server, &other.access).await.status(), StatusCode::OK);

    let app = App::of(&secret);
    let confirmed = verify(&server, &ada.access, &app.code(&server)).await;
    assert_eq!(body_of(confirmed, StatusCode::OK).await, json!({"enabled": true}));
    assert!(mfa_enabled(&server, &ada.access).await);
    assert_refused(me(&server, &other.access).await, 401, "invalid_token").await;
    let arrived = mails(&server, &folder).await;
    let mail = only(&arrived, "A second factor protects your account with Default");
    assert_eq!(mail.to, ADA);
    assert_eq!(
        audit_trail(&server).await[3..],
        ["mfa_set_up", "mfa_enabled", "sessions_revoked"]
    );
}

#[tokio::test]
async fn the_session_that_confirmed_it_counts_as_one_with_two_factors_from_its_next_token_on() {
    let server = server().await;
    let ada = Ada::with_app(&server).await.person;
    assert_refused(exported(&server, &ada.access).await, 401, "step_up_required").await;
    let body = body_of(try_refresh(&server, &ada.refresh).await, StatusCode::OK).await;
    let access = text(&body, "/tokens/accessToken");
    assert_eq!(claims(&server, &access).await["acr"], "aal2");
    assert_eq!(exported(&server, &access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn the_code_of_the_set_up_is_not_taken_again() {
    let server = server().await;
    let person = register(&server, ADA).await;
    let body = body_of(set_up(&server, &person.access, PASSWORD).await, StatusCode::OK).await;
    let app = App::of(&text(&body, "/secret"));
    let code = app.code(&server);
    body_of(verify(&server, &person.access, &code).await, StatusCode::OK).await;
    let token = challenged(&server).await;
    assert_refused(answer(&server, &token, "totp", &code).await, 401, "invalid_code").await;
    next_step(&server);
    let answered = answer(&server, &token, "totp", &app.code(&server)).await;
    assert_eq!(answered.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_password_sets_nothing_up() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    let refused = set_up(&server, &ada.access, "not the password at all").await;
    assert_refused(refused, 401, "invalid_credentials").await;
    assert_eq!(count(&server, "SELECT count(*) FROM totp_factors").await, 0);
}

#[tokio::test]
async fn a_set_up_waits_for_ten_minutes_and_until_it_is_begun_anew() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    let secret = async || {
        let body = body_of(set_up(&server, &ada.access, PASSWORD).await, StatusCode::OK).await;
        App::of(&text(&body, "/secret"))
    };
    assert_refused(
        verify(&server, &ada.access, "123456").await,
        409,
        "mfa_not_enabled",
    )
    .await;
    let (first, second) = (secret().await, secret().await);
    let with_the_first = verify(&server, &ada.access, &first.code(&server)).await;
    assert_refused(with_the_first, 401, "invalid_code").await;
    server.clock.advance(TimeDelta::minutes(10));
    let too_late = verify(&server, &ada.access, &second.code(&server)).await;
    assert_refused(too_late, 409, "mfa_not_enabled").await;
    login(&server, ADA).await;
}

#[tokio::test]
async fn who_has_a_second_factor_sets_up_no_other() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let refused = set_up(&server, &ada.person.access, PASSWORD).await;
    assert_refused(refused, 409, "mfa_already_enabled").await;
    let refused = verify(&server, &ada.person.access, &ada.app.code(&server)).await;
    assert_refused(refused, 409, "mfa_already_enabled").await;
}

#[tokio::test]
async fn five_wrong_first_codes_are_all_that_a_session_may_try() {
    let server = server_with_lockout().await;
    let ada = register(&server, ADA).await;
    let body = body_of(set_up(&server, &ada.access, PASSWORD).await, StatusCode::OK).await;
    let app = App::of(&text(&body, "/secret"));
    for _ in 0..5 {
        assert_refused(verify(&server, &ada.access, "none").await, 401, "invalid_code").await;
    }
    let refused = verify(&server, &ada.access, &app.code(&server)).await;
    assert_refused(refused, 429, "rate_limited").await;
    assert!(!mfa_enabled(&server, &ada.access).await);
}

/// The lockout as it is by default.
async fn server_with_lockout() -> TestServer {
    TestServer::start_with(|settings| {
        crate::fixtures::without_limits(settings);
        settings.retain(|name, _| !name.starts_with("PORTCULLIS__LOCKOUT__"));
    })
    .await
}

#[tokio::test]
async fn nothing_that_is_stored_opens_anything_and_a_secret_opens_in_its_own_row_alone() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let stored: String = sqlx::query_scalar(
        "SELECT string_agg(row::text, ' ') FROM (
             SELECT to_jsonb(f) AS row FROM totp_factors f UNION ALL SELECT to_jsonb(c) FROM backup_codes c
             UNION ALL SELECT to_jsonb(a) FROM audit_events a) AS rows",
    )
    .fetch_one(server.pool())
    .await
    .unwrap();
    for code in &ada.backup_codes {
        assert!(!stored.contains(code.as_str()) && !stored.contains(&code.replace('-', "")));
    }
    let secret = ada.app.0.secret();
    assert!(!stored.contains(&secret.to_base32()) && !stored.contains(&hex::encode(secret.as_bytes())));

    execute(
        &server,
        "DELETE FROM backup_codes; UPDATE totp_factors SET id = gen_random_uuid()",
    )
    .await;
    let token = challenged(&server).await;
    let refused = answer(&server, &token, "totp", &ada.app.code(&server)).await;
    assert_refused(refused, 500, "internal_error").await;
}
