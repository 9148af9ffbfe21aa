//! A mail server that speaks SMTP, in a process of its own: `smtp-server` of npm, which `cargo xtask` installs.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A running server. It ends with the value.
pub(super) struct MailServer {
    port: u16,
    lines: Lines<BufReader<ChildStdout>>,
    process: Child,
}

impl MailServer {
    /// Starts one that is as difficult as `wish` says; `server.mjs` lists what it may be.
    pub(super) async fn start(wish: &Value) -> Self {
        let origin = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut process = Command::new(origin.join("../node_modules/.bin/node"))
            .arg(origin.join("tests/mail/server.mjs"))
            .arg(wish.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("`cargo xtask test` has installed Node");
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut server = Self {
            port: 0,
            lines,
            process,
        };
        let listening = server.line().await;
        server.port = listening["port"].as_u64().unwrap().try_into().unwrap();
        server
    }

    /// Where it listens, on the loopback address.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until this happens, and passes over what happens before.
    pub(super) async fn event(&mut self, name: &str) -> Value {
        loop {
            let line = self.line().await;
            if line["event"] == name {
                return line;
            }
        }
    }

    /// Everything that has happened and was not waited for. Ends the server.
    pub(super) async fn rest(mut self) -> Vec<Value> {
        // It ends with its standard input, and the last line has been written by then.
        drop(self.process.stdin.take());
        let mut rest = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            rest.push(serde_json::from_str(&line).unwrap());
        }
        rest
    }

    async fn line(&mut self) -> Value {
        let line = tokio::time::timeout(Duration::from_secs(30), self.lines.next_line())
            .await
            .expect("the mail server has something to say")
            .unwrap()
            .expect("the mail server runs");
        serde_json::from_str(&line).unwrap()
    }
}
