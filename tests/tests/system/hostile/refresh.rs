//! The origin misbehaves when the edge refreshes a browser's session on the way.

use futures_util::{StreamExt as _, stream};
use portcullis_tests::bare_edge::BareEdge;
use portcullis_tests::hostile::{Act, Hostile, say, whole};

use super::{assert_tells_nothing, origin};

const REFRESH: &str = "/auth/refresh";

/// Every answer that renews nothing, and tells nothing about the session either.
fn cases() -> Vec<(&'static str, Vec<Act>)> {
    let endless = "HTTP/1.1 401 No\r\nTransfer-Encoding: chunked\r\n\r\n";
    let piece = format!("1000\r\n{}\r\n", " ".repeat(0x1000));
    let access = "Set-Cookie: __Host-pc_access=a.b.c; Path=/; Secure; HttpOnly\r\n";
    vec![
        ("silence", vec![Act::Hang]),
        ("no HTTP", vec![say("hello\r\n\r\n")]),
        ("a reset", vec![Act::Reset]),
        ("500", vec![whole("500 Oops", "", "at /srv/origin.rs:1")]),
        (
            "a page",
            vec![whole("200 OK", "Content-Type: text/html\r\n", "<h1>Welcome</h1>")],
        ),
        ("one cookie of two", vec![whole("200 OK", access, "{}")]),
        (
            "a redirect",
            vec![whole("307 Go", "Location: /auth/refresh2\r\n", "")],
        ),
        (
            "somebody else's 401",
            vec![whole("401 No", "Content-Type: text/html\r\n", "log in first")],
        ),
        (
            "an endless 401",
            vec![say(endless), Act::Repeat(piece.into_bytes())],
        ),
        (
            "a cut 401",
            vec![say("HTTP/1.1 401 No\r\nContent-Length: 99\r\n\r\n{\"code\"")],
        ),
    ]
}

#[tokio::test]
async fn a_refresh_that_comes_to_nothing_is_a_503_and_signs_nobody_out() {
    let app = Hostile::start().await;
    let checks = stream::iter(cases()).for_each_concurrent(4, |(name, acts)| {
        let app = app.url().to_owned();
        async move {
            let origin = origin().await;
            origin.answer(REFRESH, acts);
            let edge = BareEdge::start(origin.url(), &app).await;
            let client = edge.door().client();
            let call = client.get("/me").header("cookie", "__Host-pc_refresh=pcr_f.1.m");
            let answer = call.send().await;
            answer.problem(503, "unavailable");
            assert_tells_nothing(&answer);
            assert_eq!(answer.header("set-cookie"), None, "{name} signed the browser out");
            assert_eq!(origin.heads(REFRESH).len(), 1, "{name} was asked again");
            assert!(origin.heads("/auth/refresh2").is_empty(), "{name} was followed");
            client.get("/app/fine").send().await.expect(200);
        }
    });
    checks.await;
    assert!(app.heads("/me").is_empty(), "somebody passed without a session");
}

#[tokio::test]
async fn an_invented_session_is_no_question_to_the_origin_where_clients_are_not_counted() {
    let origin = origin().await;
    let edge = BareEdge::start(origin.url(), origin.url()).await;
    let client = edge.door().client();
    for (path, asked) in [("/live", 0), ("/app/x", 1)] {
        let call = client.get(path).header("cookie", "__Host-pc_refresh=pcr_f.1.m");
        let answer = call.send().await.expect(200);
        assert_eq!(answer.header("set-cookie"), None, "{path}");
        assert_eq!(origin.heads(REFRESH).len(), asked, "{path}");
    }
}
