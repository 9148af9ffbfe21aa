//! A password is not enough any more.

use super::*;
use crate::fixtures::server;

#[tokio::test]
async fn a_password_and_a_code_open_a_session_of_two_factors() {
    let (server, folder, ada) = server_with_ada().await;
    let body = body_of(try_login(&server, ADA, PASSWORD).await, StatusCode::OK).await;
    assert_eq!(body["mfaRequired"], true);
    assert_eq!(body["methods"], json!(["totp", "backup_code"]));
    assert_eq!(body["expiresIn"], 300);
    assert!(
        body.get("tokens").is_none() && body.get("user").is_none(),
        "{body}"
    );
    let token = text(&body, "/mfaToken");
    let answered = answer(&server, &token, "totp", &ada.app.code(&server)).await;
    let person = Person::of(body_of(answered, StatusCode::OK).await);
    assert_ne!(person.session_id, ada.person.session_id);
    let claims = claims(&server, &person.access).await;
    assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));
    assert_eq!(claims["acr"], "aal2");
    assert_eq!(claims["auth_time"], server.clock.now().timestamp());
    assert!(mails(&server, &folder).await.is_empty());
}

#[tokio::test]
async fn a_device_that_is_known_is_asked_as_well() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let known = text(&ada.person.body, "/deviceToken");
    let body = json!({"email": ADA, "password": PASSWORD});
    let request = server
        .post("/auth/login")
        .header("x-device-token", known)
        .json(&body);
    let body = body_of(request.send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(body["mfaRequired"], true);
}

#[tokio::test]
async fn a_code_is_good_one_step_early_or_late_and_once() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    for (ahead, status) in [
        (-60, 401),
        (-30, 401),
        (0, 200),
        (0, 401),
        (-30, 401),
        (30, 200),
        (30, 401),
        (0, 401),
    ] {
        let token = challenged(&server).await;
        let code = ada.app.code_at(&server, ahead);
        let answered = answer(&server, &token, "totp", &code).await;
        assert_eq!(answered.status().as_u16(), status, "{ahead} s");
    }
}

#[tokio::test]
async fn a_code_of_a_neighbouring_minute_is_refused_with_a_word_about_the_clock() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    server.clock.advance(TimeDelta::hours(1));
    for (ahead, word) in [
        (-120, Some("slow")),
        (-60, Some("slow")),
        (60, Some("fast")),
        (120, Some("fast")),
        (-3600, None),
        (150, None),
    ] {
        let token = challenged(&server).await;
        let answered = answer(&server, &token, "totp", &ada.app.code_at(&server, ahead)).await;
        let problem = assert_refused(answered, 401, "invalid_code").await;
        let detail = problem["detail"].as_str().unwrap_or_default();
        match word {
            Some(word) => assert!(detail.contains(word), "{ahead} s: {detail}"),
            None => assert!(!detail.contains("clock"), "{ahead} s: {detail}"),
        }
    }
}

#[tokio::test]
async fn what_is_told_of_a_code_to_come_does_not_make_it_good() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let to_come = ada.app.code_at(&server, 90);
    let token = challenged(&server).await;
    assert_refused(
        answer(&server, &token, "totp", &to_come).await,
        401,
        "invalid_code",
    )
    .await;
    server.clock.advance(TimeDelta::seconds(90));
    assert_refused(
        answer(&server, &token, "totp", &to_come).await,
        401,
        "invalid_code",
    )
    .await;
    next_step(&server);
    let answered = answer(&server, &token, "totp", &ada.app.code(&server)).await;
    assert_eq!(answered.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_code_is_taken_as_people_type_it_and_nothing_else_is_one() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let code = ada.app.code(&server);
    let token = challenged(&server).await;
    for bad in [
        &code[..5],
        &format!("{code}0"),
        "",
        "      ",
        &"1".repeat(100_000)[..40_000],
    ] {
        assert_refused(answer(&server, &token, "totp", bad).await, 401, "invalid_code").await;
        if bad.is_empty() {
            break;
        }
    }
    let token = challenged(&server).await;
    let full_width: String = code
        .chars()
        .map(|digit| char::from_u32(digit as u32 - 0x30 + 0xff10).unwrap())
        .collect();
    let written = format!("{} {}", &full_width[..9], &full_width[9..]);
    let answered = answer(&server, &token, "totp", &written).await;
    assert_eq!(answered.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_method_that_is_not_offered_is_a_wrong_code() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let token = challenged(&server).await;
    let refused = answer(&server, &token, "email_code", &ada.app.code(&server)).await;
    assert_refused(refused, 401, "invalid_code").await;
}

#[tokio::test]
async fn ten_wrong_codes_lock_the_factor() {
    let (server, folder, ada) = server_with_ada().await;
    for _ in 0..2 {
        let token = challenged(&server).await;
        for _ in 0..5 {
            assert_refused(
                answer(&server, &token, "totp", "000000x").await,
                401,
                "invalid_code",
            )
            .await;
        }
    }
    assert_refused(try_login(&server, ADA, PASSWORD).await, 429, "account_locked").await;
    only(&mails(&server, &folder).await, "Too many wrong codes for Default");
    server.clock.advance(TimeDelta::minutes(15));
    login_with(&server, &ada.app).await;
}
