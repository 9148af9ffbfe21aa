//! The whole origin on a port of its own, in the process of the test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use portcullis_origin::app::App;
use portcullis_origin::http::{self, Stop};
use portcullis_origin::kernel::config::Config;
use portcullis_origin::kernel::random::{self, SystemEntropy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{TestClock, TestDatabase, redis_url};

/// Settings by the names of their environment variables.
pub(crate) type Settings = BTreeMap<String, String>;

/// A running origin. Its limits are those of the defaults; its passwords are cheap.
pub(crate) struct TestServer {
    /// The state of all rooms.
    pub(crate) app: App,
    /// The clock that the server goes by.
    pub(crate) clock: Arc<TestClock>,
    /// The server's database; `None` where the test gave it another.
    pub(crate) database: Option<TestDatabase>,
    /// A client that follows no redirects and keeps no cookies.
    pub(crate) client: reqwest::Client,
    address: SocketAddr,
    stop: Option<oneshot::Sender<Stop>>,
    served: JoinHandle<std::io::Result<()>>,
}

impl TestServer {
    /// A server with a migrated database of its own.
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// The same, with other settings: `settings.insert("PORTCULLIS__HTTP__DRAIN_SECONDS".into(), "1".into())`.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let database = TestDatabase::create().await;
        let url = database.url().to_owned();
        let mut server = Self::start_on(&url, change).await;
        server.database = Some(database);
        server
    }

    /// A server on the database of this URL, which need not be there.
    pub(crate) async fn start_on(database_url: &str, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = default_settings(database_url);
        change(&mut settings);
        let config = Config::load(None, settings).unwrap();
        let clock = Arc::new(TestClock::default());
        let app = App::new(config, Arc::clone(&clock) as _, Arc::new(SystemEntropy)).unwrap();
        let router = app.router();
        Self::serve(app, clock, router).await
    }

    /// Serves this router, which a test may have added routes to, for an application that it made.
    pub(crate) async fn serve(app: App, clock: Arc<TestClock>, router: axum::Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopping) = oneshot::channel();
        let state = app.core().clone();
        let served = tokio::spawn(async move {
            http::serve(listener, router, &state, async {
                stopping.await.unwrap_or(Stop::Prompt)
            })
            .await
        });
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            app,
            clock,
            database: None,
            client,
            address,
            stop: Some(stop),
            served,
        }
    }

    /// The address it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The server's own connections, for what a test asks of them itself.
    pub(crate) fn pool(&self) -> &sqlx::PgPool {
        self.app.core().pool().connections()
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request with this verb.
    pub(crate) fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path))
    }

    /// A GET.
    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::GET, path)
    }

    /// A POST.
    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::POST, path)
    }

    /// Asks the server to stop.
    pub(crate) fn ask_to_stop(&mut self, stop: Stop) {
        self.stop
            .take()
            .expect("the server was not asked before")
            .send(stop)
            .expect("the server runs");
    }

    /// Waits until the server has stopped.
    pub(crate) async fn stopped(&mut self) {
        (&mut self.served).await.unwrap().unwrap();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.served.abort();
    }
}

fn default_settings(database_url: &str) -> Settings {
    let master_key = Base64::encode_string(&random::bytes::<32>(&SystemEntropy));
    [
        ("DATABASE_URL", database_url),
        ("REDIS_URL", &redis_url()),
        ("PORTCULLIS__SECRETS__MASTER_KEY", &master_key),
        ("PORTCULLIS__TOKENS__ISSUER", "https://auth.example.com"),
        ("PORTCULLIS__TOKENS__AUDIENCE", "example"),
        ("PORTCULLIS__TOKENS__RSA_BITS", "2048"),
        ("PORTCULLIS__PASSWORDS__MEMORY_KIB", "8192"),
        ("PORTCULLIS__PASSWORDS__ITERATIONS", "1"),
        ("PORTCULLIS__PASSWORDS__PARALLELISM", "1"),
        // A test that holds a lock until others wait for it may take its time on a busy machine.
        ("PORTCULLIS__DATABASE__LOCK_TIMEOUT_SECONDS", "60"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Sends bytes as they are and reads until the server closes the connection or has said enough: for requests that
/// no client would send. The text is what came back, head and body.
pub(crate) async fn raw_exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&chunk[..length]),
        }
        if is_complete(&answer) {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn is_complete(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .is_some_and(|(_, length)| body.len() >= length.trim().parse().unwrap_or(usize::MAX))
}
