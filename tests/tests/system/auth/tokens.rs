//! What the origin itself thinks of access tokens: it asks whether the session is alive, whatever the signature.

use portcullis_tests::account::Account;
use portcullis_tests::forge::{claims_for, trusted};
use portcullis_tests::fresh_id;
use portcullis_tests::world::Door;
use serde_json::json;

#[tokio::test]
async fn a_well_signed_token_of_a_session_that_does_not_exist_is_refused_at_the_origin() {
    let issuer = trusted().await;
    for door in Door::both() {
        let account = Account::register(&door).await;
        let mut claims = claims_for(&account);
        account.me(&issuer.token(&claims)).await.expect(200);
        claims["sid"] = json!(fresh_id().to_string());
        account
            .me(&issuer.token(&claims))
            .await
            .problem(401, "invalid_token");
    }
}

#[tokio::test]
async fn a_well_signed_token_that_puts_a_user_into_the_session_of_another_is_refused_at_the_origin() {
    let issuer = trusted().await;
    let (one, other) = (
        Account::register(&Door::origin()).await,
        Account::register(&Door::origin()).await,
    );
    let mut claims = claims_for(&one);
    claims["sub"] = json!(other.id());
    one.me(&issuer.token(&claims)).await.problem(401, "invalid_token");
}

#[tokio::test]
async fn a_well_signed_token_of_another_tenant_is_refused_at_the_origin() {
    let issuer = trusted().await;
    let account = Account::register(&Door::origin()).await;
    let mut claims = claims_for(&account);
    claims["tenant_id"] = json!(fresh_id().to_string());
    account
        .me(&issuer.token(&claims))
        .await
        .problem(401, "invalid_token");
}
