//! An upstream that misbehaves on request, and remembers what reached it.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server on a free port of 127.0.0.1. The last segment of a request's path says how it answers:
/// `hang` never does, `redirect` points elsewhere, `garbage` is no HTTP, `close` says nothing, `cut` stops in the middle of
/// a body, `spoof` sets headers that are not an upstream's to set, `timed` says how long it took; anything else is a plain 200.
#[derive(Debug)]
pub struct OddUpstream {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl OddUpstream {
    /// Starts it; it lives as long as the value and the runtime it was started on.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&seen)));
            }
        });
        Self { url, heads, serving }
    }

    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The heads of all requests so far: request line and headers, as they came.
    ///
    /// # Panics
    ///
    /// When the server has panicked.
    #[must_use]
    pub fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

impl Drop for OddUpstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, heads: Arc<Mutex<Vec<String>>>) {
    let Some(head) = read_head(&mut stream).await else {
        return;
    };
    let path = head
        .split(' ')
        .nth(1)
        .unwrap_or_default()
        .split('?')
        .next()
        .unwrap_or_default()
        .to_owned();
    heads.lock().unwrap().push(head);
    let answer: &[u8] = match path.rsplit('/').next().unwrap_or_default() {
        "hang" => return std::future::pending().await,
        "close" => return,
        "redirect" => b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "garbage" => b"this is no HTTP at all\r\n\r\n",
        "cut" => b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this",
        "spoof" => {
            b"HTTP/1.1 200 OK\r\nX-Request-Id: chosen-by-upstream\r\nSet-Cookie: theme=dark\r\n\
              Set-Cookie: __Host-pc_access=planted; Path=/; Secure\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        }
        "timed" => b"HTTP/1.1 200 OK\r\nServer-Timing: db;dur=53.2\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        _ => b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    };
    stream.write_all(answer).await.ok();
    stream.shutdown().await.ok();
}

async fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while !received.windows(4).any(|window| window == b"\r\n\r\n") {
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        received.extend_from_slice(&buffer[..count]);
    }
    Some(String::from_utf8_lossy(&received).into_owned())
}
