//! How messages travel through the edge, whatever is in them.

mod bodies;
mod browser;
mod caching;
mod cors;
mod headers;
mod messages;
mod sockets;

use portcullis_tests::own_stack::{OwnStack, Wanted};
use portcullis_tests::scripted::ScriptedUpstream;
use xtask::stack::Upstream;

/// The origin that the development policy allows.
const ALLOWED: &str = "http://localhost:3000";

/// A system of its own in front of an upstream that the test speaks for.
async fn scripted(name: &str) -> (OwnStack, ScriptedUpstream) {
    let upstream = ScriptedUpstream::start().await;
    let wanted = Wanted {
        upstream: Upstream::Given(upstream.url()),
        ..Wanted::all()
    };
    (wanted.start(name).await, upstream)
}
