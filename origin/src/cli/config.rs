//! `portcullis config check`.

use crate::kernel::config::{Config, ConfigErrors};

use super::{CliError, say};

/// Says "ok", or fails with all mistakes.
pub(super) fn check(loaded: Result<Config, ConfigErrors>) -> Result<(), CliError> {
    loaded?;
    say("ok");
    Ok(())
}
