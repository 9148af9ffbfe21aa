//! Every vector through `crypto.subtle` and through the reference in wasm, both in workerd, held against the two
//! native backends: four verdicts, one answer.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test says what it expects by failing"
)]

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt as _;
use nix::sys::signal::Signal;
use portcullis_vector_worker::case::{Answer, Question};
use portcullis_vector_worker::corpus::{self, Vector};
use portcullis_vector_worker::judge;
use xtask::process::{Probe, Service, ServiceSpec};
use xtask::worker::{self, Worker};
use xtask::workspace::Workspace;

/// Builds the Worker unless it is up to date, and serves it.
fn serve() -> (Service, String) {
    let workspace = Workspace::find().unwrap();
    worker::build(&workspace, Worker::Vectors).unwrap();
    let port = xtask::net::free_port().unwrap();
    let config = workspace
        .root()
        .join(Worker::Vectors.folder())
        .join("workerd.capnp");
    let state =
        env::var_os("PORTCULLIS_TEST_STATE").map_or_else(|| workspace.target_dir().to_owned(), PathBuf::from);
    let spec = ServiceSpec {
        name: "vectors".to_owned(),
        program: workspace.npm_bin("workerd"),
        args: vec![
            "serve".to_owned(),
            config.display().to_string(),
            "--socket-addr".to_owned(),
            format!("http=127.0.0.1:{port}"),
        ],
        env: Vec::new(),
        user: None,
        stop: Signal::SIGTERM,
        grace: Duration::from_secs(5),
        probe: Probe::Port { port },
        deadline: Duration::from_secs(30),
        state_dir: state.join("vectors-in-workerd"),
    };
    let mut service = Service::new(&workspace, spec);
    service.start().unwrap();
    (service, format!("http://127.0.0.1:{port}/"))
}

async fn ask(url: &str, vectors: &[Vector]) -> Answer {
    let question = Question {
        cases: vectors.iter().map(|vector| vector.case.clone()).collect(),
    };
    let body = serde_json::to_string(&question).unwrap();
    let response = reqwest::Client::new().post(url).body(body).send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}

async fn compare(url: &str, files: &[(String, Vec<Vector>)]) -> usize {
    let mut compared = 0;
    for (name, vectors) in files {
        let answer = ask(url, vectors).await;
        assert_eq!(answer.webcrypto.len(), vectors.len(), "{name}");
        assert_eq!(answer.reference.len(), vectors.len(), "{name}");
        for ((vector, webcrypto), reference) in vectors.iter().zip(&answer.webcrypto).zip(&answer.reference) {
            let native = judge::by_reference(&vector.case)
                .now_or_never()
                .expect("it never waits");
            let aws_lc = judge::by_aws_lc(&vector.case)
                .now_or_never()
                .expect("it never waits");
            assert!(
                vector.expected.is_met_by(webcrypto),
                "{}: {:?}, got {webcrypto:?}",
                vector.name,
                vector.expected
            );
            assert_eq!(
                *webcrypto, native,
                "{}: crypto.subtle and the native reference differ",
                vector.name
            );
            assert_eq!(
                *reference, native,
                "{}: the reference in wasm and native differ",
                vector.name
            );
            assert_eq!(
                aws_lc, native,
                "{}: aws-lc and the native reference differ",
                vector.name
            );
        }
        println!("{name}: {} vectors, four verdicts alike", vectors.len());
        compared += vectors.len();
    }
    compared
}

#[tokio::test]
async fn all_backends_agree_on_every_vector_in_workerd() {
    let (_service, url) = tokio::task::spawn_blocking(serve).await.unwrap();
    let own = compare(&url, &corpus::access_tokens().unwrap()).await;
    assert!(own >= 130, "{own}");
    if let Some(public) = corpus::public().unwrap() {
        assert_eq!(compare(&url, &public).await, 1184);
    }
}
