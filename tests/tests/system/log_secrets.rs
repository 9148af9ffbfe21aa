//! No secret is ever written to a log.

use std::time::Duration;

use portcullis_tests::account::{Account, access_token_in, fresh_password, refresh_token_in};
use portcullis_tests::eventually;
use portcullis_tests::fresh_id;
use portcullis_tests::raw::{exchange, head};
use portcullis_tests::world::{Door, state};
use serde_json::json;

/// What the product has logged so far.
pub(super) fn logs() -> String {
    let mut all = String::new();
    for part in ["origin", "edge", "upstream"] {
        let path = state().join(format!("log/{part}.log"));
        let log = std::fs::read(&path).unwrap_or_else(|cause| panic!("{}: {cause}", path.display()));
        // `wrangler dev` prints the path of each request beside what the Worker logs; a deployment has no such lines.
        let of_the_product = |line: &&str| !line.starts_with("[wrangler:");
        all.extend(
            String::from_utf8_lossy(&log)
                .lines()
                .filter(of_the_product)
                .flat_map(|line| [line, "\n"]),
        );
    }
    all
}

#[tokio::test]
async fn passwords_and_tokens_are_in_no_log_whatever_becomes_of_the_request() {
    let mut secrets = Vec::new();
    for door in Door::both() {
        let account = Account::register(&door).await;
        let refreshed = account.refresh(account.refresh_token()).await.expect(200);
        secrets.extend([
            account.password.clone(),
            access_token_in(&refreshed),
            refresh_token_in(&refreshed),
        ]);
        secrets.extend([
            account.access_token().to_owned(),
            account.refresh_token().to_owned(),
        ]);
        let client = &account.client;
        let next = account.refresh(&refresh_token_in(&refreshed)).await.expect(200);
        secrets.extend([access_token_in(&next), refresh_token_in(&next)]);
        // Wrong, malformed, misplaced, reused: refusals tempt to log what was refused.
        let wrong = fresh_password();
        client
            .post("/auth/login")
            .json(&json!({"email": account.email, "password": wrong}))
            .send()
            .await;
        client
            .post("/auth/login")
            .json(&json!({"email": 5, "password": wrong}))
            .send()
            .await;
        client
            .post("/auth/login")
            .header("content-type", "application/json")
            .body(format!("{{\"password\":\"{wrong}\" oops"))
            .send()
            .await;
        client
            .get(&format!(
                "/auth/me?access_token={}&password=query-{}",
                account.access_token(),
                wrong.replace(' ', "+")
            ))
            .send()
            .await;
        client
            .get(&format!("/auth/{}", account.refresh_token()))
            .send()
            .await;
        client
            .get("/auth/me")
            .bearer(&format!("{}x", account.access_token()))
            .send()
            .await;
        let mut request = head(client, b"GET /auth/me");
        request.extend(
            format!(
                "Authorization: Bearer {0}\r\nAuthorization: Bearer {0}\r\n\r\n",
                account.access_token()
            )
            .bytes(),
        );
        exchange(client, &request).await;
        account
            .refresh(account.refresh_token())
            .await
            .problem(401, "refresh_token_reused");
        secrets.extend([wrong.clone(), wrong.replace(' ', "+")]);
    }
    let account = Account::register(&Door::edge()).await;
    account
        .client
        .get("/api/echo")
        .bearer(account.access_token())
        .send()
        .await
        .expect(200);
    account
        .client
        .get("/api/reports")
        .bearer(account.access_token())
        .send()
        .await
        .problem(403, "forbidden");
    secrets.push(account.access_token().to_owned());

    // A last request, so that all of the above has been written when it has.
    let id = format!("trace-{}", fresh_id().simple());
    account
        .client
        .get("/auth/me")
        .header("x-request-id", &id)
        .send()
        .await;
    eventually(
        "the last request is in the log",
        Duration::from_secs(5),
        async || logs().contains(&id).then_some(()),
    )
    .await;
    let logs = logs();
    for secret in &secrets {
        // The end of a token is its signature: enough to use, and not shared with any other token.
        let tail = &secret[secret.len().saturating_sub(24)..];
        assert!(!logs.contains(tail), "a secret is logged: {tail}");
    }
    assert!(!logs.contains(&account.email), "an email address is logged");
}
