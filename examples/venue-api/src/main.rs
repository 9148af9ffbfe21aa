//! `venue-api`: serves the example box office until it is told to stop.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long open requests may take to finish once the process is told to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// A small box-office API that knows nothing of authentication: an example of an upstream behind the edge.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Address and port to listen on.
    #[arg(long, env = "VENUE_API_LISTEN", default_value = "127.0.0.1:3002")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    tracing::info!(address = %listener.local_addr()?, "listening");

    let (stop, mut stopped) = tokio::sync::watch::channel(());
    let mut told = stopped.clone();
    let server = axum::serve(listener, venue_api::app()).with_graceful_shutdown(async move {
        // An error means that the sender is gone, which is the end as well.
        told.changed().await.ok();
    });
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        drop(stop);
    });
    tokio::select! {
        ended = server.into_future() => ended?,
        () = async {
            stopped.changed().await.ok();
            tokio::time::sleep(DRAIN).await;
        } => tracing::warn!("open connections were cut"),
    }
    tracing::info!("stopped");
    Ok(())
}
