//! The command line: starts the server, and does what an operator does.
//!
//! Exit codes: 0 done; 1 it failed, or the answer is no; 2 the command or the configuration is wrong; 3 it is
//! too early for it.

mod arguments;
mod audit;
mod clients;
mod config;
mod environment;
mod import;
mod jobs;
mod keys;
mod mail;
mod migrate;
mod policy;
mod roles;
mod serve;
mod token;
mod users;

use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::kernel::config::{Config, ConfigErrors};
use crate::kernel::db::{self, Pool};
use arguments::{Arguments, ClientsCommand, Command, ConfigCommand, TokenCommand};
use environment::Environment;
use mail::MailCommand;

/// Exit code for mistakes of the caller.
const MISTAKE: u8 = 2;
/// Exit code for what will work later, and was said when.
const TOO_EARLY: u8 = 3;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// Something else: what was attempted, and why it did not work.
    #[error("{attempt}")]
    Failed {
        attempt: &'static str,
        source: Box<dyn Error + Send + Sync>,
    },
    /// The answer is no, and was printed.
    #[error("refused")]
    Refused,
    /// It has to wait; until when was printed.
    #[error("too early")]
    TooEarly,
}

/// Names what was attempted when an error came up.
trait Attempt<T> {
    fn attempt(self, attempt: &'static str) -> Result<T, CliError>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> Attempt<T> for Result<T, E> {
    fn attempt(self, attempt: &'static str) -> Result<T, CliError> {
        self.map_err(|error| CliError::Failed {
            attempt,
            source: error.into(),
        })
    }
}

/// Runs the command of this process's arguments.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Refused) => ExitCode::FAILURE,
        Err(CliError::TooEarly) => ExitCode::from(TOO_EARLY),
        Err(error @ CliError::Config(_)) => {
            report(&error);
            ExitCode::from(MISTAKE)
        }
        Err(error @ CliError::Failed { .. }) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), CliError> {
    let environment = Environment::of_process(arguments.config);
    let load = || Config::load(environment.config_file(), environment.variables());
    match arguments.command {
        Command::Audit { command } => audit::run(load, command),
        Command::Serve => serve::run(load()?),
        Command::Migrate => migrate::run(load()?),
        Command::Config {
            command: ConfigCommand::Check,
        } => config::check(load()),
        Command::Clients {
            command: ClientsCommand::Generate { id },
        } => {
            clients::generate(&id);
            Ok(())
        }
        Command::Jobs { command } => jobs::run(&load()?, command),
        Command::Keys { command } => keys::run(load()?, command),
        Command::Mail {
            command: MailCommand::Preview(arguments),
        } => mail::preview(&load()?, &arguments),
        Command::Policy { command } => policy::run(load, command),
        Command::Roles { command } => roles::run(load()?, command),
        Command::Token {
            command: TokenCommand::Explain { token, json },
        } => token::explain(load()?, token, json),
        Command::Users { command } => users::run(load, command),
    }
}

/// The database, for a command.
fn connect(config: &Config) -> Result<Pool, CliError> {
    let pool = db::connect(&config.database).attempt("the database cannot be reached")?;
    Ok(pool.for_commands())
}

/// Runs a command that needs Postgres but no server, on the thread that called it.
fn block_on(work: impl Future<Output = Result<(), CliError>>) -> Result<(), CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .attempt("the runtime did not start")?
        .block_on(work)
}

/// Prints a line for the caller. A closed pipe is no failure of the command.
fn say(line: impl std::fmt::Display) {
    let _closed = writeln!(io::stdout(), "{line}");
}

fn report(error: &CliError) {
    let mut text = format!("error: {error}");
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str("\n  because: ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    let _closed = writeln!(io::stderr(), "{text}");
}
