//! `portcullis keys import`: how a team brings the key of an old service.

use std::time::Duration;

use portcullis_tests::account::{Account, access_token_in, decode};
use portcullis_tests::eventually;
use portcullis_tests::forge::{Issuer, claims_for};
use portcullis_tests::own_stack::{OwnStack, Wanted, portcullis};
use serde_json::json;

/// How soon a running origin must know of a key that the command line has imported.
const SOON: Duration = Duration::from_secs(15);

async fn import(stack: &OwnStack, issuer: &Issuer, more: &[&str]) {
    let file = stack.state_dir().join(format!("{}.pem", issuer.kid()));
    std::fs::write(&file, issuer.pem()).unwrap();
    let mut arguments = vec!["keys", "import", file.to_str().unwrap(), "--kid", issuer.kid()];
    arguments.extend(more);
    let imported = portcullis(stack.state_dir(), &arguments).await;
    assert!(imported.status.success(), "{imported:?}");
}

#[tokio::test]
async fn an_imported_key_verifies_at_once_and_signs_only_when_it_is_activated() {
    let stack = Wanted::origin().start("keys").await;
    let door = stack.origin();
    let account = Account::register(&door).await;
    let (old_header, _) = decode(account.access_token());

    let brought = Issuer::unknown();
    import(&stack, &brought, &[]).await;
    let token_of_the_old_service = brought.token(&claims_for(&account));
    eventually("the imported key verifies", SOON, async || {
        (account.me(&token_of_the_old_service).await.status == 200).then_some(())
    })
    .await;
    let keys = door.client().get("/.well-known/jwks.json").send().await.json();
    let published: Vec<_> = keys["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].clone())
        .collect();
    assert!(
        published.contains(&json!(brought.kid())) && published.contains(&old_header["kid"]),
        "{published:?}"
    );
    let login = account.login().await.expect(200);
    assert_eq!(decode(&access_token_in(&login)).0["kid"], old_header["kid"]);

    let successor = Issuer::unknown();
    import(&stack, &successor, &["--activate"]).await;
    eventually("the activated key signs", SOON, async || {
        let fresh = Account {
            client: door.client(),
            ..account.clone()
        };
        let answer = fresh.login().await.expect(200);
        (decode(&access_token_in(&answer)).0["kid"] == successor.kid()).then_some(())
    })
    .await;
    // Nobody is logged out by it.
    account.me(account.access_token()).await.expect(200);
    account.refresh(account.refresh_token()).await.expect(200);
}
