//! Where a table is found: among the variables of a `wrangler.toml`, or in a file of its own.

use std::path::Path;

use portcullis_edge::policy::{Mistakes, Policy};
use serde_json::{Map, Value};

use super::arguments::TableArguments;
use super::{Attempt, CliError, say};

const UNREADABLE: &str = "the table cannot be read";

/// A table as it was found, not parsed.
pub(super) struct Source {
    policy: String,
    /// The variables beside it, where it is in a `wrangler.toml`.
    variables: Option<Map<String, Value>>,
}

impl Source {
    /// Finds the table.
    pub(super) fn read(arguments: &TableArguments) -> Result<Self, CliError> {
        let file = read_file(&arguments.file)?;
        Self::of(file, arguments.env.as_deref()).attempt(UNREADABLE)
    }

    fn of(mut file: Map<String, Value>, env: Option<&str>) -> Result<Self, String> {
        let place = env.map_or("vars".to_owned(), |env| format!("env.{env}.vars"));
        let variables = match env {
            Some(env) => file
                .get_mut("env")
                .and_then(|all| all.get_mut(env))
                .and_then(|own| own.get_mut("vars")),
            None => file.get_mut("vars"),
        };
        match variables.map(Value::take) {
            Some(Value::Object(variables)) => match variables.get("POLICY") {
                Some(policy) => Ok(Self {
                    policy: policy.to_string(),
                    variables: Some(variables),
                }),
                None => Err(format!("[{place}] has no POLICY")),
            },
            Some(_) => Err(format!("[{place}] is not a table")),
            None if env.is_some() => Err(format!("there is no [{place}]")),
            None => Ok(Self {
                policy: Value::Object(file).to_string(),
                variables: None,
            }),
        }
    }

    /// Parses it.
    pub(super) fn parse(&self) -> Result<Policy, Mistakes> {
        Policy::parse(&self.policy)
    }

    /// Parses it for a command that cannot go on without; the mistakes are printed.
    pub(super) fn policy(&self) -> Result<Policy, CliError> {
        self.parse().map_err(|mistakes| {
            for mistake in mistakes.0 {
                say(format_args!("mistake: {mistake}"));
            }
            CliError::Refused
        })
    }

    /// The variables beside the table; `None` where the file has the table alone.
    pub(super) fn variables(&self) -> Option<&Map<String, Value>> {
        self.variables.as_ref()
    }
}

/// Reads a table: JSON if the file is called so, else TOML.
pub(super) fn read_file(file: &Path) -> Result<Map<String, Value>, CliError> {
    const UNREADABLE: &str = "the file cannot be read";
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{}: {error}", file.display()))
        .attempt(UNREADABLE)?;
    let is_json = file.extension().is_some_and(|extension| extension == "json");
    let parsed = if is_json {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error| error.to_string())
    };
    parsed
        .map_err(|error| format!("{}: {error}", file.display()))
        .attempt(UNREADABLE)
}
