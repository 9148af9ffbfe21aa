//! Ctrl-C and friends as a flag that every wait looks at.
//!
//! Nothing is done in the signal handler: a wait that sees the flag returns [`Interrupted`], and the guards on its way
//! out stop what was started.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static RECEIVED: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// A signal asked this program to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// The number of the signal.
    pub signal: u8,
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "stopped by signal {}", self.signal)
    }
}

impl std::error::Error for Interrupted {}

/// From now on SIGINT, SIGTERM and SIGHUP set the flag instead of ending the program.
pub fn listen() -> Result<()> {
    let flag = RECEIVED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        let number = usize::try_from(signal).unwrap_or_default();
        signal_hook::flag::register_usize(signal, Arc::clone(flag), number)
            .with_context(|| format!("signal {signal} cannot be listened to"))?;
    }
    Ok(())
}

/// Fails if a signal has asked this program to stop.
pub fn check() -> Result<(), Interrupted> {
    let received = RECEIVED.get().map_or(0, |flag| flag.load(Ordering::Relaxed));
    match u8::try_from(received) {
        Ok(0) | Err(_) => Ok(()),
        Ok(signal) => Err(Interrupted { signal }),
    }
}
