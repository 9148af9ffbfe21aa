//! `portcullis serve`.

use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::http::{self, Stop};
use crate::kernel::causes;
use crate::kernel::clock::SystemClock;
use crate::kernel::config::Config;
use crate::kernel::logging;
use crate::kernel::random::SystemEntropy;
use crate::kernel::redis;

use super::{Attempt, CliError};

/// Serves until a signal.
pub(super) fn run(config: Config) -> Result<(), CliError> {
    logging::start(&config.log).attempt("the log did not start")?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .attempt("the runtime did not start")?
        .block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), CliError> {
    let mut signals = Signals::install().attempt("signals cannot be received")?;
    let listen = config.http.listen;
    if config.passes_by_the_edge() {
        tracing::warn!(%listen, "edge.required is off: whoever reaches the server passes by the edge");
    }
    redis::check_kind(&config.redis)
        .await
        .attempt("the server cannot be set up")?;
    let app = App::new(config, Arc::new(SystemClock), Arc::new(SystemEntropy))
        .attempt("the server cannot be set up")?;
    if !app.mailer().is_on() {
        tracing::warn!("mail is off: nobody is told of what happens to their account ([mail] is empty)");
    }
    let listener = TcpListener::bind(listen)
        .await
        .attempt("the address cannot be listened on")?;
    let address = listener
        .local_addr()
        .attempt("the address cannot be listened on")?;

    if let Err(error) = app.prepare().await {
        // The first login tries again; until then the key set is empty, and `/ready` tells if Postgres is away.
        tracing::warn!(
            cause = causes::on_one_line(&error),
            "the signing keys cannot be read yet"
        );
    }
    let stop_jobs = CancellationToken::new();
    let jobs = tokio::spawn({
        let (app, stop) = (app.clone(), stop_jobs.clone());
        async move { app.run_jobs(stop).await }
    });
    tracing::info!(%address, "listening");

    let (first, stopping) = tokio::sync::oneshot::channel();
    let served = http::serve(listener, app.router(), app.core(), async {
        // A sender that is gone means that the signals are, and with them the way to stop in order.
        stopping.await.unwrap_or(Stop::Prompt)
    });
    let outcome = tokio::select! {
        served = served => served.attempt("the server failed"),
        () = signals.forward(first) => {
            tracing::warn!("stopped without waiting for requests in flight");
            return Ok(());
        }
    };
    stop_jobs.cancel();
    jobs.await.attempt("the jobs did not stop in order")?;
    app.core().pool().close().await;
    tracing::info!("stopped");
    outcome
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Tells of the first signal through `first`; returns at the second.
    async fn forward(&mut self, first: tokio::sync::oneshot::Sender<Stop>) {
        let stop = self.next().await;
        tracing::info!(?stop, "asked to stop");
        // Nobody listens only when the server is gone already, which ends this future, too.
        let _gone = first.send(stop);
        self.next().await;
    }

    async fn next(&mut self) -> Stop {
        tokio::select! {
            _ = self.terminate.recv() => Stop::Announced,
            _ = self.interrupt.recv() => Stop::Prompt,
        }
    }
}
