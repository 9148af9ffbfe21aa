//! Where the shared system is: what `cargo xtask test` says in the environment.

use std::path::PathBuf;

use crate::client::Client;

/// One of the two ways into the system.
#[derive(Clone, Debug)]
pub struct Door {
    kind: Kind,
    url: String,
}

/// Which of the two ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The Worker, which everybody uses.
    Edge,
    /// The server behind it, reached directly.
    Origin,
}

impl Door {
    /// The edge of the shared system.
    #[must_use]
    pub fn edge() -> Self {
        Self::new(Kind::Edge, variable("PORTCULLIS_TEST_EDGE"))
    }

    /// The origin of the shared system.
    #[must_use]
    pub fn origin() -> Self {
        Self::new(Kind::Origin, variable("PORTCULLIS_TEST_ORIGIN"))
    }

    /// Both ways into the shared system; what the origin owns must be the same through either.
    #[must_use]
    pub fn both() -> [Self; 2] {
        [Self::edge(), Self::origin()]
    }

    /// A way into another system. `url` has no trailing slash.
    #[must_use]
    pub const fn new(kind: Kind, url: String) -> Self {
        Self { kind, url }
    }

    /// Which way it is.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// `http://host:port`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// `host:port`.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// A new visitor at this door.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.clone())
    }
}

/// The folder in which the shared system keeps its logs and settings, and own systems theirs.
#[must_use]
pub fn state() -> PathBuf {
    variable("PORTCULLIS_TEST_STATE").into()
}

/// A variable that `cargo xtask test` sets.
///
/// # Panics
///
/// When it is not set.
#[must_use]
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests with `cargo xtask test`"))
}
