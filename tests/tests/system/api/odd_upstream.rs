//! Upstreams that hang, lie, die or point elsewhere.

use std::time::Duration;

use portcullis_tests::eventually;
use portcullis_tests::own_stack::Wanted;
use portcullis_tests::upstream::OddUpstream;
use xtask::stack::Upstream;

#[tokio::test]
async fn an_upstream_that_misbehaves_is_a_precise_5xx_and_never_followed() {
    let odd = OddUpstream::start().await;
    let wanted = Wanted {
        upstream: Upstream::Given(odd.url().to_owned()),
        ..Wanted::all()
    };
    let stack = wanted.start("odd_upstream").await;
    let client = stack.edge().client();
    let hanging = tokio::spawn(client.get("/api/public/hang").send());

    client.get("/api/public/fine").send().await.expect(200);

    let redirect = client.get("/api/public/redirect").send().await.expect(302);
    assert_eq!(redirect.header("location"), Some("http://127.0.0.1:9/elsewhere"));

    let id = "trace-odd-upstream-1";
    let spoofed = client
        .get("/api/public/spoof")
        .header("x-request-id", id)
        .send()
        .await
        .expect(200);
    let ids: Vec<_> = spoofed.headers.get_all("x-request-id").iter().collect();
    assert_eq!(ids, [id]);
    let cookies: Vec<_> = spoofed.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["theme=dark"], "an application planted a session");

    for odd in ["garbage", "close"] {
        client
            .get(&format!("/api/public/{odd}"))
            .send()
            .await
            .problem(502, "bad_gateway");
    }
    // The status has gone out before the upstream broke off: what can be told is that the body is not whole.
    assert!(
        client.get("/api/public/cut").try_send().await.is_none(),
        "a cut body passed for a whole one"
    );

    hanging.await.unwrap().problem(504, "gateway_timeout");

    // A request that the edge does not like never gets that far.
    let before = odd.heads().len();
    client
        .get("/api/public/fine")
        .bearer("not-a-token")
        .send()
        .await
        .problem(401, "invalid_token");
    assert_eq!(odd.heads().len(), before);

    drop(odd);
    eventually("a dead upstream is a 502", Duration::from_secs(10), async || {
        let answer = client.get("/api/public/fine").send().await;
        (answer.status == 502).then(|| answer.problem(502, "bad_gateway"))
    })
    .await;
}
