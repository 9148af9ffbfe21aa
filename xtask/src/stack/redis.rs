//! A Redis of the stack's own. It writes nothing to disk: what it holds may be lost at any time.

use std::{fs, time::Duration};

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::state::{State, write_private};
use crate::{
    process::{Probe, ServiceSpec},
    workspace::on_path,
};

/// How to run it on `port`.
pub(super) fn spec(state: &State, port: u16) -> Result<ServiceSpec> {
    let program = on_path("redis-server")
        .or_else(|| on_path("valkey-server"))
        .context("neither Redis nor Valkey is installed")?;
    let folder = state.dir().join("redis");
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let file = folder.join("redis.conf");
    // In a file, because arguments show the password to every user of the machine.
    let text = format!(
        "bind 127.0.0.1\nport {port}\nrequirepass {}\ndir \"{}\"\nsave \"\"\nappendonly no\n",
        state.secrets().redis_password,
        folder.display()
    );
    write_private(&file, &text)?;
    Ok(ServiceSpec {
        name: "redis".to_owned(),
        program,
        args: vec![file.display().to_string()],
        env: Vec::new(),
        user: None,
        stop: Signal::SIGTERM,
        grace: Duration::from_secs(5),
        probe: Probe::Redis { port },
        deadline: Duration::from_secs(15),
        state_dir: state.dir().to_path_buf(),
    })
}

/// Where it is reached.
pub(super) fn url(state: &State, port: u16) -> String {
    format!("redis://:{}@127.0.0.1:{port}/", state.secrets().redis_password)
}
