//! Bodies of 100 MB, both ways: exact, and in memory that does not grow with them.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use portcullis_tests::client::Client;
use portcullis_tests::eventually;
use portcullis_tests::process::Process;
use portcullis_tests::scripted::{Arrival, ScriptedUpstream};
use sha2::{Digest as _, Sha256};
use xtask::stack::Part;

use super::scripted;

const PIECE: usize = 64 * 1024;
const PIECES: usize = 1600;
const LENGTH: usize = PIECE * PIECES;

/// What the runtimes of the Worker may need more while such a body passes: buffers, and no body.
const MOST_GROWTH: u64 = 24 * 1024 * 1024;

const PATH: &str = "/api/public/long";

/// The pieces of a long body: no two alike, so that a lost, doubled or swapped one shows.
fn pieces() -> impl Iterator<Item = Bytes> + Send {
    (0..PIECES).map(|at| {
        let mut piece = vec![0; PIECE];
        for (place, word) in piece.chunks_exact_mut(8).enumerate() {
            word.copy_from_slice(
                &(at * PIECE + place)
                    .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                    .to_le_bytes(),
            );
        }
        piece.into()
    })
}

fn digest() -> String {
    let whole = pieces().fold(Sha256::new(), Sha256::chain_update);
    format!("{:x}", whole.finalize())
}

fn body(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> reqwest::Body {
    reqwest::Body::wrap_stream(stream::iter(pieces.map(Ok::<_, std::io::Error>)))
}

#[tokio::test]
async fn long_bodies_pass_exactly_and_stay_in_nobodys_memory() {
    let (stack, upstream) = scripted("bodies").await;
    let client = stack.edge().client();
    let runtimes = Process::below(stack.pid(Part::Edge), "workerd");
    assert!(!runtimes.is_empty(), "the Worker runs in workerd");
    // Once without looking, so that what is allocated once is there.
    download(&client, &upstream).await;
    upload(&client, &upstream, true).await;

    for passing in [Passing::Down, Passing::UpWithLength, Passing::UpWithout] {
        for runtime in &runtimes {
            runtime.forget_peak();
        }
        let before: Vec<u64> = runtimes.iter().map(|runtime| runtime.peak()).collect();
        let seen = match passing {
            Passing::Down => download(&client, &upstream).await,
            Passing::UpWithLength => upload(&client, &upstream, true).await,
            Passing::UpWithout => upload(&client, &upstream, false).await,
        };
        assert_eq!(seen, digest(), "{passing:?}");
        for (runtime, before) in runtimes.iter().zip(before) {
            let growth = runtime.peak().saturating_sub(before);
            assert!(
                growth < MOST_GROWTH,
                "{passing:?}: {growth} bytes more than {before}"
            );
        }
    }

    a_client_that_stops_reading_is_noticed(&client, &upstream).await;
    a_client_that_stops_sending_is_noticed(&client, &upstream).await;
    client.get("/api/public/page").send().await.expect(200);
}

#[derive(Clone, Copy, Debug)]
enum Passing {
    Down,
    UpWithLength,
    UpWithout,
}

/// Downloads the long body, and gives the digest of what came.
async fn download(client: &Client, upstream: &ScriptedUpstream) -> String {
    let arriving = upstream.expect(PATH);
    let sending = tokio::spawn(async move {
        let mut arrival = arriving.await;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n");
        arrival.send(head.as_bytes()).await;
        for piece in pieces() {
            arrival.send(&piece).await;
        }
    });
    let response = client.get(PATH).stream().await.expect("an answer");
    assert_eq!(response.content_length(), Some(LENGTH as u64));
    let mut hash = Sha256::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        hash.update(chunk.unwrap());
    }
    sending.await.unwrap();
    format!("{:x}", hash.finalize())
}

/// Uploads it, and gives the digest of what the upstream received.
async fn upload(client: &Client, upstream: &ScriptedUpstream, says_length: bool) -> String {
    let arriving = upstream.expect(PATH);
    let receiving = tokio::spawn(async move {
        let mut arrival = arriving.await;
        let length = says_length.then(|| LENGTH.to_string());
        assert_eq!(
            arrival.header("content-length").first().copied(),
            length.as_deref()
        );
        let digest = if says_length {
            digest_of_length(&mut arrival, LENGTH).await
        } else {
            assert_eq!(arrival.header("transfer-encoding"), ["chunked"]);
            digest_of_chunks(&mut arrival).await
        };
        arrival.answer("200 OK", "Content-Length: 0\r\n", b"").await;
        digest
    });
    let call = client.post(PATH);
    let call = if says_length {
        call.header("content-length", &LENGTH.to_string())
    } else {
        call
    };
    call.body(body(pieces())).send().await.expect(200);
    receiving.await.unwrap()
}

async fn digest_of_length(arrival: &mut Arrival, length: usize) -> String {
    let mut hash = Sha256::new();
    let mut missing = length;
    while missing > 0 {
        let piece = arrival.more().await.expect("the whole body");
        missing = missing.checked_sub(piece.len()).expect("no more than the body");
        hash.update(piece);
    }
    format!("{:x}", hash.finalize())
}

async fn digest_of_chunks(arrival: &mut Arrival) -> String {
    let mut hash = Sha256::new();
    let mut pending: Vec<u8> = Vec::new();
    loop {
        let Some(line) = pending.windows(2).position(|window| window == b"\r\n") else {
            pending.extend(arrival.more().await.expect("the whole body"));
            continue;
        };
        let size = usize::from_str_radix(std::str::from_utf8(&pending[..line]).unwrap(), 16).unwrap();
        let end = line + 2 + size + 2;
        while pending.len() < end {
            pending.extend(arrival.more().await.expect("the whole body"));
        }
        hash.update(&pending[line + 2..end - 2]);
        pending.drain(..end);
        if size == 0 {
            return format!("{:x}", hash.finalize());
        }
    }
}

async fn a_client_that_stops_reading_is_noticed(client: &Client, upstream: &ScriptedUpstream) {
    let arriving = upstream.expect(PATH);
    let sending = tokio::spawn(async move {
        let mut arrival = arriving.await;
        arrival
            .send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
            .await;
        let piece = vec![7; PIECE];
        while arrival.try_send(&piece).await {}
    });
    let mut response = client.get(PATH).stream().await.expect("an answer");
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    within_patience("the upstream hears that nobody reads", sending).await;
}

async fn a_client_that_stops_sending_is_noticed(client: &Client, upstream: &ScriptedUpstream) {
    let arriving = upstream.expect(PATH);
    // It sends a little, and then nothing until it is gone.
    let endless =
        stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(&[7; 1024]))]).chain(stream::pending());
    let call = client.post(PATH).body(reqwest::Body::wrap_stream(endless));
    let sending = tokio::spawn(call.stream());
    let mut arrival = arriving.await;
    arrival.more().await.expect("the beginning of the body");
    sending.abort();
    let receiving = tokio::spawn(async move { while arrival.more().await.is_some() {} });
    within_patience("the upstream hears that nobody sends", receiving).await;
}

async fn within_patience(what: &str, task: tokio::task::JoinHandle<()>) {
    eventually(what, Duration::from_secs(20), async || {
        task.is_finished().then_some(())
    })
    .await;
    task.await.unwrap();
}
