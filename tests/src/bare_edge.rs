//! The Worker in workerd alone, without wrangler and without stores: a test starts one in a moment.

use std::path::PathBuf;
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use nix::sys::signal::Signal;
use portcullis_shared::request_signature::SigningKey;
use xtask::net::free_port;
use xtask::process::{Probe, Service, ServiceSpec};
use xtask::worker::{self, Worker};
use xtask::workspace::Workspace;

use crate::fresh_id;
use crate::world::{Door, Kind, state};

const KEY_ID: &str = "test";
const SECRET: &[u8; 32] = b"a secret of edge and fake origin";

/// `iss` of the tokens that it takes.
pub const ISSUER: &str = "https://hostile.portcullis.dev";
/// `aud` of the tokens that it takes.
pub const AUDIENCE: &str = "hostile";

/// A running Worker; it is stopped when the value goes.
#[derive(Debug)]
pub struct BareEdge {
    url: String,
    log: PathBuf,
    _service: Service,
}

/// The key that it shares with its origin.
#[must_use]
pub fn signing_key() -> SigningKey {
    SigningKey::new(KEY_ID, SECRET).expect("a name and 32 bytes")
}

impl BareEdge {
    /// Starts the Worker, with `origin` and `app` as URLs of what stands behind it; see `tests/workerd/policy.json`.
    pub async fn start(origin: &str, app: &str) -> Self {
        Self::start_as(Worker::Edge, "edge", origin, app, None).await
    }

    /// Starts the Worker with `upstream` as all that stands behind it, which is told in `CF-Blob` what Cloudflare would be
    /// told of each request. At `/no-store` a request is sent with `cache: "no-store"`, to compare.
    pub async fn start_telling(upstream: &str) -> Self {
        let address = upstream.strip_prefix("http://").expect("a URL of http");
        let external = format!("--external-addr=internet={address}");
        Self::start_as(Worker::Edge, "telling", upstream, upstream, Some(external)).await
    }

    /// Starts the Worker that panics where it is asked to.
    pub async fn start_panicking(origin: &str, app: &str) -> Self {
        Self::start_as(Worker::EdgeThatPanics, "panicking", origin, app, None).await
    }

    async fn start_as(
        worker: Worker,
        constant: &'static str,
        origin: &str,
        app: &str,
        option: Option<String>,
    ) -> Self {
        let settings = [
            ("ORIGIN_URL", origin.to_owned()),
            ("UPSTREAM_APP", app.to_owned()),
            (
                "EDGE_SIGNING_KEYS",
                format!("{{\"{KEY_ID}\":\"{}\"}}", Base64::encode_string(SECRET)),
            ),
            ("EDGE_SIGNING_KEY_ID", KEY_ID.to_owned()),
        ];
        let starting = tokio::task::spawn_blocking(move || start(worker, constant, &settings, option));
        starting.await.unwrap()
    }

    /// The way into it.
    #[must_use]
    pub fn door(&self) -> Door {
        Door::new(Kind::Edge, self.url.clone())
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

fn start(worker: Worker, constant: &str, settings: &[(&str, String)], option: Option<String>) -> BareEdge {
    let workspace = Workspace::find().unwrap();
    worker::build(&workspace, worker).unwrap();
    let port = free_port().unwrap();
    let config = workspace.root().join(format!("tests/workerd/{constant}.capnp"));
    let name = format!("bare-{constant}-{}", fresh_id().simple());
    let mut service = Service::new(
        &workspace,
        ServiceSpec {
            program: workspace.npm_bin("workerd"),
            args: [
                "serve".to_owned(),
                config.display().to_string(),
                constant.to_owned(),
                "--socket-addr".to_owned(),
                format!("http=127.0.0.1:{port}"),
            ]
            .into_iter()
            .chain(option)
            .collect(),
            env: settings
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            user: None,
            stop: Signal::SIGTERM,
            grace: Duration::from_secs(5),
            probe: Probe::Port { port },
            deadline: Duration::from_secs(30),
            state_dir: state().join("bare-edges"),
            name,
        },
    );
    service.start().unwrap();
    BareEdge {
        url: format!("http://127.0.0.1:{port}"),
        log: service.log(),
        _service: service,
    }
}
