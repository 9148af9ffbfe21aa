//! Bodies and their headers, as they were sent: compressed, partial, absent, and event by event.

use http::Method;
use portcullis_tests::client::{Call, Client};
use portcullis_tests::scripted::{Arrival, ScriptedUpstream};
use sha2::{Digest as _, Sha256};

use super::scripted;

/// No compression of anything: what is passed on must not be looked into.
const COMPRESSED: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 0xff, 0, 10, 13];

/// A type that nothing in front of a Worker compresses by itself.
const TYPE: &str = "Content-Type: application/octet-stream\r\n";

#[tokio::test]
async fn messages_arrive_as_they_were_sent() {
    let (stack, upstream) = scripted("messages").await;
    let client = stack.edge().client();
    compressed_answers_are_not_looked_into(&client, &upstream).await;
    compressed_requests_are_not_looked_into(&client, &upstream).await;
    answers_without_a_body_keep_their_headers(&client, &upstream).await;
    parts_are_asked_for_and_answered(&client, &upstream).await;
    events_arrive_one_by_one(&client, &upstream).await;
}

async fn compressed_answers_are_not_looked_into(client: &Client, upstream: &ScriptedUpstream) {
    for coding in ["gzip", "br", "zstd", "gzip, br"] {
        let arriving = upstream.expect("/api/public/coded");
        let call = client
            .get("/api/public/coded")
            .header("accept-encoding", "br, gzip, zstd");
        let (answer, ()) = tokio::join!(call.send(), async {
            let length = COMPRESSED.len();
            let headers =
                format!("{TYPE}Content-Encoding: {coding}\r\nContent-Length: {length}\r\nETag: \"1\"\r\n");
            arriving.await.answer("200 OK", &headers, COMPRESSED).await;
        });
        assert_eq!(answer.header("content-encoding"), Some(coding));
        assert_eq!(answer.header("etag"), Some("\"1\""));
        assert_eq!(&answer.body[..], COMPRESSED, "{coding}");
    }
}

async fn compressed_requests_are_not_looked_into(client: &Client, upstream: &ScriptedUpstream) {
    let arriving = upstream.expect("/api/public/coded");
    let call = client
        .post("/api/public/coded")
        .header("content-encoding", "gzip")
        .header("accept-encoding", "gzip")
        .body(COMPRESSED);
    let (answer, ()) = tokio::join!(call.send(), async {
        let mut arrival = arriving.await;
        assert_eq!(arrival.header("content-encoding"), ["gzip"]);
        assert_eq!(arrival.header("content-length"), [COMPRESSED.len().to_string()]);
        assert!(
            arrival.header("accept-encoding")[0].contains("gzip"),
            "{}",
            arrival.head
        );
        let mut body = Vec::new();
        while body.len() < COMPRESSED.len() {
            body.extend(arrival.more().await.expect("the whole body"));
        }
        assert_eq!(body, COMPRESSED);
        arrival.answer("200 OK", "Content-Length: 0\r\n", b"").await;
    });
    answer.expect(200);
}

async fn answers_without_a_body_keep_their_headers(client: &Client, upstream: &ScriptedUpstream) {
    let path = "/api/public/bare";
    let conditional = client.get(path).header("if-none-match", "\"v1\"");
    let answer = exchange(upstream, path, conditional, |arrival| {
        assert_eq!(arrival.header("if-none-match"), ["\"v1\""]);
        (
            "304 Not Modified",
            "ETag: \"v1\"\r\nCache-Control: max-age=5\r\n",
            &b""[..],
        )
    });
    let answer = answer.await.expect(304);
    assert_eq!(answer.header("etag"), Some("\"v1\""));
    assert_eq!(answer.header("cache-control"), Some("max-age=5"));
    assert!(answer.body.is_empty());

    let head = exchange(upstream, path, client.call(Method::HEAD, path), |arrival| {
        assert!(arrival.head.starts_with("HEAD "), "{}", arrival.head);
        ("200 OK", "Content-Length: 12345\r\nETag: \"v1\"\r\n", &b""[..])
    });
    let head = head.await.expect(200);
    assert_eq!(head.header("content-length"), Some("12345"));
    assert_eq!(head.header("etag"), Some("\"v1\""));

    let deleted = exchange(upstream, path, client.call(Method::DELETE, path), |arrival| {
        assert!(arrival.head.starts_with("DELETE "), "{}", arrival.head);
        ("204 No Content", "X-Own: 1\r\n", &b""[..])
    });
    let deleted = deleted.await.expect(204);
    assert_eq!(deleted.header("x-own"), Some("1"));
    assert!(deleted.body.is_empty());
}

async fn parts_are_asked_for_and_answered(client: &Client, upstream: &ScriptedUpstream) {
    let path = "/api/public/part";
    let call = client
        .get(path)
        .header("range", "bytes=2-4")
        .header("if-range", "\"v1\"");
    let answer = exchange(upstream, path, call, |arrival| {
        assert_eq!(arrival.header("range"), ["bytes=2-4"]);
        assert_eq!(arrival.header("if-range"), ["\"v1\""]);
        let headers = "Content-Type: video/mp4\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\nAccept-Ranges: bytes\r\n";
        ("206 Partial Content", headers, &b"cde"[..])
    });
    let answer = answer.await.expect(206);
    assert_eq!(answer.header("content-range"), Some("bytes 2-4/10"));
    assert_eq!(answer.header("accept-ranges"), Some("bytes"));
    assert_eq!(&answer.body[..], b"cde");
}

/// The upstream sends an event only when the one before has been read at the other end.
async fn events_arrive_one_by_one(client: &Client, upstream: &ScriptedUpstream) {
    const EVENTS: u32 = 20;
    let arriving = upstream.expect("/api/public/events");
    let call = client
        .get("/api/public/events")
        .header("accept", "text/event-stream")
        .header("last-event-id", "41");
    let (response, mut arrival) = tokio::join!(call.stream(), async {
        let mut arrival = arriving.await;
        assert_eq!(arrival.header("last-event-id"), ["41"]);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\
             Transfer-Encoding: chunked\r\n\r\n";
        arrival.send(head.as_bytes()).await;
        arrival
    });
    let mut response = response.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    for number in 0..EVENTS {
        let event = format!(
            "id: {number}\ndata: {:x}\n\n",
            Sha256::digest(number.to_be_bytes())
        );
        arrival
            .send(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
            .await;
        let mut read = Vec::new();
        while read.len() < event.len() {
            read.extend(response.chunk().await.unwrap().expect("the stream goes on"));
        }
        assert_eq!(String::from_utf8_lossy(&read), event);
    }
    arrival.send(b"0\r\n\r\n").await;
    assert_eq!(response.chunk().await.unwrap(), None);
}

/// One exchange: what the upstream sees, and what it answers.
async fn exchange(
    upstream: &ScriptedUpstream,
    path: &str,
    call: Call,
    see: impl FnOnce(&Arrival) -> (&'static str, &'static str, &'static [u8]),
) -> portcullis_tests::answer::Answer {
    let arriving = upstream.expect(path);
    let (answer, ()) = tokio::join!(call.send(), async {
        let arrival = arriving.await;
        let (status, headers, body) = see(&arrival);
        arrival.answer(status, headers, body).await;
    });
    answer
}
