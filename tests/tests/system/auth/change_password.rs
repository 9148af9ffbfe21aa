//! `PUT /auth/change-password`.

use http::Method;
use portcullis_tests::account::{Account, access_token_in, fresh_password, refresh_token_in};
use portcullis_tests::answer::Answer;
use portcullis_tests::world::Door;
use serde_json::json;

async fn change(account: &Account, access_token: &str, current: &str, new: &str) -> Answer {
    account
        .client
        .call(Method::PUT, "/auth/change-password")
        .bearer(access_token)
        .json(&json!({"currentPassword": current, "newPassword": new}))
        .send()
        .await
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions_and_keeps_this_one() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let other = account.login().await.expect(200);
        let new = fresh_password();
        let answer = change(&account, account.access_token(), &account.password, &new).await;
        assert!(answer.expect(204).body.is_empty());
        account
            .refresh(&refresh_token_in(&other))
            .await
            .problem(401, "invalid_refresh_token");
        let renewed = account.refresh(account.refresh_token()).await.expect(200);
        account.me(&access_token_in(&renewed)).await.expect(200);
        account.login().await.problem(401, "invalid_credentials");
        let changed = Account {
            password: new,
            ..account
        };
        changed.login().await.expect(200);
    }
}

#[tokio::test]
async fn a_password_is_changed_only_by_who_knows_it_and_to_another() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let token = account.access_token();
        let wrong = change(&account, token, &fresh_password(), &fresh_password()).await;
        wrong.problem(401, "invalid_credentials");
        let same = change(&account, token, &account.password, &account.password).await;
        same.problem(400, "password_unchanged");
        let weak = change(&account, token, &account.password, "aaaaaaaaaaaa").await;
        assert_eq!(
            weak.problem(400, "validation_failed")["errors"][0]["field"],
            "newPassword"
        );
        account.login().await.expect(200);
    }
}

#[tokio::test]
async fn guessing_the_current_password_is_limited() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let mut statuses = Vec::new();
        for _ in 0..10 {
            let answer = change(
                &account,
                account.access_token(),
                "wrong wrong wrong",
                &fresh_password(),
            )
            .await;
            statuses.push(answer.status.as_u16());
        }
        assert_eq!(statuses[..5], [401; 5]);
        assert!(statuses.contains(&429), "{statuses:?}");
    }
}
