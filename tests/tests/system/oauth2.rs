//! `/oauth2/*`: what a service client may ask, with the client that development has.

use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use portcullis_tests::account::{Account, decode, refresh_token_in};
use portcullis_tests::answer::Answer;
use portcullis_tests::client::{Call, Client};
use portcullis_tests::own_stack::portcullis;
use portcullis_tests::world::{Door, state};
use portcullis_tests::{eventually, fresh_id};
use serde_json::{Value, json};

use super::log_secrets::logs;

const CLIENT: &str = "dev-service";
const SECRET: &str = "dev-service-secret";
const PATHS: [&str; 2] = ["/oauth2/introspect", "/oauth2/revoke"];

fn basic(id: &str, secret: &str) -> String {
    // Neither has a character that a form would escape.
    format!(
        "Basic {}",
        Base64::encode_string(format!("{id}:{secret}").as_bytes())
    )
}

fn form(client: &Client, path: &str, body: String) -> Call {
    client
        .post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
}

async fn ask(client: &Client, path: &str, token: &str) -> Answer {
    form(client, path, format!("token={token}"))
        .header("authorization", &basic(CLIENT, SECRET))
        .send()
        .await
}

async fn introspect(client: &Client, token: &str) -> Value {
    let answer = ask(client, "/oauth2/introspect", token).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(
        answer
            .header("cache-control")
            .unwrap_or_default()
            .contains("no-store")
    );
    answer.json()
}

#[track_caller]
fn assert_oauth_error(answer: &Answer, status: u16, error: &str) {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert_eq!(
        answer.header("content-type"),
        Some("application/json"),
        "{answer:?}"
    );
    assert_eq!(answer.json()["error"], error, "{answer:?}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert_eq!(challenge.starts_with("Basic realm="), status == 401, "{answer:?}");
}

#[tokio::test]
async fn a_service_learns_what_a_token_is_worth() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let service = door.client();
        let (_, claims) = decode(account.access_token());
        let told = introspect(&service, account.access_token()).await;
        assert_eq!(
            (&told["active"], &told["token_type"]),
            (&json!(true), &json!("Bearer"))
        );
        for (claim, value) in claims.as_object().unwrap() {
            assert_eq!(&told[claim], value, "{claim}");
        }
        let told = introspect(&service, account.refresh_token()).await;
        assert_eq!(
            (&told["active"], &told["token_type"]),
            (&json!(true), &json!("refresh_token"))
        );
        assert_eq!(told["sub"], account.id());
        assert_eq!(introspect(&service, "nonsense").await, json!({"active": false}));
    }
}

#[tokio::test]
async fn a_service_may_put_its_secret_into_the_form() {
    for door in Door::both() {
        let body = format!("client_id={CLIENT}&client_secret={SECRET}&token=nonsense");
        let answer = form(&door.client(), "/oauth2/introspect", body)
            .send()
            .await
            .expect(200);
        assert_eq!(answer.json(), json!({"active": false}));
    }
}

#[tokio::test]
async fn what_a_service_revokes_is_over_at_both_doors() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let service = door.client();
        let again = account.login().await.expect(200);
        let answer = ask(&service, "/oauth2/revoke", account.refresh_token())
            .await
            .expect(200);
        assert!(answer.body.is_empty());
        ask(&service, "/oauth2/revoke", account.refresh_token())
            .await
            .expect(200);
        for token in [account.access_token(), account.refresh_token()] {
            assert_eq!(introspect(&service, token).await, json!({"active": false}));
        }
        account
            .me(account.access_token())
            .await
            .problem(401, "invalid_token");
        account
            .refresh(account.refresh_token())
            .await
            .problem(401, "invalid_refresh_token");
        // Another session of the same account goes on.
        assert_eq!(
            introspect(&service, &refresh_token_in(&again)).await["active"],
            true
        );
    }
}

#[tokio::test]
async fn nobody_else_may_ask() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let client = door.client();
        for path in PATHS {
            let body = format!("token={}", account.refresh_token());
            assert_oauth_error(
                &form(&client, path, body.clone()).send().await,
                401,
                "invalid_client",
            );
            let bearer = form(&client, path, body.clone()).bearer(account.access_token());
            assert_oauth_error(&bearer.send().await, 401, "invalid_client");
            for (id, secret) in [(CLIENT, "wrong"), ("nobody", SECRET)] {
                let wrong = form(&client, path, body.clone()).header("authorization", &basic(id, secret));
                assert_oauth_error(&wrong.send().await, 401, "invalid_client");
            }
        }
        assert_eq!(introspect(&client, account.refresh_token()).await["active"], true);
    }
}

