//! `portcullis keys …`.

use std::error::Error;
use std::path::Path;

use serde_json::json;

use crate::kernel::clock::{Clock, SystemClock};
use crate::kernel::config::Config;
use crate::kernel::random::SystemEntropy;
use crate::kernel::secrets::{RewrappedBatch, SecretBytes};
use crate::kernel::time::{Timestamp, rfc3339};
use crate::tokens::keys::{self, Import};
use crate::tokens::{KeyKeeper, KeySummary, Rotation};
use crate::{mfa, sessions, tokens};

use super::arguments::KeysCommand;
use super::{Attempt, CliError, block_on, connect, say};

/// Does what was asked.
pub(super) fn run(config: Config, command: KeysCommand) -> Result<(), CliError> {
    match command {
        KeysCommand::List { json } => block_on(list(config, json)),
        KeysCommand::Import { file, kid, activate } => block_on(import(config, &file, kid, activate)),
        KeysCommand::Rotate { now } => block_on(rotate(config, now)),
        KeysCommand::Retire { kid, compromised } => block_on(retire(config, &kid, compromised)),
        KeysCommand::Rewrap { batch } => block_on(rewrap(config, batch)),
    }
}

fn keeper(config: &Config) -> Result<KeyKeeper, CliError> {
    let pool = connect(config)?;
    Ok(KeyKeeper::new(&config.tokens, pool, config.master_key.clone()))
}

/// Lists all keys, one line each or as one document.
async fn list(config: Config, json: bool) -> Result<(), CliError> {
    let pool = connect(&config)?;
    let mut connection = pool.acquire().await.attempt("the database cannot be reached")?;
    let keys = keys::list(&mut connection)
        .await
        .attempt("the keys cannot be read")?;
    if json {
        say(json!({ "keys": keys }));
        return Ok(());
    }
    say(format_args!(
        "{:<44} {:<8} {:>5}  {:<24}  {:<24}  {:<24}  {}",
        "KID", "STATE", "BITS", "PUBLISHED SINCE", "SIGNS FROM", "PUBLISHED UNTIL", "MASTER KEY"
    ));
    for key in &keys {
        say(line(key));
    }
    Ok(())
}

fn line(key: &KeySummary) -> String {
    format!(
        "{:<44} {:<8} {:>5}  {:<24}  {:<24}  {:<24}  {}",
        key.kid,
        key.state.as_str(),
        key.bits,
        rfc3339(key.created_at),
        moment(key.activated_at.or(key.activates_at)),
        moment(key.removed_at.or(key.publish_until)),
        key.master_key_id.as_deref().unwrap_or("-"),
    )
}

fn moment(moment: Option<Timestamp>) -> String {
    moment.map_or_else(|| "-".to_owned(), rfc3339)
}

/// Imports a private key from a PEM file.
async fn import(config: Config, file: &Path, kid: Option<String>, activate: bool) -> Result<(), CliError> {
    let pem = SecretBytes::new(std::fs::read(file).attempt("the file cannot be read")?);
    let pool = connect(&config)?;
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
}

/// Publishes the next key or lets it sign; fails with an exit code of its own when it is too early for that.
async fn rotate(config: Config, skip_wait: bool) -> Result<(), CliError> {
    let rotation = keeper(&config)?
        .rotate(skip_wait, SystemClock.now(), &SystemEntropy)
        .await
        .attempt("the keys were not rotated")?;
    match rotation {
        Rotation::Published { kid, activates_at } => {
            say(format_args!("published {kid} as the next key"));
            say(format_args!(
                "it may sign from {} on: run `portcullis keys rotate` again then",
                rfc3339(activates_at)
            ));
            Ok(())
        }
        Rotation::Activated { kid, replaced } => {
            say(format_args!("{kid} signs from now on"));
            if let Some((replaced, until)) = replaced {
                say(format_args!(
                    "{replaced} no longer signs, and stays published until {}",
                    rfc3339(until)
                ));
            }
            Ok(())
        }
        Rotation::Waiting { kid, activates_at } => {
            say(format_args!(
                "too early: {kid} may sign from {} on",
                rfc3339(activates_at)
            ));
            Err(CliError::TooEarly)
        }
    }
}

/// Removes a key.
async fn retire(config: Config, kid: &str, compromised: bool) -> Result<(), CliError> {
    let removal = keeper(&config)?
        .retire(kid, compromised, SystemClock.now(), &SystemEntropy)
        .await
        .attempt("the key was not removed")?;
    say(format_args!("removed {kid}, which was {}", removal.was.as_str()));
    if let Some(replacement) = removal.replacement {
        say(format_args!("{replacement} signs from now on"));
    }
    Ok(())
}

/// Moves everything that is sealed to the current master key; fails when something is left.
async fn rewrap(config: Config, batch: u32) -> Result<(), CliError> {
    let (pool, master) = (connect(&config)?, &config.master_key);
    let (now, entropy) = (SystemClock.now(), &SystemEntropy);
    let signing = async |after: String| tokens::rewrap(&pool, master, &after, batch, now, entropy).await;
    let secret = async |after: String| sessions::rewrap(&pool, master, &after, batch, now, entropy).await;
    let factor = async |after: String| mfa::rewrap(&pool, master, &after, batch, now, entropy).await;
    let unopened = rewrap_table("signing_keys", signing).await?
        + rewrap_table("secret_keys", secret).await?
        + rewrap_table("totp_factors", factor).await?;

    let mut connection = pool.acquire().await.attempt("the database cannot be reached")?;
    let left = tokens::count_sealed_elsewhere(&mut connection, master)
        .await
        .attempt("the rows that are left cannot be counted")?
        + sessions::count_sealed_elsewhere(&mut connection, master)
            .await
            .attempt("the rows that are left cannot be counted")?
        + mfa::count_sealed_elsewhere(&mut connection, master)
            .await
            .attempt("the rows that are left cannot be counted")?;
    if left == 0 {
        say(format_args!("everything is under the master key {}", master.id()));
        return Ok(());
    }
    say(format_args!("{left} rows are left under other master keys"));
    if left > unopened {
        say("some came while this ran: run it again, and see that all servers have the new master key");
    }
    Err(CliError::Refused)
}

/// Moves one table, batch by batch, and says how far it is. Returns how many rows did not open.
async fn rewrap_table<E>(
    table: &str,
    move_batch: impl AsyncFn(String) -> Result<RewrappedBatch, E>,
) -> Result<u64, CliError>
where
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let (mut after, mut moved, mut unopened) = (String::new(), 0, 0);
    loop {
        let batch = move_batch(after)
            .await
            .attempt("the rows could not be moved; what was said above is done")?;
        moved += batch.rewrapped;
        for row in &batch.unopened {
            unopened += 1;
            say(format_args!(
                "{} stays under the master key {}: {}",
                row.row, row.key_id, row.reason
            ));
        }
        let Some(last) = batch.last else {
            say(format_args!("{table}: {moved} moved, {unopened} not"));
            return Ok(unopened);
        };
        say(format_args!("{table}: {moved} moved so far"));
        after = last;
    }
}
