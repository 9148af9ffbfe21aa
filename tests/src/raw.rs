//! Requests that no proper client would send: bytes over TCP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpSocket, TcpStream};

use crate::answer::Answer;
use crate::client::Client;
use crate::world::{Door, Kind};

/// How long an answer may take; above the 10 s that a body may stall.
const PATIENCE: Duration = Duration::from_secs(40);

/// The beginning of a request as bytes: request line and the headers that say where it comes from, each with its
/// line end. More header lines, the empty line and the body are the caller's.
#[must_use]
pub fn head(client: &Client, request_line: &[u8]) -> Vec<u8> {
    let mut head = request_line.to_vec();
    head.extend(
        format!(
            " HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            client.door().authority()
        )
        .bytes(),
    );
    if client.door().kind() == Kind::Edge {
        head.extend(format!("CF-Connecting-IP: {}\r\n", client.address()).bytes());
    }
    head
}

/// Sends `request` and reads the answer; `None` when the connection ended, or nothing came in time, without one.
pub async fn exchange(client: &Client, request: &[u8]) -> Option<Answer> {
    let (reader, mut writer) = connect(client.door(), Some(client)).await.into_split();
    let request = request.to_vec();
    // The other end may answer and close before it has read everything.
    let writing = tokio::spawn(async move {
        writer.write_all(&request).await.ok();
        writer
    });
    let answer = read_answer(reader).await;
    writing.abort();
    answer
}

/// Sends `head`, then `chunk` again and again for as long as the other end listens, and reads the answer.
pub async fn exchange_endless(client: &Client, head: &[u8], chunk: &[u8]) -> Option<Answer> {
    let (reader, mut writer) = connect(client.door(), Some(client)).await.into_split();
    let (head, chunk) = (head.to_vec(), chunk.to_vec());
    let writing = tokio::spawn(async move {
        let mut sent = writer.write_all(&head).await;
        while sent.is_ok() {
            sent = writer.write_all(&chunk).await;
        }
    });
    let answer = read_answer(reader).await;
    writing.abort();
    answer
}

/// A connection to `door`, from the address of `client` where that is a local one.
///
/// # Panics
///
/// When nobody listens.
pub async fn connect(door: &Door, client: Option<&Client>) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    if let Some(IpAddr::V4(address)) = client.map(Client::address)
        && address != Ipv4Addr::LOCALHOST
    {
        socket.bind(SocketAddr::from((address, 0))).unwrap();
    }
    socket
        .connect(door.authority().parse().expect("host:port"))
        .await
        .expect("a connection")
}

/// Reads one answer to its end, or to the end of the connection.
pub async fn read_answer(mut reader: OwnedReadHalf) -> Option<Answer> {
    let mut received = Vec::new();
    let reading = async {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if let Some(answer) = parse(&received, false) {
                return Some(answer);
            }
            match reader.read(&mut buffer).await {
                Ok(0) | Err(_) => return parse(&received, true),
                Ok(count) => received.extend_from_slice(&buffer[..count]),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.ok().flatten()
}

/// The answer in `received`, once it is whole; at the `end` of the connection, what there is of it.
fn parse(received: &[u8], end: bool) -> Option<Answer> {
    let split = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, body) = (&received[..split], &received[split + 4..]);
    let mut lines = head.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let status = lines.next()?.split(|byte| *byte == b' ').nth(1)?;
    let status = StatusCode::from_bytes(status).ok()?;
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        return parse(body, end);
    }
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        headers.append(
            HeaderName::from_bytes(&line[..colon]).ok()?,
            HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?,
        );
    }
    let chunked = headers
        .get("transfer-encoding")
        .is_some_and(|value| value == "chunked");
    let length: Option<usize> = headers
        .get("content-length")
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let body = match (chunked, length) {
        (true, _) => dechunk(body, end)?,
        (false, Some(length)) if body.len() >= length => body[..length].to_vec(),
        (false, _) if end || status == StatusCode::SWITCHING_PROTOCOLS => body.to_vec(),
        (false, _) => return None,
    };
    Some(Answer {
        status,
        headers,
        body: Bytes::from(body),
    })
}

fn dechunk(mut rest: &[u8], end: bool) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else {
            return end.then_some(body);
        };
        let size =
            usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?.split(';').next()?, 16).ok()?;
        let chunk = &rest[line + 2..];
        if size == 0 {
            return Some(body);
        }
        if chunk.len() < size + 2 {
            return end.then_some(body);
        }
        body.extend_from_slice(&chunk[..size]);
        rest = &chunk[size + 2..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_its_length_is_reached() {
        let bytes = b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello";
        assert!(parse(&bytes[..bytes.len() - 1], false).is_none());
        let answer = parse(bytes, false).unwrap();
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-a"), &answer.body[..]),
            (413, Some("b"), &b"hello"[..])
        );
    }

    #[test]
    fn a_chunked_answer_is_whole_at_its_last_chunk() {
        let bytes =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n";
        assert!(parse(&bytes[..bytes.len() - 5], false).is_none());
        assert_eq!(&parse(bytes, false).unwrap().body[..], b"abcde");
    }
}
