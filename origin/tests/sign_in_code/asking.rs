//! Who is asked for a code, and what it opens.

use portcullis_origin::kernel::time::TimeDelta;

use super::*;
use crate::fixtures::{audit_trail, login, me};
use crate::mail::server_with_folder;

#[tokio::test]
async fn an_unknown_device_gets_in_with_the_code_of_the_mail_once() {
    let (server, folder, ada) = server_with_ada().await;
    let body = body_of(try_login(&server, ADA, PASSWORD).await, StatusCode::OK).await;
    assert_eq!(body["methods"], json!(["email_code"]));
    assert_eq!(body["expiresIn"], 300);
    assert_eq!(
        body.as_object().unwrap().len(),
        4,
        "no token but the one to go on with: {body}"
    );
    let token = text(&body, "/mfaToken");
    assert_eq!(sessions(&server).await, 1);

    let arrived = mails(&server, &folder).await;
    assert_eq!(arrived.len(), 1);
    let mail = only(&arrived, SUBJECT);
    let code = code_in(&mail.text);
    assert_eq!(mail.to, ADA);
    assert!(mail.text.contains("5 minutes") && mail.html.contains("5 minutes"));
    assert!(mail.html.contains(&format!("{} {}", &code[..4], &code[4..])));
    assert!(!mail.subject.contains(&code), "a subject shows on locked screens");

    let person = Person::of(body_of(answer(&server, &token, &code).await, StatusCode::OK).await);
    assert_eq!(person.user_id, ada.user_id);
    assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
    assert_over(&server, &token, &code).await;
    assert_eq!(
        audit_trail(&server).await,
        ["registered", "logged_in", "login_challenged", "logged_in"]
    );
    assert!(
        mails(&server, &folder).await.is_empty(),
        "who typed the code need not be told of it"
    );
}

#[tokio::test]
async fn the_token_says_that_a_second_channel_was_used_and_that_it_is_no_second_factor() {
    let (server, folder, _) = server_with_ada().await;
    let token = challenged(&server).await;
    let code = code(&server, &folder).await;
    let person = Person::of(body_of(answer(&server, &token, &code).await, StatusCode::OK).await);
    let request = server.get("/auth/verify").bearer_auth(&person.access);
    let body = body_of(request.send().await.unwrap(), StatusCode::OK).await;
    assert_eq!(body["claims"]["amr"], json!(["pwd", "mca"]));
    assert_eq!(body["claims"]["acr"], "aal1");
}

#[tokio::test]
async fn the_device_is_known_from_then_on_and_not_asked_again() {
    let (server, folder, ada) = server_with_ada().await;
    let token = challenged(&server).await;
    let code = code(&server, &folder).await;
    let body = body_of(answer(&server, &token, &code).await, StatusCode::OK).await;
    for known in [text(&body, "/deviceToken"), text(&ada.body, "/deviceToken")] {
        let body = json!({"email": ADA, "password": PASSWORD});
        let request = server
            .post("/auth/login")
            .header("x-device-token", known)
            .json(&body);
        Person::of(body_of(request.send().await.unwrap(), StatusCode::OK).await);
    }
}

#[tokio::test]
async fn a_browser_that_keeps_its_tokens_in_cookies_gets_them_with_the_answer() {
    let (server, folder, _) = server_with_ada().await;
    let token = challenged(&server).await;
    let code = code(&server, &folder).await;
    let request = server
        .post("/auth/login/mfa")
        .header("x-token-delivery", "cookie")
        .json(&with(&token, &code));
    let answered = request.send().await.unwrap();
    let cookies = answered.headers().get_all("set-cookie").iter();
    assert_eq!(cookies.count(), 3);
    let body = body_of(answered, StatusCode::OK).await;
    assert_eq!(body.pointer("/tokens/accessToken"), None);
    assert_eq!(body.get("deviceToken"), None);
}

