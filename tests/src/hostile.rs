//! A server that breaks HTTP in every way it is told to, and says what became of its connections.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How often what is sent for ever is sent.
const PACE: Duration = Duration::from_millis(5);

/// One thing that it does on a connection.
#[derive(Clone, Debug)]
pub enum Act {
    /// It sends these bytes.
    Send(Vec<u8>),
    /// It sends these bytes again and again, for as long as the other end takes them.
    Repeat(Vec<u8>),
    /// It says nothing until the other end closes the connection.
    Hang,
    /// It says nothing until [`Hostile::release`].
    Hold,
    /// It ends the connection by a reset (RST).
    Reset,
    /// It waits for the next request on the same connection, and goes on with what follows.
    Next,
}

/// An act that sends a text.
#[must_use]
pub fn say(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

/// A whole answer of `status` with `headers`, each with its line end, and `body`.
#[must_use]
pub fn whole(status: &str, headers: &str, body: &str) -> Act {
    let length = body.len();
    say(&format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    ))
}

/// What a request for some path is answered with: made anew for each.
type Answers = HashMap<String, Arc<dyn Fn() -> Vec<Act> + Send + Sync>>;

/// A server on a free port of 127.0.0.1. A path that nobody has given an answer is a plain 200.
#[derive(Debug)]
pub struct Hostile {
    url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    answers: Mutex<Answers>,
    heads: Mutex<Vec<String>>,
    /// The paths of requests whose connection the other end closed while there was more to come.
    abandoned: Mutex<Vec<String>>,
    released: watch::Sender<bool>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Hostile {
    /// Starts it; it lives as long as the value and the runtime it was started on.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            heads: Mutex::default(),
            abandoned: Mutex::default(),
            released: watch::channel(false).0,
        });
        let serving = {
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&shared)));
                }
            })
        };
        Self { url, shared, serving }
    }

    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers requests for `path` with `acts` from now on.
    pub fn answer(&self, path: &str, acts: Vec<Act>) {
        self.answer_with(path, move || acts.clone());
    }

    /// The same, with acts that are made for each request.
    pub fn answer_with(&self, path: &str, acts: impl Fn() -> Vec<Act> + Send + Sync + 'static) {
        let mut answers = self.shared.answers.lock().unwrap();
        answers.insert(path.to_owned(), Arc::new(acts));
    }

    /// The heads of the requests for `path` so far: request line and headers, as they came.
    #[must_use]
    pub fn heads(&self, path: &str) -> Vec<String> {
        let heads = self.shared.heads.lock().unwrap();
        heads
            .iter()
            .filter(|head| path_of(head) == path)
            .cloned()
            .collect()
    }

    /// Whether the other end has closed a connection on which a request for `path` was being answered.
    #[must_use]
    pub fn was_abandoned(&self, path: &str) -> bool {
        let abandoned = self.shared.abandoned.lock().unwrap();
        abandoned.iter().any(|other| other == path)
    }

    /// Lets all go on that are held.
    pub fn release(&self) {
        self.shared.released.send_replace(true);
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>) {
    let Some(mut path) = read_request(&mut stream, &shared).await else {
        return;
    };
    let answer = shared.answers.lock().unwrap().get(&path).cloned();
    let acts = answer.map_or_else(|| vec![whole("200 OK", "", "ok")], |answer| answer());
    for act in acts {
        let goes_on = match act {
            Act::Send(bytes) => stream.write_all(&bytes).await.is_ok(),
            Act::Repeat(bytes) => repeat(&mut stream, &bytes).await,
            Act::Hang => is_open(&mut stream).await,
            Act::Hold => {
                let mut released = shared.released.subscribe();
                released.wait_for(|released| *released).await.is_ok()
            }
            Act::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
            Act::Next => match read_request(&mut stream, &shared).await {
                Some(next) => {
                    path = next;
                    true
                }
                None => return,
            },
        };
        if !goes_on {
            shared.abandoned.lock().unwrap().push(path);
            return;
        }
    }
    stream.shutdown().await.ok();
}

async fn repeat(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    while stream.write_all(bytes).await.is_ok() {
        tokio::time::sleep(PACE).await;
    }
    false
}

/// Waits until the other end closes the connection, whatever it still sends; `false` when it has.
async fn is_open(stream: &mut TcpStream) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    false
}

/// Reads the head of a request, and leaves its body to whoever wants it; the path.
async fn read_request(stream: &mut TcpStream, shared: &Shared) -> Option<String> {
    let mut received = Vec::new();
    let mut byte = [0];
    while !received.ends_with(b"\r\n\r\n") {
        stream.read(&mut byte).await.ok().filter(|count| *count > 0)?;
        received.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&received).into_owned();
    let path = path_of(&head).to_owned();
    shared.heads.lock().unwrap().push(head);
    Some(path)
}

fn path_of(head: &str) -> &str {
    let target = head.split(' ').nth(1).unwrap_or_default();
    target.split('?').next().unwrap_or_default()
}
