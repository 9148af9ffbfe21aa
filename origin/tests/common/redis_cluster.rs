//! A Redis Cluster for one test: three servers that keep a third of the keys each.

use std::process::Stdio;

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::process::{Child, Command};

use super::eventually;

/// The slots of each server.
const SLOTS: [(u16, u16); 3] = [(0, 5460), (5461, 10922), (10923, 16383)];

/// Ends with the value.
pub(crate) struct RedisCluster {
    nodes: Vec<Node>,
}

struct Node {
    port: u16,
    bus: u16,
    folder: TempDir,
    process: Child,
}

impl RedisCluster {
    /// Starts the servers and makes them one.
    pub(crate) async fn start() -> Self {
        let mut nodes = Vec::new();
        for _ in SLOTS {
            let folder = tempfile::tempdir().unwrap();
            let (port, bus) = two_ports().await;
            let process = spawn(port, bus, &folder);
            nodes.push(Node {
                port,
                bus,
                folder,
                process,
            });
        }
        let cluster = Self { nodes };
        cluster.join().await;
        cluster
    }

    /// The URL of one server.
    pub(crate) fn url(&self, node: usize) -> String {
        format!("redis://127.0.0.1:{}/", self.nodes[node].port)
    }

    /// The URLs of all, as they are configured.
    pub(crate) fn urls(&self) -> String {
        [0, 1, 2].map(|node| self.url(node)).join(",")
    }

    /// Asks one server, whatever the others have.
    pub(crate) async fn ask<T: redis::FromRedisValue>(&self, node: usize, command: &[&str]) -> T {
        let mut connection = self.connection(node).await.unwrap();
        let (name, arguments) = command.split_first().unwrap();
        redis::cmd(name)
            .arg(arguments)
            .query_async(&mut connection)
            .await
            .unwrap()
    }

    /// Kills one server.
    pub(crate) async fn kill(&mut self, node: usize) {
        self.nodes[node].process.kill().await.unwrap();
    }

    /// Starts one that was killed, and waits until it is one of the cluster again. It has forgotten all keys.
    pub(crate) async fn revive(&mut self, node: usize) {
        let revived = &mut self.nodes[node];
        revived.process = spawn(revived.port, revived.bus, &revived.folder);
        self.is_whole().await;
    }

    async fn connection(&self, node: usize) -> redis::RedisResult<MultiplexedConnection> {
        redis::Client::open(self.url(node))?
            .get_multiplexed_async_connection()
            .await
    }

    async fn join(&self) {
        for (node, (first, last)) in SLOTS.into_iter().enumerate() {
            eventually("a server of the cluster answers", async || {
                self.connection(node).await.is_ok()
            })
            .await;
            let (first, last) = (first.to_string(), last.to_string());
            let () = self
                .ask(node, &["CLUSTER", "SET-CONFIG-EPOCH", &(node + 1).to_string()])
                .await;
            let () = self.ask(node, &["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
        }
        for other in &self.nodes[1..] {
            let (port, bus) = (other.port.to_string(), other.bus.to_string());
            let () = self.ask(0, &["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
        }
        self.is_whole().await;
    }

    async fn is_whole(&self) {
        for node in 0..self.nodes.len() {
            eventually("the cluster is whole", async || {
                let Ok(mut connection) = self.connection(node).await else {
                    return false;
                };
                let mut command = redis::cmd("CLUSTER");
                let info: Result<String, _> = command.arg("INFO").query_async(&mut connection).await;
                info.is_ok_and(|info| {
                    info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
                })
            })
            .await;
        }
    }
}

fn spawn(port: u16, bus: u16, folder: &TempDir) -> Child {
    let settings = format!(
        "bind 127.0.0.1\nport {port}\ncluster-port {bus}\ncluster-enabled yes\ncluster-node-timeout 1000\n\
         dir \"{}\"\nsave \"\"\nappendonly no\n",
        folder.path().display()
    );
    let file = folder.path().join("redis.conf");
    std::fs::write(&file, settings).unwrap();
    let start = |program| {
        Command::new(program)
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
    };
    start("redis-server")
        .or_else(|_| start("valkey-server"))
        .expect("Redis or Valkey is installed, as `cargo xtask test` asks for")
}

async fn two_ports() -> (u16, u16) {
    let one = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let two = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (one.local_addr().unwrap().port(), two.local_addr().unwrap().port())
}
