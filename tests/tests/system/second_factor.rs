//! A second factor through the edge: the refusal that asks for it, the proof, and the request that goes through then (RFC 9470).

use http::Method;
use portcullis_tests::account::{Account, access_token_in, decode};
use portcullis_tests::answer::Answer;
use portcullis_tests::now;
use portcullis_tests::world::Door;
use serde_json::json;
use totp_rs::{Builder, Secret, Totp};

/// The code that an app shows so many seconds from now.
fn code(app: &Totp, ahead: i64) -> String {
    app.generate((now() + ahead).unsigned_abs()).to_string()
}

async fn post(account: &Account, token: &str, path: &str, body: serde_json::Value) -> Answer {
    account.client.post(path).bearer(token).json(&body).send().await
}

async fn withdraw(account: &Account, token: &str) -> Answer {
    post(account, token, "/api/withdraw", json!({"amount": 1})).await
}

#[tokio::test]
async fn a_refusal_of_the_edge_says_what_to_prove_and_the_proof_opens_the_route() {
    let account = Account::register(&Door::edge()).await;
    let token = account.access_token();
    let set_up = post(
        &account,
        token,
        "/auth/mfa/setup",
        json!({"password": account.password}),
    )
    .await;
    let set_up = set_up.expect(200).json();
    let secret = Secret::try_from_base32(set_up["secret"].as_str().unwrap()).unwrap();
    let app = Builder::new()
        .with_secret(secret)
        .with_account_name(account.email.as_str())
        .build()
        .unwrap();
    post(
        &account,
        token,
        "/auth/mfa/verify",
        json!({"code": code(&app, 0)}),
    )
    .await
    .expect(200);

    let refused = withdraw(&account, token).await;
    refused.problem(401, "step_up_required");
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(
        challenge.contains(r#"acr_values="aal2""#) && challenge.contains("max_age=300"),
        "{challenge}"
    );
    // The step of the set-up is used up; the next one is taken early.
    let proof = json!({"method": "totp", "code": code(&app, 30)});
    let stepped_up = post(&account, token, "/auth/mfa/step-up", proof)
        .await
        .expect(200);
    let stronger = access_token_in(&stepped_up);
    let (_, claims) = decode(&stronger);
    assert_eq!(
        (&claims["acr"], &claims["sid"]),
        (&json!("aal2"), &decode(token).1["sid"])
    );
    withdraw(&account, &stronger).await.expect(200);
    withdraw(&account, token).await.problem(401, "step_up_required");

    let challenged = account.login().await.expect(200).json();
    assert_eq!(challenged["mfaRequired"], true);
    let answer = json!({
        "mfaToken": challenged["mfaToken"], "method": "backup_code", "code": set_up["backupCodes"][0],
    });
    let signed_in = account
        .client
        .post("/auth/login/mfa")
        .json(&answer)
        .send()
        .await
        .expect(200);
    withdraw(&account, &access_token_in(&signed_in)).await.expect(200);
    account
        .client
        .call(Method::DELETE, "/auth/mfa/disable")
        .bearer(&access_token_in(&signed_in))
        .json(&json!({"password": account.password}))
        .send()
        .await
        .expect(204);
}