#[tokio::test]
async fn nobody_is_asked_by_default_nor_whose_address_is_not_confirmed() {
    let (server, _folder) = server_with_folder().await;
    register(&server, ADA).await;
    confirm(&server).await;
    login(&server, ADA).await;

    let (server, _folder) = server_with_folder_and(settings).await;
    register(&server, ADA).await;
    login(&server, ADA).await;
}

#[tokio::test]
async fn a_wrong_password_is_not_asked_for_a_code() {
    let (server, folder, _) = server_with_ada().await;
    let refused = try_login(&server, ADA, "not the password at all").await;
    assert_refused(refused, 401, "invalid_credentials").await;
    assert!(mails(&server, &folder).await.is_empty());
}

#[tokio::test]
async fn a_code_is_taken_as_people_type_it() {
    let (server, folder, _) = server_with_ada().await;
    for written in [
        |code: &str| format!(" {} {}\n", &code[..4], &code[4..]),
        |code: &str| format!("{}-{}", &code[..4], &code[4..]),
        |code: &str| {
            let full_width = |digit: char| char::from_u32(digit as u32 - 0x30 + 0xff10).unwrap();
            code.chars().map(full_width).collect()
        },
    ] {
        let token = challenged(&server).await;
        let code = code(&server, &folder).await;
        body_of(answer(&server, &token, &written(&code)).await, StatusCode::OK).await;
    }
}

#[tokio::test]
async fn an_answer_without_its_parts_is_a_mistake_of_form_and_counts_for_nothing() {
    let (server, folder, _) = server_with_ada().await;
    let token = challenged(&server).await;
    let code = code(&server, &folder).await;
    for (body, field) in [
        (json!({"method": "email_code", "code": code}), "mfaToken"),
        (json!({"mfaToken": token, "code": code}), "method"),
        (json!({"mfaToken": token, "method": "email_code"}), "code"),
        (
            json!({"mfaToken": token, "method": "smoke", "code": code}),
            "method",
        ),
    ] {
        let request = server.post("/auth/login/mfa").json(&body);
        let problem = assert_refused(request.send().await.unwrap(), 400, "validation_failed").await;
        assert_eq!(problem["errors"][0]["field"], field);
    }
    assert_eq!(
        count(&server, "SELECT sum(failures) FROM sign_in_challenges").await,
        0
    );
    let request = server
        .post("/auth/login/mfa")
        .json(&json!({"mfa_token": token, "method": "email_code", "code": code}));
    body_of(request.send().await.unwrap(), StatusCode::OK).await;
}

#[tokio::test]
async fn whoever_has_the_password_cannot_have_any_number_of_mails_sent() {
    let (server, folder, _) = server_with_ada().await;
    for _ in 0..5 {
        challenged(&server).await;
    }
    server.clock.advance(TimeDelta::seconds(10));
    let refused = try_login(&server, ADA, PASSWORD).await;
    assert_eq!(refused.headers()["retry-after"], "291");
    assert_refused(refused, 429, "rate_limited").await;
    assert_eq!(mails(&server, &folder).await.len(), 5);
    let trail = audit_trail(&server).await;
    assert_eq!(trail.last().unwrap(), "login_failed");
    server.clock.advance(TimeDelta::seconds(291));
    challenged(&server).await;
}

#[tokio::test]
async fn no_secret_is_stored_or_queued() {
    let (server, folder, _) = server_with_ada().await;
    let token = challenged(&server).await;
    let stored = sqlx::query_scalar::<_, String>(
        "SELECT coalesce(string_agg(row::text, ' '), '') FROM (
             SELECT to_jsonb(c) AS row FROM sign_in_challenges c
             UNION ALL SELECT to_jsonb(a) FROM audit_events a
             UNION ALL SELECT payload::jsonb FROM graphile_worker._private_jobs) AS rows",
    )
    .fetch_one(server.pool())
    .await
    .unwrap();
    let code = code(&server, &folder).await;
    assert!(!stored.contains(&token) && !stored.contains(&code), "{stored}");
}
