//! The listener: HTTP/1.1 with bounded heads, and a stop that loses no request.
//!
//! A stop goes: `/ready` says no while requests are still taken, so that a load balancer can notice; then no new
//! connection is accepted; then what is in flight may finish; then it is cut off.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use super::context::Peer;
use super::health::Readiness;
use super::state::AppState;

/// How long the head of a request may take, and how long a connection may be idle: longer than proxies keep
/// theirs, so that it is not closed at the moment the next request is sent.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);
/// Largest head that is read; beyond it hyper itself answers 431. What is below it and still too large is
/// answered by [`observe`](super::observe), as a problem document.
const MAX_HEAD_BYTES: usize = 128 * 1024;
/// Most header lines that are read; see above.
const MAX_HEAD_LINES: usize = 256;
/// Pause after a failed `accept`, for example for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a server is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Say so at `/ready` for a while, then drain: a deployment.
    Announced,
    /// Drain without announcement: a person at a terminal.
    Prompt,
}

/// Serves until `stop` resolves, then drains for at most `[http] drain_seconds`.
pub async fn serve(
    listener: TcpListener,
    application: Router,
    app: &AppState,
    stop: impl Future<Output = Stop>,
) -> io::Result<()> {
    let drain = app.config().http.drain;
    let connections = GracefulShutdown::new();
    let stop = std::pin::pin!(announce(stop, app.readiness(), drain / 5));
    accept_until(&listener, &application, &connections, stop).await;
    drop(listener);
    app.readiness().stop();
    tracing::info!(in_flight = connections.count(), "draining");
    if tokio::time::timeout(drain, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests did not finish in time");
    }
    Ok(())
}

/// Resolves when no more connections are to be accepted.
async fn announce(stop: impl Future<Output = Stop>, readiness: &Readiness, announcement: Duration) {
    if stop.await == Stop::Announced {
        readiness.stop();
        tokio::time::sleep(announcement).await;
    }
}

async fn accept_until(
    listener: &TcpListener,
    application: &Router,
    connections: &GracefulShutdown,
    mut stop: std::pin::Pin<&mut impl Future<Output = ()>>,
) {
    loop {
        tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    spawn_connection(stream, Peer(address), application.clone(), connections);
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

fn spawn_connection(stream: TcpStream, peer: Peer, application: Router, connections: &GracefulShutdown) {
    // Answers are small and written at once.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY could not be set");
    }
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        respond(application.clone(), request.map(Body::new))
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEAD_LINES)
        .serve_connection(TokioIo::new(stream), service);
    let connection = connections.watch(connection);
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            // A client that hangs up, or speaks something else than HTTP.
            tracing::debug!(%error, "a connection ended early");
        }
    });
}

async fn respond(application: Router, request: Request) -> Result<Response, Infallible> {
    application.oneshot(request).await
}
