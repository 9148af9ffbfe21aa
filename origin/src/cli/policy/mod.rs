//! `portcullis policy …`: the edge's table, looked at before it is deployed.
//!
//! Invariants:
//! - The table is parsed, and requests are decided upon, by the edge's own code. What is told beside a decision comes
//!   from the functions that the decision is made of.
//! - No other part of this crate knows the edge.

mod arguments;
mod check;
mod claims;
mod explain;
mod steps;
mod suite;
mod table;
mod trial;

use crate::kernel::config::{Config, ConfigErrors};

use super::{Attempt, CliError, block_on, connect, say};
pub(super) use arguments::PolicyCommand;

/// Does what was asked. `load` reads the configuration, which few of the commands need.
pub(super) fn run(
    load: impl FnOnce() -> Result<Config, ConfigErrors>,
    command: PolicyCommand,
) -> Result<(), CliError> {
    match command {
        PolicyCommand::Check { table, json } => check::run(&table, json),
        PolicyCommand::Explain(asked) => explain::run(load, &asked),
        PolicyCommand::Test { cases, table } => suite::run(&cases, &table),
    }
}
