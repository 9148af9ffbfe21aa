//! What people do with their own accounts: `/auth/profile`, `/auth/account/export` and `DELETE /auth/account`.

use std::time::Duration;

use http::Method;
use portcullis_tests::account::{Account, fresh_email, fresh_password, registration};
use portcullis_tests::answer::{Answer, assert_utc};
use portcullis_tests::client::Call;
use portcullis_tests::eventually;
use portcullis_tests::world::{Door, Kind};
use serde_json::{Value, json};

use super::cookies::{assert_forgotten, kept, own, sign_in};

/// Five seconds, and the tick in which they are over.
const REVOKED: Duration = Duration::from_secs(6);

/// What is asked with the password of the account, from a page of ours.
fn give_up(account: &Account, cookies: &str, password: &str) -> Call {
    let call = account.client.call(Method::DELETE, "/auth/account");
    own(call, cookies).json(&json!({"password": password}))
}

/// A problem, without what differs from one request to the next.
fn told(answer: &Answer) -> Value {
    let mut problem = answer.problem(401, "invalid_credentials");
    problem.as_object_mut().unwrap().remove("requestId");
    problem
}

#[tokio::test]
async fn an_account_that_is_given_up_in_a_browser_is_closed_to_everybody() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let [access, refresh] = kept(&sign_in(&account).await);
        let both = format!("{access}; {refresh}");

        let foreign = account
            .client
            .call(Method::DELETE, "/auth/account")
            .header("cookie", &both)
            .header("sec-fetch-site", "cross-site")
            .json(&json!({"password": account.password}));
        foreign.send().await.problem(403, "csrf_rejected");
        give_up(&account, &both, &fresh_password())
            .send()
            .await
            .problem(401, "invalid_credentials");
        account.login().await.expect(200);

        let gone = give_up(&account, &both, &account.password)
            .send()
            .await
            .expect(204);
        assert!(gone.body.is_empty());
        assert_forgotten(&gone);

        if door.kind() == Kind::Edge {
            eventually("the edge refuses both tokens", REVOKED, async || {
                let echo = || account.client.get("/api/echo");
                let bearer = echo().bearer(account.access_token()).send().await;
                let cookie = own(echo(), &access).send().await;
                (bearer.status == 401 && cookie.status == 401).then_some(())
            })
            .await;
        }
        account
            .me(account.access_token())
            .await
            .problem(401, "invalid_token");
        account
            .refresh(account.refresh_token())
            .await
            .problem(401, "invalid_refresh_token");
        let again = own(account.client.post("/auth/refresh"), &refresh).send().await;
        again.problem(401, "invalid_refresh_token");

        let stranger = Account {
            email: fresh_email(),
            ..account.clone()
        };
        assert_eq!(told(&account.login().await), told(&stranger.login().await));
        // The address is free again once the account is purged, and not before.
        let newcomer = registration(&account.email, &fresh_password());
        let newcomer = door.client().post("/auth/register").json(&newcomer);
        newcomer.send().await.problem(409, "email_taken");
    }
}

#[tokio::test]
async fn a_person_takes_along_what_is_stored_about_them_and_nobody_else_does() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let other = Account::register(&door).await;
        let [access, _] = kept(&sign_in(&account).await);
        let path = "/auth/account/export";
        let answer = own(account.client.get(path), &access).send().await.expect(200);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(
            answer.header("content-disposition"),
            Some(r#"attachment; filename="account.json""#)
        );
        assert!(
            answer
                .header("cache-control")
                .is_some_and(|value| value.contains("no-store")),
            "{answer:?}"
        );
        let export = answer.json();
        assert_eq!(export["format"], 1);
        assert_utc(&export["exportedAt"]);
        assert_eq!(export["account"]["email"], account.email);
        assert_eq!(export["sessions"]["items"].as_array().unwrap().len(), 2);
        let text = export.to_string();
        for secret in [
            account.refresh_token(),
            account.access_token(),
            &account.password,
            &other.email,
            other.id(),
        ] {
            assert!(!text.contains(secret), "{secret}");
        }
        account
            .client
            .get(path)
            .send()
            .await
            .problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_profile_is_changed_in_the_version_that_its_holder_has_seen() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let read = || account.client.get("/auth/profile").bearer(account.access_token());
        let change = |version: Option<&str>, change: &Value| {
            let call = account.client.call(Method::PUT, "/auth/profile");
            let call = call.bearer(account.access_token()).json(change);
            match version {
                Some(version) => call.header("if-match", version),
                None => call,
            }
        };
        let before = read().send().await.expect(200);
        let first = before.header("etag").expect("a version").to_owned();
        assert_eq!(before.json()["profile"]["firstName"], "Ada");

        let wish = json!({"firstName": "Augusta", "preferences": {"theme": "dark"}});
        change(None, &wish)
            .send()
            .await
            .problem(428, "precondition_required");
        let changed = change(Some(&first), &wish).send().await.expect(200);
        let second = changed.header("etag").expect("a version").to_owned();
        assert_ne!(first, second);
        assert_eq!(changed.json()["profile"]["firstName"], "Augusta");
        assert_eq!(changed.json()["profile"]["lastName"], "Lovelace");

        let late = change(Some(&first), &json!({"firstName": "Late"})).send().await;
        late.problem(412, "precondition_failed");
        let after = read().send().await.expect(200);
        assert_eq!(after.header("etag"), Some(second.as_str()));
        assert_eq!(after.json(), changed.json());
    }
}

#[tokio::test]
async fn of_two_changes_of_the_same_version_one_is_made() {
    let account = Account::register(&Door::edge()).await;
    let profile = account.client.get("/auth/profile").bearer(account.access_token());
    let version = profile
        .send()
        .await
        .expect(200)
        .header("etag")
        .unwrap()
        .to_owned();
    let change = |name: &str| {
        let call = account.client.call(Method::PUT, "/auth/profile");
        call.bearer(account.access_token())
            .header("if-match", &version)
            .json(&json!({"firstName": name}))
            .send()
    };
    let (one, other) = tokio::join!(change("Augusta"), change("Ada Augusta"));
    let mut statuses = [one.status.as_u16(), other.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
}
