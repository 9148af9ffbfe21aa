//! `POST /auth/refresh`: the derived chain.

use futures_util::future::join_all;
use portcullis_tests::account::{Account, access_token_in, decode, refresh_token_in};
use portcullis_tests::world::Door;
use serde_json::json;

use super::{assert_fresh_user, assert_tokens};

#[tokio::test]
async fn a_refresh_gives_new_tokens_of_the_same_session() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let answer = account.refresh(account.refresh_token()).await.expect(200);
        let body = answer.json();
        assert_fresh_user(&body["user"], &account.email);
        assert_tokens(&body["tokens"]);
        assert_ne!(body["tokens"]["refreshToken"], account.refresh_token());
        let ((_, old), (_, new)) = (decode(account.access_token()), decode(&access_token_in(&answer)));
        for same in ["sid", "sub", "auth_time", "amr", "acr", "tenant_id"] {
            assert_eq!(new[same], old[same], "{same}");
        }
        assert_ne!(new["jti"], old["jti"]);
        account.me(&access_token_in(&answer)).await.expect(200);
    }
}

#[tokio::test]
async fn the_same_token_presented_twice_gives_the_same_successor() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let first = account.refresh(account.refresh_token()).await.expect(200);
        let second = account.refresh(account.refresh_token()).await.expect(200);
        assert_eq!(refresh_token_in(&first), refresh_token_in(&second));
        for answer in [&first, &second] {
            account.me(&access_token_in(answer)).await.expect(200);
        }
    }
}

#[tokio::test]
async fn tabs_that_refresh_at_once_all_get_the_same_successor() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let answers = join_all((0..12).map(|_| account.refresh(account.refresh_token()))).await;
        let successors: Vec<_> = answers
            .into_iter()
            .map(|answer| refresh_token_in(&answer.expect(200)))
            .collect();
        assert!(
            successors.iter().all(|token| *token == successors[0]),
            "siblings: {successors:?}"
        );
        account.refresh(&successors[0]).await.expect(200);
    }
}

#[tokio::test]
async fn the_direct_predecessor_is_answered_again_and_anything_older_ends_the_session() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let zeroth = account.refresh_token();
        let first = refresh_token_in(&account.refresh(zeroth).await.expect(200));
        let second = refresh_token_in(&account.refresh(&first).await.expect(200));
        let again = account.refresh(&first).await.expect(200);
        assert_eq!(refresh_token_in(&again), second);
        account.refresh(zeroth).await.problem(401, "refresh_token_reused");
        // The session is over: for its access tokens, and for the token that was current.
        account
            .me(&access_token_in(&again))
            .await
            .problem(401, "invalid_token");
        account
            .refresh(&second)
            .await
            .problem(401, "invalid_refresh_token");
        // Another session of the same account is not.
        account.login().await.expect(200);
    }
}

#[tokio::test]
async fn a_token_that_was_never_given_out_is_refused_and_harms_nobody() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let good = account.refresh_token();
        let (body, mac) = good.rsplit_once('.').expect("a refresh token ends with a MAC");
        let flipped: String = mac
            .chars()
            .enumerate()
            .map(|(at, c)| {
                if at == 3 {
                    if c == 'A' { 'B' } else { 'A' }
                } else {
                    c
                }
            })
            .collect();
        let (family, generation) = body.rsplit_once('.').expect("a refresh token counts generations");
        let later = generation.parse::<u64>().expect("a number") + 1;
        let forged = [
            format!("{body}.{flipped}"),
            format!("{family}.{later}.{mac}"),
            format!("{good}x"),
            format!("{body}."),
            format!(" {good}"),
            account.access_token().to_owned(),
            "pcr_".to_owned(),
            "🦀".to_owned(),
            "x".repeat(10_000),
        ];
        for token in forged {
            let answer = account.refresh(&token).await;
            answer.problem(401, "invalid_refresh_token");
        }
        account.refresh(good).await.expect(200);
    }
}

#[tokio::test]
async fn a_missing_token_is_named() {
    for door in Door::both() {
        let answer = door.client().post("/auth/refresh").json(&json!({})).send().await;
        let problem = answer.invalid_fields(&["refreshToken"]);
        assert_eq!(problem["errors"][0]["code"], "required");
    }
}
