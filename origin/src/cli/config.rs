//! `portcullis config check`.

use crate::kernel::config::{Config, ConfigErrors};

use super::{CliError, say};

/// Says "ok", or fails with all mistakes.
pub(super) fn check(loaded: Result<Config, ConfigErrors>) -> Result<(), CliError> {
    let config = loaded?;
    say("ok");
    if config.passes_by_the_edge() {
        say(format_args!(
            "warning: edge.required is off: whoever reaches {} passes by the edge",
            config.http.listen
        ));
    }
    if !config.old_master_key_ids.is_empty() {
        // Whether anything is still sealed under them is in the database, which is not asked here.
        say(format_args!(
            "old master keys: {} (`portcullis keys rewrap` tells when they may go)",
            config.old_master_key_ids.join(", ")
        ));
    }
    Ok(())
}
