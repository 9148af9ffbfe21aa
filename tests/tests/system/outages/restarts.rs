//! Restarts lose no session, and a stop lets what has begun end.

use std::time::Duration;

use portcullis_tests::account::{Account, refresh_token_in};
use portcullis_tests::eventually;
use portcullis_tests::own_stack::Wanted;
use portcullis_tests::raw::{connect, head, read_answer};
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use xtask::stack::Part;

#[tokio::test]
async fn a_restart_of_the_origin_and_of_the_edge_loses_no_session() {
    let mut stack = Wanted::all().start("restarts").await;
    let account = Account::register(&stack.edge()).await;
    let first = refresh_token_in(&account.refresh(account.refresh_token()).await.expect(200));
    let keys = account.client.get("/.well-known/jwks.json").send().await.json();

    for part in [Part::Origin, Part::Edge] {
        stack.stop(part).await;
        stack.start(part).await;
        // A kept-alive connection of this client may have died with the part.
        let account = Account {
            client: stack.edge().client(),
            ..account.clone()
        };
        account.me(account.access_token()).await.expect(200);
        account
            .client
            .get("/api/echo")
            .bearer(account.access_token())
            .send()
            .await
            .expect(200);
        let again = account.refresh(account.refresh_token()).await.expect(200);
        assert_eq!(
            refresh_token_in(&again),
            first,
            "the chain is the same after a restart of {part:?}"
        );
        assert_eq!(
            account.client.get("/.well-known/jwks.json").send().await.json(),
            keys
        );
    }
    let account = Account {
        client: stack.edge().client(),
        ..account
    };
    account.refresh(&first).await.expect(200);
}

#[tokio::test]
async fn a_request_that_has_begun_is_answered_after_the_origin_was_told_to_stop() {
    let mut stack = Wanted::origin().start("drain").await;
    let door = stack.origin();
    let account = Account::register(&door).await;
    let body = json!({"email": account.email, "password": account.password}).to_string();
    let mut request = head(&account.client, b"POST /auth/login");
    request.extend(
        format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .bytes(),
    );
    let (reader, mut writer) = connect(&door, Some(&account.client)).await.into_split();
    let (beginning, end) = body.split_at(10);
    writer.write_all(&request).await.unwrap();
    writer.write_all(beginning.as_bytes()).await.unwrap();
    // The request has reached the origin once a later one, on another connection, was answered.
    door.client().get("/live").send().await.expect(200);

    let stopping = tokio::spawn(async move {
        stack.stop(Part::Origin).await;
    });
    eventually(
        "the origin takes no more or says that it is not ready",
        Duration::from_secs(10),
        async || match door.client().get("/ready").try_send().await {
            Some(answer) => (answer.status == 503).then_some(()),
            None => Some(()),
        },
    )
    .await;
    writer.write_all(end.as_bytes()).await.unwrap();
    read_answer(reader).await.expect("an answer").expect(200);
    stopping.await.unwrap();
}
