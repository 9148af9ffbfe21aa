//! Bodies that never end, clients that go away, answers that come too early, connections that close at the wrong moment.

use std::time::Duration;

use futures_util::StreamExt as _;
use portcullis_tests::bare_edge::BareEdge;
use portcullis_tests::eventually;
use portcullis_tests::hostile::{Act, Hostile, say};
use portcullis_tests::raw;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How soon the upstream must notice that nobody listens any more.
const SOON: Duration = Duration::from_secs(10);
const ENDLESS: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

async fn gone(upstream: &Hostile, path: &str) {
    eventually(&format!("the connection of {path} is closed"), SOON, async || {
        upstream.was_abandoned(path).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_client_that_goes_away_takes_the_upstreams_connection_with_it() {
    let upstream = Hostile::start().await;
    let edge = BareEdge::start(upstream.url(), upstream.url()).await;
    let client = edge.door().client();
    // In the middle of a body that never ends.
    let path = "/patient/endless";
    let piece = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
    upstream.answer(path, vec![say(ENDLESS), Act::Repeat(piece.into_bytes())]);
    let response = client.get(path).stream().await.unwrap();
    assert_eq!(response.status(), 200);
    let mut pieces = response.bytes_stream();
    let mut received = 0;
    while received < 100_000 {
        received += pieces.next().await.unwrap().unwrap().len();
    }
    drop(pieces);
    gone(&upstream, path).await;

    // While the body pauses: workerd notices with the next piece.
    let path = "/patient/slow";
    let more = Act::Repeat(b"2\r\nok\r\n".to_vec());
    upstream.answer(path, vec![say(ENDLESS), say("2\r\nok\r\n"), Act::Hold, more]);
    let response = client.get(path).stream().await.unwrap();
    let mut pieces = response.bytes_stream();
    assert_eq!(pieces.next().await.unwrap().unwrap(), "ok");
    drop(pieces);
    upstream.release();
    gone(&upstream, path).await;

    // Before there is an answer: workerd takes the end of a client's sending for no end of its listening, so the
    // route's patience is what counts.
    let path = "/app/left-alone";
    upstream.answer(path, vec![Act::Hang]);
    let mut stream = raw::connect(client.door(), None).await;
    let head = raw::head(&client, format!("GET {path}").as_bytes());
    stream
        .write_all(&[head.as_slice(), b"\r\n"].concat())
        .await
        .unwrap();
    eventually("the upstream is asked", SOON, async || {
        (!upstream.heads(path).is_empty()).then_some(())
    })
    .await;
    drop(stream);
    gone(&upstream, path).await;
    client.get("/app/fine").send().await.expect(200);
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_in_time_is_let_go() {
    let upstream = Hostile::start().await;
    let edge = BareEdge::start(upstream.url(), upstream.url()).await;
    let client = edge.door().client();
    upstream.answer("/app/silent", vec![Act::Hang]);
    client
        .get("/app/silent")
        .send()
        .await
        .problem(504, "gateway_timeout");
    gone(&upstream, "/app/silent").await;
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_was_read_reaches_the_client() {
    let upstream = Hostile::start().await;
    let edge = BareEdge::start(upstream.url(), upstream.url()).await;
    let client = edge.door().client();
    let path = "/patient/upload";
    let refusal = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 8\r\n\r\ntoo much";
    upstream.answer(path, vec![say(refusal), Act::Hang]);
    let mut head = raw::head(&client, format!("POST {path}").as_bytes());
    head.extend(b"Content-Length: 50000000\r\n\r\n");
    let answer = raw::exchange_endless(&client, &head, &[b'x'; 16 * 1024]).await;
    let answer = answer.expect("an answer").expect(413);
    assert_eq!(&answer.body[..], b"too much");
}

#[tokio::test]
async fn a_request_that_may_change_something_is_sent_once_whatever_becomes_of_the_connection() {
    let upstream = Hostile::start().await;
    let edge = BareEdge::start(upstream.url(), upstream.url()).await;
    let client = edge.door().client();
    // It keeps the connection, and closes it just when the next request has come.
    let first = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    upstream.answer("/app/first", vec![say(first), Act::Next]);
    upstream.answer("/app/order", vec![]);
    for _ in 0..3 {
        client.get("/app/first").send().await.expect(200);
        let before = upstream.heads("/app/order").len();
        let order = client.post("/app/order").body("one").send().await;
        order.problem(502, "bad_gateway");
        assert_eq!(upstream.heads("/app/order").len(), before + 1);
    }
    // It closes it in between: that is nobody's fault, and the next request finds a new one.
    upstream.answer("/app/idle", vec![say(first)]);
    for _ in 0..5 {
        client.post("/app/idle").body("one").send().await.expect(200);
    }
    assert_eq!(upstream.heads("/app/idle").len(), 5);
}

#[tokio::test]
async fn what_follows_an_answer_is_not_taken_for_the_next_one() {
    let upstream = Hostile::start().await;
    let edge = BareEdge::start(upstream.url(), upstream.url()).await;
    let client = edge.door().client();
    let two =
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nplanted";
    upstream.answer("/app/two", vec![say(two), Act::Hang]);
    for _ in 0..5 {
        for path in ["/app/two", "/app/fine"] {
            let answer = client.get(path).send().await.expect(200);
            assert_eq!(&answer.body[..], b"ok", "{path}");
        }
    }
}

#[tokio::test]
async fn an_upstream_that_switches_protocols_unasked_gets_no_tunnel() {
    let upstream = Hostile::start().await;
    let edge = BareEdge::start(upstream.url(), upstream.url()).await;
    let client = edge.door().client();
    let path = "/app/switch";
    let switched =
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nplanted";
    upstream.answer(path, vec![say(switched), Act::Hang]);
    let mut stream = raw::connect(client.door(), None).await;
    let head = raw::head(&client, format!("GET {path}").as_bytes());
    stream
        .write_all(&[head.as_slice(), b"\r\n"].concat())
        .await
        .unwrap();
    let mut received = Vec::new();
    let reading = stream.read_to_end(&mut received);
    tokio::time::timeout(SOON, reading).await.unwrap().unwrap();
    let received = String::from_utf8_lossy(&received);
    assert!(received.starts_with("HTTP/1.1 502 "), "{received}");
    assert!(!received.contains("planted"), "{received}");
}
