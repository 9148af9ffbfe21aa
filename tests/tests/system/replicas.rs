//! Two origins on the same stores are one.

use futures_util::future::join_all;
use portcullis_tests::account::{Account, access_token_in, refresh_token_in};
use portcullis_tests::own_stack::Wanted;

#[tokio::test]
async fn replicas_accept_each_others_tokens_and_agree_on_keys_sessions_and_limits() {
    let mut stack = Wanted::origin().start("replicas").await;
    let second = stack.start_replica().await;
    let first = stack.origin();

    let keys = |door: &portcullis_tests::world::Door| door.client().get("/.well-known/jwks.json").send();
    assert_eq!(keys(&first).await.json(), keys(&second).await.json());

    let here = Account::register(&first).await;
    let there = Account {
        client: second.client(),
        ..here.clone()
    };
    there.me(here.access_token()).await.expect(200);
    let login = there.login().await.expect(200);
    here.me(&access_token_in(&login)).await.expect(200);

    // Tabs whose refreshes land on different replicas get the same successor.
    let racing = (0..8).map(|index| if index % 2 == 0 { &here } else { &there });
    let answers = join_all(racing.map(|account| account.refresh(account.refresh_token()))).await;
    let successors: Vec<_> = answers
        .into_iter()
        .map(|answer| refresh_token_in(&answer.expect(200)))
        .collect();
    assert!(
        successors.iter().all(|token| *token == successors[0]),
        "siblings: {successors:?}"
    );

    here.client
        .post("/auth/logout")
        .bearer(here.access_token())
        .send()
        .await
        .expect(204);
    there.me(here.access_token()).await.problem(401, "invalid_token");
    there
        .refresh(&successors[0])
        .await
        .problem(401, "invalid_refresh_token");
    there.me(&access_token_in(&login)).await.expect(200);
}
