//! `/auth/sessions`.

use http::Method;
use portcullis_tests::account::{Account, access_token_in, refresh_token_in};
use portcullis_tests::answer::{assert_utc, assert_uuid};
use portcullis_tests::world::Door;
use serde_json::{Value, json};

async fn list(account: &Account, access_token: &str) -> Vec<Value> {
    let answer = account
        .client
        .get("/auth/sessions")
        .bearer(access_token)
        .send()
        .await;
    answer.expect(200).json()["sessions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_person_sees_their_sessions_with_all_that_the_contract_names() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let other = account.login().await.expect(200);
        let sessions = list(&account, account.access_token()).await;
        assert_eq!(sessions.len(), 2);
        for session in &sessions {
            assert_uuid(&session["id"]);
            for moment in ["createdAt", "lastActiveAt", "expiresAt"] {
                assert_utc(&session[moment]);
            }
            assert_eq!(
                session["ipAddress"],
                json!(account.client.address()),
                "the client's, not the edge's"
            );
        }
        let current: Vec<_> = sessions
            .iter()
            .filter(|session| session["current"] == true)
            .collect();
        assert_eq!(current.len(), 1);
        assert_eq!(current[0]["id"], account.result["session"]["id"]);
        let other_id = &other.json()["session"]["id"];
        assert!(sessions.iter().any(|session| session["id"] == *other_id));
    }
}

#[tokio::test]
async fn a_person_ends_one_session_and_then_all_others() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let stranger = Account::register(&door).await;
        let (lost, other) = (
            account.login().await.expect(200),
            account.login().await.expect(200),
        );
        let delete = |path: String| {
            account
                .client
                .call(Method::DELETE, &path)
                .bearer(account.access_token())
                .send()
        };
        let id = |value: &Value| value["session"]["id"].as_str().unwrap().to_owned();
        let answer = delete(format!("/auth/sessions/{}", id(&lost.json())))
            .await
            .expect(204);
        assert!(answer.body.is_empty());
        account
            .refresh(&refresh_token_in(&lost))
            .await
            .problem(401, "invalid_refresh_token");
        for foreign in [id(&lost.json()), id(&stranger.result), "none".to_owned()] {
            delete(format!("/auth/sessions/{foreign}"))
                .await
                .problem(404, "not_found");
        }
        stranger.me(stranger.access_token()).await.expect(200);

        let answer = delete("/auth/sessions/all".to_owned()).await.expect(200);
        assert_eq!(answer.json(), json!({"revoked": 1}));
        account
            .me(&access_token_in(&other))
            .await
            .problem(401, "invalid_token");
        account.me(account.access_token()).await.expect(200);
        let answer = delete("/auth/sessions/all?includeCurrent=true".to_owned())
            .await
            .expect(200);
        assert_eq!(answer.json(), json!({"revoked": 1}));
        account
            .me(account.access_token())
            .await
            .problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn sessions_are_for_who_is_signed_in() {
    for door in Door::both() {
        let client = door.client();
        client
            .get("/auth/sessions")
            .send()
            .await
            .problem(401, "invalid_token");
        for path in [
            "/auth/sessions/all",
            "/auth/sessions/01890000-0000-7000-8000-000000000004",
        ] {
            client
                .call(Method::DELETE, path)
                .send()
                .await
                .problem(401, "invalid_token");
        }
    }
}

#[tokio::test]
async fn the_revocation_feed_is_not_for_the_public() {
    let account = Account::register(&Door::edge()).await;
    let through_the_edge = account
        .client
        .get("/edge/revocations")
        .bearer(account.access_token());
    through_the_edge.send().await.problem(404, "not_found");
    let at_the_origin = Door::origin().client();
    let unsigned = at_the_origin.get("/edge/revocations").send().await;
    unsigned.problem(401, "invalid_edge_signature");
}
