//! `GET /auth/me`.

use portcullis_tests::account::Account;
use portcullis_tests::world::Door;

use super::assert_fresh_user;

#[tokio::test]
async fn the_holder_of_a_token_is_shown_their_own_account() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let answer = account.me(account.access_token()).await.expect(200);
        let body = answer.json();
        assert_fresh_user(&body["user"], &account.email);
        assert_eq!(body["user"]["id"], account.id());
        assert!(
            answer
                .header("cache-control")
                .is_some_and(|value| value.contains("no-store")),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn nothing_about_the_password_is_shown() {
    let account = Account::register(&Door::edge()).await;
    let answer = account.me(account.access_token()).await.expect(200);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(
        !text.to_lowercase().contains("password") && !text.contains("argon2"),
        "{text}"
    );
}
