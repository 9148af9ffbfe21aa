//! The edge in plain workerd: on a policy of the test's own, and with a dataset whose points can be looked at.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use xtask::process::{Probe, Service, ServiceSpec};
use xtask::stack::{AUDIENCE, ISSUER};
use xtask::worker::{self, Worker};
use xtask::workspace::Workspace;

use crate::own_stack::settings;
use crate::world::{Door, Kind, state, variable};
use crate::{eventually, fresh_id};

/// What a test wants of its Worker. Origin, upstream and keys are those of the shared system unless it says otherwise.
#[derive(Debug)]
pub struct PlainWanted {
    /// The policy's routes; `upstream = "app"` is the example upstream.
    pub routes: Value,
    /// The policy's `server_timing`.
    pub server_timing: bool,
    /// `LOG_REQUESTS`.
    pub log_requests: &'static str,
    /// What stands for the dataset of Analytics Engine: `recording`, `failing` or `absent`.
    pub dataset: &'static str,
    /// Where the origin is.
    pub origin: String,
    /// Where the upstream `app` is.
    pub upstream: String,
}

impl PlainWanted {
    /// A Worker with these routes that logs everything and counts nothing.
    #[must_use]
    pub fn routes(routes: Value) -> Self {
        Self {
            routes,
            server_timing: false,
            log_requests: "all",
            dataset: "absent",
            origin: variable("PORTCULLIS_TEST_ORIGIN"),
            upstream: variable("PORTCULLIS_TEST_UPSTREAM"),
        }
    }

    /// Starts it.
    ///
    /// # Panics
    ///
    /// When it does not start; its log is in the state folder.
    pub async fn start(self, name: &str) -> PlainWorker {
        let name = format!("{name}_{}", &fresh_id().simple().to_string()[..8]);
        tokio::task::spawn_blocking(move || self.launch(&name))
            .await
            .unwrap()
    }

    fn launch(self, name: &str) -> PlainWorker {
        let workspace = Workspace::find().expect("a checkout");
        worker::build(&workspace, Worker::Edge).expect("a Worker that builds");
        let state_dir = state().join(name);
        fs::create_dir_all(&state_dir).unwrap();
        let built = Worker::Edge.out_dir(&workspace);
        let own = workspace.root().join("tests/plain-worker");
        for file in [
            own.join("workerd.capnp"),
            own.join("recorder.js"),
            workspace.root().join(Worker::Edge.folder()).join("entry.js"),
            built.join("index.js"),
            built.join("index_bg.wasm"),
        ] {
            fs::copy(&file, state_dir.join(file.file_name().unwrap())).unwrap();
        }
        let mut policy = json!({ "issuer": ISSUER, "audience": AUDIENCE, "routes": self.routes });
        if self.server_timing {
            policy["server_timing"] = true.into();
        }
        fs::write(state_dir.join("policy.json"), policy.to_string()).unwrap();
        let keys = settings(&state())["PORTCULLIS__EDGE__SIGNING_KEYS"].clone();
        let named: Value = serde_json::from_str(&keys).unwrap();
        let key_id = named.as_object().unwrap().keys().next().unwrap().clone();
        let port = xtask::net::free_port().unwrap();
        let spec = ServiceSpec {
            name: "plain-worker".to_owned(),
            program: workspace.npm_bin("workerd"),
            args: vec![
                "serve".to_owned(),
                state_dir.join("workerd.capnp").display().to_string(),
                "--socket-addr".to_owned(),
                format!("http=127.0.0.1:{port}"),
            ],
            env: [
                ("ORIGIN_URL", self.origin),
                ("UPSTREAM_APP", self.upstream),
                ("LOG_REQUESTS", self.log_requests.to_owned()),
                ("DATASET", self.dataset.to_owned()),
                ("EDGE_SIGNING_KEYS", keys),
                ("EDGE_SIGNING_KEY_ID", key_id),
            ]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec(),
            user: None,
            stop: Signal::SIGTERM,
            grace: Duration::from_secs(5),
            probe: Probe::Port { port },
            deadline: Duration::from_secs(30),
            state_dir,
        };
        let mut service = Service::new(&workspace, spec);
        service.start().expect("a Worker that starts");
        PlainWorker {
            log: service.log(),
            url: format!("http://127.0.0.1:{port}"),
            _service: service,
        }
    }
}

/// A running Worker that only one test uses; it is stopped when the value goes.
#[derive(Debug)]
pub struct PlainWorker {
    url: String,
    log: PathBuf,
    _service: Service,
}

impl PlainWorker {
    /// The way in.
    #[must_use]
    pub fn door(&self) -> Door {
        Door::new(Kind::Edge, self.url.clone())
    }

    /// The lines of JSON that it has logged with this `event`.
    ///
    /// # Panics
    ///
    /// When it has no log.
    #[must_use]
    pub fn events(&self, event: &str) -> Vec<Value> {
        let log = fs::read(&self.log).unwrap();
        let lines = String::from_utf8_lossy(&log).into_owned();
        let values = lines
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        values.filter(|value| value["event"] == event).collect()
    }

    /// What it logs about the request with this id.
    pub async fn entry(&self, request_id: &str) -> Value {
        eventually("the request is logged", Duration::from_secs(5), async || {
            let entries = self.events("request");
            let mut of_request = entries
                .into_iter()
                .filter(|entry| entry["request_id"] == request_id);
            let entry = of_request.next();
            assert!(of_request.next().is_none(), "{request_id} is logged twice");
            entry
        })
        .await
    }

    /// The data points that it has written, oldest first.
    pub async fn points(&self) -> Vec<Value> {
        let answer = self.door().client().get("/recorded-points").send().await;
        answer.json().as_array().expect("points").clone()
    }
}