#[tokio::test]
async fn requests_that_say_something_twice_or_are_no_form_are_refused() {
    for door in Door::both() {
        let client = door.client();
        for path in PATHS {
            let authorized = |call: Call| call.header("authorization", &basic(CLIENT, SECRET));
            for body in ["", "token=a&token=a", "token=%00"] {
                let answer = authorized(form(&client, path, body.into())).send().await;
                assert_oauth_error(&answer, 400, "invalid_request");
            }
            let both = format!("client_id={CLIENT}&client_secret={SECRET}&token=a");
            let answer = authorized(form(&client, path, both)).send().await;
            assert_oauth_error(&answer, 400, "invalid_request");
            authorized(client.post(path).json(&json!({"token": "a"})))
                .send()
                .await
                .problem(415, "unsupported_media_type");
            let large = format!("token={}", "x".repeat(64 * 1024));
            authorized(form(&client, path, large))
                .send()
                .await
                .problem(413, "payload_too_large");
            authorized(client.get(path))
                .send()
                .await
                .problem(405, "method_not_allowed");
        }
    }
}

#[tokio::test]
async fn a_service_is_not_limited_like_a_person() {
    let door = Door::edge();
    let service = door.client();
    for _ in 0..150 {
        assert_eq!(introspect(&service, "nonsense").await["active"], false);
    }
}

#[tokio::test]
async fn what_a_service_sends_is_in_no_log() {
    let wrong = format!("wrong-{}", fresh_id().simple());
    let mut secrets = vec![SECRET.to_owned(), basic(CLIENT, SECRET), wrong.clone()];
    for door in Door::both() {
        let account = Account::register(&door).await;
        let service = door.client();
        for token in [account.access_token(), account.refresh_token()] {
            introspect(&service, token).await;
            ask(&service, "/oauth2/revoke", token).await.expect(200);
            form(&service, "/oauth2/revoke", format!("token={token}&token={token}"))
                .header("authorization", &basic(CLIENT, SECRET))
                .send()
                .await
                .expect(400);
            form(&service, "/oauth2/introspect", format!("token={token}"))
                .header("authorization", &basic(&wrong, &wrong))
                .send()
                .await
                .expect(401);
            secrets.push(token.to_owned());
        }
        let posted = format!("client_id={wrong}&client_secret={wrong}&token=x");
        form(&service, "/oauth2/introspect", posted)
            .send()
            .await
            .expect(401);
        secrets.push(basic(&wrong, &wrong));
    }
    // A last request, so that all of the above has been written when it has.
    let id = format!("trace-{}", fresh_id().simple());
    let last = Door::edge().client().get("/auth/me").header("x-request-id", &id);
    last.send().await.expect(401);
    eventually(
        "the last request is in the log",
        Duration::from_secs(5),
        async || logs().contains(&id).then_some(()),
    )
    .await;
    let logs = logs();
    for secret in &secrets {
        let tail = &secret[secret.len().saturating_sub(24)..];
        assert!(!logs.contains(tail), "a secret is logged: {tail}");
    }
}

#[tokio::test]
async fn the_command_line_explains_both_kinds_of_token() {
    let account = Account::register(&Door::edge()).await;
    let explain = async |token: &str| portcullis(&state(), &["token", "explain", "--json", token]).await;
    for (token, kind) in [
        (account.access_token(), "access_token"),
        (account.refresh_token(), "refresh_token"),
    ] {
        let explained = explain(token).await;
        assert!(explained.status.success(), "{explained:?}");
        let report: Value = serde_json::from_slice(&explained.stdout).unwrap();
        assert_eq!((&report["kind"], &report["good"]), (&json!(kind), &json!(true)));
        for check in report["checks"].as_array().unwrap() {
            assert_eq!(check["outcome"], "good", "{check}");
            assert!(
                check["reference"].as_str().is_some_and(|text| !text.is_empty()),
                "{check}"
            );
        }
    }
    ask(
        &Door::origin().client(),
        "/oauth2/revoke",
        account.refresh_token(),
    )
    .await
    .expect(200);
    for token in [account.access_token(), account.refresh_token()] {
        let explained = explain(token).await;
        assert_eq!(explained.status.code(), Some(1), "{explained:?}");
        let report: Value = serde_json::from_slice(&explained.stdout).unwrap();
        let refused = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|check| check["outcome"] == "refused");
        assert_eq!(refused.unwrap()["check"], "session");
    }
}
