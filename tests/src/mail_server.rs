//! A mail server that speaks SMTP, in a process of its own: `smtp-server` of npm, which `cargo xtask` installs.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use xtask::workspace::Workspace;

/// How long the first sign of it, and a letter that somebody waits for, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One delivery of a letter, as it came over the wire.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Whom the envelope named.
    pub to: String,
    /// The `Message-ID`, without its brackets and what follows the `@`.
    pub identity: String,
}

/// A running server, which takes everything. It ends with the value.
#[derive(Debug)]
pub struct MailServer {
    port: u16,
    process: Child,
    taken: watch::Receiver<Vec<Delivery>>,
    reading: JoinHandle<()>,
}

impl MailServer {
    /// Starts one on the loopback address.
    pub async fn start() -> Self {
        let workspace = Workspace::find().expect("a checkout");
        let mut process = Command::new(workspace.npm_bin("node"))
            .arg(workspace.root().join("origin/tests/mail/server.mjs"))
            .arg("{}")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("`cargo xtask test` has installed Node");
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let listening = tokio::time::timeout(PATIENCE, next(&mut lines)).await;
        let listening = listening
            .expect("the mail server listens in time")
            .expect("it runs");
        let (sender, taken) = watch::channel(Vec::new());
        let reading = tokio::spawn(async move {
            while let Some(line) = next(&mut lines).await {
                if let Some(delivery) = delivery(&line) {
                    sender.send_modify(|all| all.push(delivery));
                }
            }
        });
        Self {
            port: listening["port"].as_u64().unwrap().try_into().unwrap(),
            process,
            taken,
            reading,
        }
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How many letters it has taken.
    #[must_use]
    pub fn count(&self) -> usize {
        self.taken.borrow().len()
    }

    /// Waits until it has taken so many, all in all.
    pub async fn await_count(&self, count: usize) {
        let mut taken = self.taken.clone();
        let enough = taken.wait_for(|taken| taken.len() >= count);
        tokio::time::timeout(PATIENCE, enough)
            .await
            .expect("the letters come in time")
            .expect("the mail server runs");
    }

    /// Everything it has taken, in order. Ends the server.
    pub async fn finish(mut self) -> Vec<Delivery> {
        // It ends with its standard input, and the last line has been written by then.
        drop(self.process.stdin.take());
        self.reading.await.unwrap();
        self.taken.borrow().clone()
    }
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<Value> {
    let line = lines.next_line().await.unwrap()?;
    Some(serde_json::from_str(&line).unwrap())
}

/// The letter that a line of the server tells of.
fn delivery(line: &Value) -> Option<Delivery> {
    if line["event"] != "mail" {
        return None;
    }
    let text = line["text"].as_str().unwrap();
    let identity = text
        .lines()
        .find_map(|line| line.strip_prefix("Message-ID: <")?.split('@').next())
        .unwrap_or_else(|| panic!("a letter without Message-ID: {text}"));
    Some(Delivery {
        to: line["to"][0].as_str().unwrap().to_owned(),
        identity: identity.to_owned(),
    })
}
