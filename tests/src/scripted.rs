//! An upstream that a test speaks for, byte by byte.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long an expected request may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The answer to what nobody expects: a page.
const PAGE: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 34\r\nConnection: close\r\n\r\n\
    <!doctype html><title>Page</title>";

type Expected = Arc<Mutex<HashMap<String, oneshot::Sender<Arrival>>>>;

/// A server on a free port of 127.0.0.1. A request for a path that a test expects is handed to that test; any other is
/// answered with a page.
#[derive(Debug)]
pub struct ScriptedUpstream {
    port: u16,
    expected: Expected,
    serving: JoinHandle<()>,
}

/// A request whose head has arrived, and the connection to answer on.
#[derive(Debug)]
pub struct Arrival {
    /// Request line and headers, as they came.
    pub head: String,
    /// What has come of the body so far.
    pub body: Vec<u8>,
    /// The connection.
    pub stream: TcpStream,
}

impl ScriptedUpstream {
    /// Starts it; it lives as long as the value and the runtime it was started on.
    ///
    /// # Panics
    ///
    /// When there is no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let expected = Expected::default();
        let known = Arc::clone(&expected);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&known)));
            }
        });
        Self {
            port,
            expected,
            serving,
        }
    }

    /// `http://127.0.0.1:port`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The next request for `path`, which has no query. It is expected from now on, and the future is that of its arrival.
    ///
    /// # Panics
    ///
    /// When it does not arrive in time.
    pub fn expect(&self, path: &str) -> impl Future<Output = Arrival> + use<> {
        let (sender, receiver) = oneshot::channel();
        self.expected.lock().unwrap().insert(path.to_owned(), sender);
        let path = path.to_owned();
        async move {
            let arrival = tokio::time::timeout(PATIENCE, receiver).await;
            arrival
                .unwrap_or_else(|_| panic!("no request for {path}"))
                .expect("the server runs")
        }
    }
}

impl Drop for ScriptedUpstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Arrival {
    /// The values of a header, as they came.
    #[must_use]
    pub fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let of_name = lines.filter(|(own, _)| own.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.trim()).collect()
    }

    /// Sends bytes.
    ///
    /// # Panics
    ///
    /// When nobody listens any more.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("somebody who listens");
    }

    /// Sends bytes; whether somebody still listens.
    pub async fn try_send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).await.is_ok()
    }

    /// Sends a whole response: status and reason, header lines each with its line end, and the body as it is.
    pub async fn answer(mut self, status: &str, headers: &str, body: &[u8]) {
        let head = format!("HTTP/1.1 {status}\r\n{headers}\r\n");
        self.send(head.as_bytes()).await;
        self.send(body).await;
        self.stream.shutdown().await.ok();
    }

    /// More of the body, at least one byte; `None` at the end of the connection.
    pub async fn more(&mut self) -> Option<Vec<u8>> {
        if !self.body.is_empty() {
            return Some(std::mem::take(&mut self.body));
        }
        let mut buffer = vec![0; 256 * 1024];
        let count = self
            .stream
            .read(&mut buffer)
            .await
            .ok()
            .filter(|count| *count > 0)?;
        buffer.truncate(count);
        Some(buffer)
    }
}

async fn serve(mut stream: TcpStream, expected: Expected) {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    let end = loop {
        if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => received.extend_from_slice(&buffer[..count]),
            Ok(_) | Err(_) => return,
        }
    };
    let body = received.split_off(end + 4);
    let head = String::from_utf8_lossy(&received).into_owned();
    let target = head.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default();
    let waiting = expected.lock().unwrap().remove(path);
    if let Some(waiting) = waiting {
        // A test that has stopped waiting has failed for another reason.
        waiting.send(Arrival { head, body, stream }).ok();
    } else {
        stream.write_all(PAGE).await.ok();
        stream.shutdown().await.ok();
    }
}
