//! `portcullis audit …`.

mod file;
mod report;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::accounts;
use crate::audit::{self, Chain};
use crate::kernel::config::{Config, ConfigErrors};
use crate::kernel::db::Pool;
use crate::kernel::ids::TenantId;
use crate::kernel::time::Timestamp;

use super::arguments::moment;
use super::{Attempt, CliError, block_on, connect};
use report::{Checked, Report};

#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Verify that no event was changed, removed, inserted or moved since it was written
    ///
    /// Walks along the chain of hashes of each tenant and that of the installation, and names the first position of each that
    /// does not hold (exit code 1). Note down the heads that it prints, or keep exports, in a place of their own: whoever
    /// may write to the database in every way can make a whole chain anew, and then its head is another one.
    Verify(VerifyArguments),

    /// Write the events as JSON, one object a line
    ///
    /// Chain by chain, in the order of each. `docs/audit.md` describes the format; `audit verify --file` verifies it.
    Export(ExportArguments),
}

/// What to verify.
#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// Only the chain of this tenant, by its slug
    #[arg(long, value_name = "SLUG", conflicts_with = "file")]
    tenant: Option<String>,

    /// Verify an export instead, which needs neither a database nor a configuration; `-` for the standard input
    #[arg(long, value_name = "EXPORT")]
    file: Option<PathBuf>,

    /// Print one JSON document: `{"chains": [...], "unchained": …}`
    #[arg(long)]
    json: bool,
}

/// What to export.
#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// Only the events of this tenant, by its slug
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,

    /// From when on, as in RFC 3339 (2027-01-31T18:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<Timestamp>,

    /// Until before when
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<Timestamp>,

    /// Where to; the standard output if absent. A file that is there already is refused
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Does what was asked. `load` reads the configuration, which a file is verified without.
pub(super) fn run(
    load: impl FnOnce() -> Result<Config, ConfigErrors>,
    command: AuditCommand,
) -> Result<(), CliError> {
    match command {
        AuditCommand::Verify(VerifyArguments {
            file: Some(path),
            json,
            ..
        }) => file::verify(&path)?.tell(json),
        AuditCommand::Verify(arguments) => {
            let config = load()?;
            block_on(async move {
                verify(&config, arguments.tenant.as_deref())
                    .await?
                    .tell(arguments.json)
            })
        }
        AuditCommand::Export(arguments) => {
            let config = load()?;
            block_on(async move { export(&config, arguments).await })
        }
    }
}

/// Where the chains are, and which are meant.
async fn find(config: &Config, slug: Option<&str>) -> Result<(Pool, Option<TenantId>, Vec<Chain>), CliError> {
    let pool = connect(config)?;
    let mut connection = pool.acquire().await.attempt("the database cannot be reached")?;
    let tenant = match slug {
        Some(slug) => Some(
            accounts::tenant(&mut connection, slug)
                .await
                .attempt("the tenant cannot be found")?,
        ),
        None => None,
    };
    let chains = audit::chains(&mut connection, tenant)
        .await
        .attempt("the audit log cannot be read")?;
    drop(connection);
    Ok((pool, tenant, chains))
}

async fn verify(config: &Config, slug: Option<&str>) -> Result<Report, CliError> {
    let attempt = "the audit log cannot be read";
    let (pool, tenant, chains) = find(config, slug).await?;
    let mut connection = pool.acquire().await.attempt(attempt)?;
    let mut report = Report::default();
    for chain in &chains {
        let name = report::name_of(chain.tenant);
        let (walk, broken) = audit::verify(&mut connection, chain, |passed| tell_progress(&name, passed))
            .await
            .attempt(attempt)?;
        report.chains.push(Checked::new(chain.tenant, &walk, broken));
    }
    report.unchained = audit::find_unchained(&mut connection, tenant)
        .await
        .attempt(attempt)?;
    Ok(report)
}

/// Says how far it has come, to somebody who watches. A terminal that is gone is no failure of the command.
fn tell_progress(name: &str, passed: u64) {
    let mut stream = io::stderr();
    if stream.is_terminal() {
        let _gone = write!(stream, "\r{name}: {passed} events\x1b[K\r").and_then(|()| stream.flush());
    }
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("the audit log cannot be read")]
    Database(#[from] sqlx::Error),
    #[error("the events cannot be written")]
    Output(#[from] io::Error),
    #[error("an event cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

async fn export(config: &Config, arguments: ExportArguments) -> Result<(), CliError> {
    let (pool, _tenant, chains) = find(config, arguments.tenant.as_deref()).await?;
    let mut connection = pool.acquire().await.attempt("the audit log cannot be read")?;
    let mut output = open(arguments.output.as_deref()).attempt("the file cannot be made")?;
    for chain in &chains {
        audit::export(
            &mut connection,
            chain,
            arguments.since,
            arguments.until,
            |entry| {
                serde_json::to_writer(&mut output, entry)?;
                Ok::<_, ExportError>(output.write_all(b"\n")?)
            },
        )
        .await
        .attempt("the export is not complete")?;
    }
    output.flush().attempt("the export is not complete")
}

fn open(path: Option<&Path>) -> io::Result<Box<dyn Write>> {
    Ok(match path {
        // Events name people, and an older export is not overwritten.
        Some(path) => Box::new(BufWriter::new(private_file(path)?)),
        None => Box::new(BufWriter::new(io::stdout())),
    })
}

/// A new file that nobody else may read.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
