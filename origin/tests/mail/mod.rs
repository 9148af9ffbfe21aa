//! Letters, from what happened to what arrives.

mod content;
mod hostile;
mod server;
mod smtp;

use std::path::{Path, PathBuf};

use portcullis_origin::jobs;
use reqwest::Response;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::common::{Settings, TestServer, eventually};
use crate::fixtures::{Person, assert_refused, count, execute, refresh, register, without_limits};

pub(crate) const USER_AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";

/// A server that can write letters. Its jobs run once a test says so.
async fn server_with(mail: &[(&str, &str)]) -> TestServer {
    server_with_settings(mail, |_| {}).await
}

async fn server_with_settings(mail: &[(&str, &str)], change: impl FnOnce(&mut Settings)) -> TestServer {
    let server = TestServer::start_with(|settings: &mut Settings| {
        without_limits(settings);
        for (key, value) in mail {
            settings.insert(format!("PORTCULLIS__MAIL__{key}"), (*value).to_owned());
        }
        change(settings);
    })
    .await;
    jobs::migrate(server.pool()).await.unwrap();
    server
}

/// A server whose letters become files in a folder that is not there yet.
pub(crate) async fn server_with_folder() -> (TestServer, Folder) {
    server_with_folder_and(|_| {}).await
}

/// The same with other settings.
pub(crate) async fn server_with_folder_and(change: impl FnOnce(&mut Settings)) -> (TestServer, Folder) {
    let outer = tempfile::tempdir().unwrap();
    let folder = Folder {
        path: outer.path().join("mail"),
        _outer: outer,
    };
    let mail = [
        ("TRANSPORT", "file"),
        ("FOLDER", folder.path.to_str().unwrap()),
        ("FROM", "Example <no-reply@example.com>"),
        ("REPLY_TO", "help@example.com"),
    ];
    (server_with_settings(&mail, change).await, folder)
}

/// Where mails go.
pub(crate) struct Folder {
    path: PathBuf,
    _outer: TempDir,
}

impl Folder {
    /// All files, whatever they are.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.path).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The text of the only file.
    pub(crate) fn only_mail(&self) -> String {
        let files = self.files();
        let [file] = files.as_slice() else {
            panic!("{files:?}")
        };
        assert_eq!(Path::extension(file).unwrap(), "eml");
        std::fs::read_to_string(file).unwrap()
    }
}

/// The jobs of a server.
struct Worker {
    stop: CancellationToken,
    running: JoinHandle<()>,
}

impl Worker {
    fn start(server: &TestServer) -> Self {
        let (app, stop) = (server.app.clone(), CancellationToken::new());
        let running = tokio::spawn({
            let stop = stop.clone();
            async move { app.run_jobs(stop).await }
        });
        Self { stop, running }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.await.unwrap();
    }
}

/// Runs the jobs of a server until none is left.
pub(crate) async fn run_all_jobs(server: &TestServer) {
    let worker = Worker::start(server);
    eventually("all jobs are done", || async { queued(server).await == 0 }).await;
    worker.stop().await;
}

/// Takes letters that nobody has written yet out of the queue, if there is one.
async fn forget_letters(server: &TestServer) {
    let delete = "DO $$ BEGIN
        IF to_regclass('graphile_worker._private_jobs') IS NOT NULL THEN
            DELETE FROM graphile_worker._private_jobs;
        END IF;
    END $$";
    execute(server, delete).await;
}

async fn queued(server: &TestServer) -> i64 {
    count(server, "SELECT count(*) FROM graphile_worker._private_jobs").await
}

/// Presents a refresh token as a browser would.
async fn present(server: &TestServer, token: &str) -> Response {
    let request = server.post("/auth/refresh").header("user-agent", USER_AGENT);
    request
        .json(&json!({"refreshToken": token}))
        .send()
        .await
        .unwrap()
}

/// Somebody whose first refresh token has been replaced for good.
async fn person_with_an_old_token(server: &TestServer) -> Person {
    let person = register(server, "ada@example.com").await;
    forget_letters(server).await;
    let second = refresh(server, &person.refresh).await;
    refresh(server, &second).await;
    person
}

/// Somebody registers, and one of their refresh tokens is used again.
pub(crate) async fn reuse(server: &TestServer) -> Person {
    let person = person_with_an_old_token(server).await;
    assert_refused(
        present(server, &person.refresh).await,
        401,
        "refresh_token_reused",
    )
    .await;
    person
}
