//! Log lines.
//!
//! Invariant: a line holds no secret and no personal data. Rooms log identifiers of ours and causes; the
//! boundary logs each request by its route's template.

use std::io;
use std::panic::PanicHookInfo;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

use super::config::{LogConfig, LogFormat};

/// Starts the log of this process, on the standard error stream. A panic is logged with its place; its message
/// may quote input and is not.
pub fn start(config: &LogConfig) -> Result<(), TryInitError> {
    subscriber(config, io::stderr).try_init()?;
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a panic was caught");
    }));
    Ok(())
}

/// What turns events into lines: one JSON object each, with the request's id, or text.
pub fn subscriber<W>(config: &LogConfig, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    // The configuration has checked the filter.
    let filter = EnvFilter::try_new(&config.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    match config.format {
        LogFormat::Json => Box::new(
            log.json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .finish(),
        ),
        LogFormat::Text => Box::new(log.finish()),
    }
}
