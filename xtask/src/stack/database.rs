//! Postgres alone, for what needs nothing else.

use std::path::Path;

use anyhow::Result;

use super::{postgres, state::State};
use crate::{net, process::Service, workspace::Workspace};

/// A Postgres of its own, and nothing else. Its data goes with it.
#[derive(Debug)]
pub struct Database {
    service: Service,
    url: String,
    state: State,
}

impl Database {
    /// Starts one in `state_dir`, with an empty database.
    pub fn start(workspace: &Workspace, state_dir: &Path) -> Result<Self> {
        let state = State::open(workspace, state_dir)?;
        postgres::remove(&state.dir().join("postgres"))?;
        let port = net::free_port()?;
        postgres::prepare(workspace, &state, true)?;
        let mut service = Service::new(workspace, postgres::spec(&state, port, true)?);
        service.start()?;
        let url = postgres::ensure_database(workspace, &state, port)?;
        Ok(Self { service, url, state })
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.service.stop();
        let _ = postgres::remove(&self.state.dir().join("postgres"));
    }
}
