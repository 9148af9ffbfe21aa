//! Which part listens where, decided before anything starts.

use anyhow::{Result, bail};

use super::options::{Part, StackOptions, Store, Upstream};
use crate::net;

/// The ports, decided.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settled {
    pub(super) postgres: u16,
    pub(super) redis: u16,
    pub(super) origin: u16,
    pub(super) upstream: u16,
    pub(super) edge: u16,
}

/// Decides every port; all that were asked for must be free and differ.
pub(super) fn settle(options: &StackOptions) -> Result<Settled> {
    let asked = [
        (
            Part::Postgres,
            options.ports.postgres,
            options.postgres == Store::Own,
        ),
        (Part::Redis, options.ports.redis, options.redis == Store::Own),
        (Part::Origin, options.ports.origin, true),
        (
            Part::Upstream,
            options.ports.upstream,
            options.upstream == Upstream::Own,
        ),
        (Part::Edge, options.ports.edge, options.edge),
    ];
    let mut taken: Vec<(u16, Part)> = Vec::new();
    let mut problems = Vec::new();
    for (part, port, _) in asked.into_iter().filter(|(_, _, starts)| *starts) {
        let Some(port) = port else { continue };
        if let Some((_, other)) = taken.iter().find(|(known, _)| *known == port) {
            problems.push(format!(
                "{} and {} cannot both have port {port} ({}, {})",
                other.name(),
                part.name(),
                other.flag(),
                part.flag()
            ));
        } else if let Err(problem) = net::require_free(port, &format!("the {}", part.name()), part.flag()) {
            problems.push(problem.to_string());
        }
        taken.push((port, part));
    }
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    let or_free = |port: Option<u16>| port.map_or_else(net::free_port, Ok);
    Ok(Settled {
        postgres: or_free(options.ports.postgres)?,
        redis: or_free(options.ports.redis)?,
        origin: or_free(options.ports.origin)?,
        upstream: or_free(options.ports.upstream)?,
        edge: or_free(options.ports.edge)?,
    })
}

/// The URL of a port of this machine.
pub(super) fn loopback(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
