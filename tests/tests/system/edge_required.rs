//! An origin that answers its edge alone: everything works through the edge, and nothing beside it.

use portcullis_tests::account::Account;
use portcullis_tests::own_stack::Wanted;

#[tokio::test]
async fn through_the_edge_everything_works_and_beside_it_only_health() {
    let wanted = Wanted {
        origin_settings: vec![("PORTCULLIS__EDGE__REQUIRED".to_owned(), "true".to_owned())],
        ..Wanted::all()
    };
    let stack = wanted.start("edge_required").await;

    // The key set and the revocation feed are what the edge needs by itself, before it lets anybody in.
    let account = Account::register(&stack.edge()).await;
    account.me(account.access_token()).await.expect(200);
    let echo = account.client.get("/api/echo").bearer(account.access_token());
    echo.send().await.expect(200);
    let keys = account
        .client
        .get("/.well-known/jwks.json")
        .send()
        .await
        .expect(200);
    assert!(!keys.json()["keys"].as_array().unwrap().is_empty());
    account.refresh(account.refresh_token()).await.expect(200);

    let beside = stack.origin().client();
    for path in [
        "/auth/me",
        "/.well-known/jwks.json",
        "/edge/revocations",
        "/nothing",
    ] {
        let call = beside.get(path).bearer(account.access_token());
        call.send().await.problem(403, "edge_required");
    }
    beside
        .post("/auth/login")
        .send()
        .await
        .problem(403, "edge_required");
    for path in ["/live", "/ready", "/health", "/health/db"] {
        beside.get(path).send().await.expect(200);
    }
}
