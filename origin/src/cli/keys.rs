//! `portcullis keys …`.

use std::path::Path;

use crate::kernel::clock::{Clock, SystemClock};
use crate::kernel::config::Config;
use crate::kernel::db;
use crate::kernel::random::SystemEntropy;
use crate::kernel::secrets::SecretBytes;
use crate::kernel::time::{Timestamp, rfc3339};
use crate::tokens::keys::{self, Import};

use super::{Attempt, CliError, block_on, say};

/// Lists all keys, one line each.
pub(super) fn list(config: Config) -> Result<(), CliError> {
    block_on(async move {
        let pool = db::connect(&config.database).attempt("the database cannot be reached")?;
        let mut connection = pool.acquire().await.attempt("the database cannot be reached")?;
        let keys = keys::list(&mut connection)
            .await
            .attempt("the keys cannot be read")?;
        say(format_args!(
            "{:<44} {:<8} {:>5}  {:<24}  {:<24}  {}",
            "KID", "STATE", "BITS", "CREATED", "SIGNS SINCE", "PUBLISHED UNTIL"
        ));
        for key in keys {
            say(format_args!(
                "{:<44} {:<8} {:>5}  {:<24}  {:<24}  {}",
                key.kid,
                key.state.as_str(),
                key.bits,
                rfc3339(key.created_at),
                moment(key.activated_at),
                moment(key.publish_until),
            ));
        }
        Ok(())
    })
}

fn moment(moment: Option<Timestamp>) -> String {
    moment.map_or_else(|| "-".to_owned(), rfc3339)
}

/// Imports a private key from a PEM file.
pub(super) fn import(
    config: Config,
    file: &Path,
    kid: Option<String>,
    activate: bool,
) -> Result<(), CliError> {
    let pem = SecretBytes::new(std::fs::read(file).attempt("the file cannot be read")?);
    block_on(async move {
        let pool = db::connect(&config.database).attempt("the database cannot be reached")?;
        let import = Import {
            pem,
            kid,
            activate,
            access_ttl: config.tokens.access_ttl,
        };
        let imported = keys::import(
            &pool,
            &config.master_key,
            &import,
            SystemClock.now(),
            &SystemEntropy,
        )
        .await
        .attempt("the key was not imported")?;
        say(format_args!(
            "imported {} as {}",
            imported.kid,
            imported.state.as_str()
        ));
        if let Some(replaced) = imported.replaced {
            say(format_args!("{replaced} no longer signs"));
        }
        Ok(())
    })
}
