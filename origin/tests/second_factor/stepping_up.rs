//! Proving once more who one is.

use super::*;
use crate::fixtures::server;

/// Seconds after which a sign-in is not fresh any more.
const STALE: TimeDelta = TimeDelta::seconds(301);

#[tokio::test]
async fn a_code_makes_the_same_session_fresh_and_strong_and_leaves_its_chain_where_it_is() {
    let (server, folder, ada) = server_with_ada().await;
    let person = login_with(&server, &ada.app).await;
    server.clock.advance(STALE);
    let refused = exported(&server, &person.access).await;
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert_eq!(
        challenge,
        r#"Bearer error="insufficient_user_authentication", acr_values="aal2", max_age=300"#
    );
    assert_refused(refused, 401, "step_up_required").await;

    let body = body_of(
        step_up(&server, &person.access, "totp", &ada.app.code(&server)).await,
        StatusCode::OK,
    )
    .await;
    let access = text(&body, "/tokens/accessToken");
    let claims = claims(&server, &access).await;
    assert_eq!(claims["sid"], person.session_id);
    assert_eq!(claims["auth_time"], server.clock.now().timestamp());
    assert_eq!(
        (&claims["acr"], &claims["amr"]),
        (&json!("aal2"), &json!(["pwd", "otp", "mfa"]))
    );
    assert_eq!(exported(&server, &access).await.status(), StatusCode::OK);

    assert_eq!(
        text(&body, "/tokens/refreshToken"),
        person.refresh,
        "nothing was moved on"
    );
    let next = refresh(&server, &person.refresh).await;
    assert_eq!(refresh(&server, &person.refresh).await, next);
    assert_eq!(
        audit_trail(&server)
            .await
            .iter()
            .filter(|kind| *kind == "stepped_up")
            .count(),
        1
    );
    assert!(mails(&server, &folder).await.is_empty());
}

#[tokio::test]
async fn a_backup_code_does_the_same() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let stepped = step_up(&server, &ada.person.access, "backup_code", &ada.backup_codes[0]).await;
    let access = text(&body_of(stepped, StatusCode::OK).await, "/tokens/accessToken");
    assert_eq!(claims(&server, &access).await["acr"], "aal2");
    let again = step_up(&server, &ada.person.access, "backup_code", &ada.backup_codes[0]).await;
    assert_refused(again, 401, "invalid_code").await;
}

#[tokio::test]
async fn an_account_without_a_second_factor_names_its_password_again() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    server.clock.advance(STALE);
    let refused = exported(&server, &ada.access).await;
    let challenge = refused.headers()["www-authenticate"].to_str().unwrap().to_owned();
    assert!(!challenge.contains("acr_values"), "{challenge}");
    let wrong = step_up(&server, &ada.access, "password", "not the password at all").await;
    assert_refused(wrong, 401, "invalid_credentials").await;
    let stepped = step_up(&server, &ada.access, "password", PASSWORD).await;
    let access = text(&body_of(stepped, StatusCode::OK).await, "/tokens/accessToken");
    let claims = claims(&server, &access).await;
    assert_eq!(
        (&claims["acr"], &claims["amr"]),
        (&json!("aal1"), &json!(["pwd"]))
    );
    assert_eq!(exported(&server, &access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_password_is_not_the_way_around_a_second_factor_nor_a_code_without_one() {
    let server = server().await;
    let eve = register(&server, "eve@example.com").await;
    let ada = Ada::with_app(&server).await;
    for refused in [
        step_up(&server, &ada.person.access, "password", PASSWORD).await,
        step_up(&server, &ada.person.access, "email_code", "12345678").await,
        step_up(&server, &eve.access, "totp", "123456").await,
        step_up(&server, &eve.access, "smoke", "123456").await,
    ] {
        let problem = assert_refused(refused, 400, "validation_failed").await;
        assert_eq!(problem["errors"][0]["field"], "method");
    }
}

#[tokio::test]
async fn another_accounts_code_is_wrong() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let eve = register(&server, "eve@example.com").await;
    let body = body_of(set_up(&server, &eve.access, PASSWORD).await, StatusCode::OK).await;
    let app = App::of(&text(&body, "/secret"));
    body_of(
        verify(&server, &eve.access, &app.code(&server)).await,
        StatusCode::OK,
    )
    .await;
    next_step(&server);
    for (method, code) in [
        ("totp", ada.app.code(&server)),
        ("backup_code", ada.backup_codes[0].clone()),
    ] {
        assert_refused(
            step_up(&server, &eve.access, method, &code).await,
            401,
            "invalid_code",
        )
        .await;
    }
    login_with(&server, &ada.app).await;
}

#[tokio::test]
async fn a_stolen_session_guesses_five_times_and_locks_nobody_else_out() {
    let server = TestServer::start_with(|settings| {
        crate::fixtures::without_limits(settings);
        settings.retain(|name, _| !name.starts_with("PORTCULLIS__LOCKOUT__"));
    })
    .await;
    let ada = Ada::with_app(&server).await;
    for _ in 0..5 {
        let refused = step_up(&server, &ada.person.access, "totp", "none").await;
        assert_refused(refused, 401, "invalid_code").await;
    }
    let right = step_up(&server, &ada.person.access, "totp", &ada.app.code(&server)).await;
    assert_refused(right, 429, "rate_limited").await;
    login_with(&server, &ada.app).await;
}

#[tokio::test]
async fn a_session_that_has_ended_meanwhile_is_not_made_fresh() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    execute(
        &server,
        "UPDATE sessions SET revoked_at = now(), revoked_reason = 'logout'",
    )
    .await;
    let refused = step_up(&server, &ada.person.access, "totp", &ada.app.code(&server)).await;
    assert_refused(refused, 401, "invalid_token").await;
}

#[tokio::test]
async fn tokens_of_a_browser_go_to_its_cookies() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let cookie = format!(
        "__Host-pc_access={}; __Host-pc_refresh={}",
        ada.person.access, ada.person.refresh
    );
    let answered = server
        .post("/auth/mfa/step-up")
        .header("cookie", cookie)
        .header("sec-fetch-site", "same-origin")
        .json(&json!({"method": "totp", "code": ada.app.code(&server)}))
        .send()
        .await
        .unwrap();
    assert_eq!(answered.headers().get_all("set-cookie").iter().count(), 2);
    let body = body_of(answered, StatusCode::OK).await;
    assert_eq!(body.pointer("/tokens/accessToken"), None);
}
