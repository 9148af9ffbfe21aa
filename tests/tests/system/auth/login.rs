//! `POST /auth/login`.

use portcullis_tests::account::{Account, fresh_email, fresh_password};
use portcullis_tests::world::Door;
use serde_json::json;

use super::assert_login_result;

#[tokio::test]
async fn the_right_password_gives_a_session_of_its_own() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let answer = account.login().await.expect(200);
        assert_login_result(&answer, &account.email);
        let result = answer.json();
        assert_ne!(result["session"]["id"], account.result["session"]["id"]);
        assert_eq!(result["user"]["id"], account.result["user"]["id"]);
        assert!(!result["user"]["lastLoginAt"].is_null());
    }
}

#[tokio::test]
async fn the_email_is_compared_without_case() {
    let account = Account::register(&Door::edge()).await;
    let body = json!({"email": account.email.to_uppercase(), "password": account.password});
    account
        .client
        .post("/auth/login")
        .json(&body)
        .send()
        .await
        .expect(200);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_are_answered_alike() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let mut problems = Vec::new();
        for email in [account.email.clone(), fresh_email()] {
            let body = json!({"email": email, "password": fresh_password()});
            let answer = door.client().post("/auth/login").json(&body).send().await;
            let mut problem = answer.problem(401, "invalid_credentials");
            problem["requestId"] = json!(null);
            problems.push(problem);
        }
        assert_eq!(problems[0], problems[1]);
    }
}

#[tokio::test]
async fn missing_credentials_are_named() {
    for door in Door::both() {
        let answer = door
            .client()
            .post("/auth/login")
            .json(&json!({"email": null}))
            .send()
            .await;
        answer.invalid_fields(&["email", "password"]);
    }
}

#[tokio::test]
async fn an_unknown_tenant_is_refused_and_the_default_one_is_known() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let body = json!({"email": account.email, "password": account.password});
        let login = || account.client.post("/auth/login").json(&body);
        login()
            .header("x-tenant", "nobody-has-this-one")
            .send()
            .await
            .problem(400, "unknown_tenant");
        login().header("x-tenant", "default").send().await.expect(200);
    }
}
