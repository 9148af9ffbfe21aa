//! `POST /auth/logout`.

use portcullis_tests::account::{Account, access_token_in, refresh_token_in};
use portcullis_tests::world::Door;
use serde_json::json;

#[tokio::test]
async fn a_logout_ends_the_session_at_the_origin() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let other = account.login().await.expect(200);
        let answer = account
            .client
            .post("/auth/logout")
            .bearer(account.access_token())
            .send()
            .await
            .expect(204);
        assert!(answer.body.is_empty());
        account
            .me(account.access_token())
            .await
            .problem(401, "invalid_token");
        account
            .refresh(account.refresh_token())
            .await
            .problem(401, "invalid_refresh_token");
        // The other device stays signed in.
        account.me(&access_token_in(&other)).await.expect(200);
        account.refresh(&refresh_token_in(&other)).await.expect(200);
    }
}

#[tokio::test]
async fn a_logout_may_name_the_refresh_token() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let logout = account.client.post("/auth/logout").bearer(account.access_token());
        logout
            .json(&json!({"refreshToken": account.refresh_token()}))
            .send()
            .await
            .expect(204);
        account
            .refresh(account.refresh_token())
            .await
            .problem(401, "invalid_refresh_token");
    }
}

#[tokio::test]
async fn a_logout_needs_a_token_of_a_live_session() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        account
            .client
            .post("/auth/logout")
            .send()
            .await
            .problem(401, "invalid_token");
        let logout = || account.client.post("/auth/logout").bearer(account.access_token());
        logout().send().await.expect(204);
        logout().send().await.problem(401, "invalid_token");
    }
}
