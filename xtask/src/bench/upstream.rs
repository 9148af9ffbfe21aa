//! The upstream behind the proxies, which is the edge's origin as well: it answers every GET at once, publishes the
//! keys of the bench's tokens, and tells which of them are revoked.
//!
//! It is as small as it can be, so that what is measured is the proxy: one thread for each connection, no parsing
//! beyond the first line.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use anyhow::{Context, Result};

use super::feed::Entries;

const BODY: &str = r#"{"events":[{"id":"01980000-0004-7000-8000-000000000000","name":"Opening night","sold":412,"capacity":900}]}"#;
const KEYS: &[u8] = b"GET /.well-known/jwks.json";
const FEED: &[u8] = b"GET /edge/revocations";
/// Far more than wrk and the Workers send.
const LONGEST_HEAD: usize = 32 * 1024;

/// What it answers.
struct Answers {
    body: Vec<u8>,
    keys: Vec<u8>,
    entries: Arc<Entries>,
}

/// Starts the upstream on a port of the system's choice, which is returned. It serves for as long as this program runs.
pub(super) fn start(key_set: &str, entries: &Arc<Entries>) -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("the upstream cannot listen")?;
    let port = listener
        .local_addr()
        .context("the upstream has no address")?
        .port();
    let answers = Arc::new(Answers {
        body: answer(BODY),
        keys: answer(key_set),
        entries: Arc::clone(entries),
    });
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answers = Arc::clone(&answers);
            // The end of a connection is none of our business: the contestant's failed requests are counted at its client.
            thread::spawn(move || serve(stream, &answers));
        }
    });
    Ok(port)
}

fn answer(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: max-age=300\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn serve(mut stream: TcpStream, answers: &Answers) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut head = Vec::with_capacity(LONGEST_HEAD);
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk)?;
        if read == 0 || head.len() > LONGEST_HEAD {
            return Ok(());
        }
        head.extend(chunk.iter().take(read));
        if head.ends_with(b"\r\n\r\n") {
            if head.starts_with(FEED) {
                stream.write_all(&answers.entries.answer(&String::from_utf8_lossy(&head)))?;
            } else if head.starts_with(KEYS) {
                stream.write_all(&answers.keys)?;
            } else {
                stream.write_all(&answers.body)?;
            }
            head.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::http::Client;

    #[test]
    fn the_upstream_answers_requests_and_publishes_keys_and_revocations() {
        let entries = Arc::new(Entries::new(3, &[]).unwrap());
        let port = start(r#"{"keys":[]}"#, &entries).unwrap();
        let mut client = Client::connect(port).unwrap();
        assert_eq!(client.get("/events", "token").unwrap().body, BODY);
        assert_eq!(
            client.get("/.well-known/jwks.json?kid=x", "token").unwrap().body,
            r#"{"keys":[]}"#
        );
        let feed = client.get("/edge/revocations", "token").unwrap();
        assert!(feed.header("signature").is_some() && feed.body.contains(r#""seq":3"#));
    }
}
