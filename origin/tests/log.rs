//! What the log says, and what it never says.

use std::io;
use std::sync::{Arc, Mutex, Once};

use portcullis_origin::kernel::config::{LogConfig, LogFormat};
use portcullis_origin::kernel::logging;
use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use crate::common::TestServer;

/// Keeps what is written.
#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn lines(&self) -> Vec<Value> {
        self.text()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'writer> MakeWriter<'writer> for Captured {
    type Writer = Self;

    fn make_writer(&'writer self) -> Self {
        self.clone()
    }
}

/// Captures the log of this thread, which is all of the test's runtime.
fn capture(filter: &str) -> (Captured, tracing::subscriber::DefaultGuard) {
    // A place in the code that another test's thread, which captures nothing, reaches first would be taken for one
    // that nobody listens to. A listener that all threads have keeps it open.
    static LISTENER: Once = Once::new();
    LISTENER.call_once(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry()).unwrap();
    });
    let captured = Captured::default();
    let config = LogConfig {
        format: LogFormat::Json,
        filter: filter.to_owned(),
    };
    let guard = tracing::subscriber::set_default(logging::subscriber(&config, captured.clone()));
    (captured, guard)
}

#[tokio::test]
async fn a_request_is_one_line_with_its_route_status_duration_and_id() {
    let server = TestServer::start().await;
    let (captured, _guard) = capture("portcullis_origin=info");
    server
        .get("/live?secret=1")
        .header("x-request-id", "request-0001")
        .send()
        .await
        .unwrap();
    let lines = captured.lines();
    let [line] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert_eq!(line["message"], "answered");
    assert_eq!(
        (&line["method"], &line["route"], &line["status"]),
        (&json!("GET"), &json!("/live"), &json!(200))
    );
    assert!(line["duration_ms"].is_number());
    assert_eq!(line["span"]["request_id"], "request-0001");
}

#[tokio::test]
async fn an_unknown_path_or_verb_is_not_repeated() {
    let server = TestServer::start().await;
    let (captured, _guard) = capture("portcullis_origin=info");
    server.get("/hunter2/hunter2").send().await.unwrap();
    server
        .request("HUNTER2".parse().unwrap(), "/live")
        .send()
        .await
        .unwrap();
    let lines = captured.lines();
    assert!(
        lines
            .iter()
            .any(|line| line["route"] == "(none)" && line["status"] == 404),
        "{lines:?}"
    );
    assert!(
        lines
            .iter()
            .any(|line| line["method"] == "(other)" && line["status"] == 405),
        "{lines:?}"
    );
    assert!(!captured.text().to_lowercase().contains("hunter2"));
}

/// Good and bad requests that all carry something secret or personal, and the tokens that came of them.
async fn confide(server: &TestServer) -> [String; 3] {
    let account = json!({
        "email": "hunter2-person@example.com",
        "password": "hunter2-correct-horse-battery",
        "firstName": "Hunter2-First",
        "lastName": "Hunter2-Last",
        "phone": "+15550002222",
    });
    let registered = server.post("/auth/register?hunter2-query=1").json(&account);
    let registered: Value = registered.send().await.unwrap().json().await.unwrap();
    let [access, refresh] =
        ["accessToken", "refreshToken"].map(|token| registered["tokens"][token].as_str().unwrap().to_owned());
    let device = registered["deviceToken"].as_str().unwrap().to_owned();

    let wrong = json!({"email": "hunter2-person@example.com", "password": "hunter2-wrong-password"});
    let mistyped = json!({"email": ["hunter2-person@example.com"], "password": 1});
    let malformed = server
        .post("/auth/login")
        .header("content-type", "application/json")
        .body("{\"password\":hunter2}");
    let me = || server.get("/auth/me");
    for (request, status) in [
        (server.post("/auth/login").json(&wrong), 401),
        (
            server
                .post("/auth/login")
                .header("x-device-token", &device)
                .json(&account),
            200,
        ),
        (
            server
                .post("/auth/login")
                .header("x-device-token", "hunter2")
                .json(&account),
            200,
        ),
        (
            server
                .post("/auth/login")
                .header("x-device-token", &device)
                .header("cookie", "__Host-pc_device=hunter2")
                .json(&account),
            400,
        ),
        (server.post("/auth/login").json(&mistyped), 400),
        (malformed, 400),
        (me().bearer_auth(&access), 200),
        (me().bearer_auth("hunter2-token"), 401),
        (me().basic_auth("hunter2", Some("hunter2")), 401),
        (me().header("x-tenant", "hunter2").bearer_auth(&access), 400),
        (
            server
                .post("/auth/refresh")
                .json(&json!({"refreshToken": refresh})),
            200,
        ),
        (
            server
                .post("/auth/refresh")
                .json(&json!({"refreshToken": "hunter2"})),
            401,
        ),
    ] {
        let request = request.build().unwrap();
        let path = request.url().path().to_owned();
        assert_eq!(
            server.client.execute(request).await.unwrap().status(),
            status,
            "{path}"
        );
    }
    [access, refresh, device]
}

#[tokio::test]
async fn no_secret_and_no_person_is_logged_even_at_the_finest_level() {
    let server = TestServer::start().await;
    let (captured, _guard) =
        capture("trace,hyper=info,hyper_util=info,reqwest=info,tokio=info,mio=info,polling=info");
    let [access, refresh, device] = confide(&server).await;

    let text = captured.text();
    assert!(text.contains("/auth/register"), "the requests are logged");
    let signature = access.rsplit('.').next().unwrap();
    let personal = ["hunter2", "15550002222", "127.0.0.1", "$argon2id"];
    for secret in personal
        .into_iter()
        .chain([access.as_str(), signature, refresh.as_str(), device.as_str()])
    {
        let secret = secret.to_lowercase();
        let found = text.lines().find(|line| line.to_lowercase().contains(&secret));
        assert!(found.is_none(), "{secret}: {found:?}");
    }
}
