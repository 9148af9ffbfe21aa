//! `portcullis token explain`.

use std::io::{self, Read};

use crate::kernel::causes;
use crate::kernel::clock::{Clock, SystemClock};
use crate::kernel::config::Config;
use crate::kernel::db;
use crate::tokens::{self, Tokens};

use super::{Attempt, CliError, block_on, say};

/// A token has 8 KiB at most; what is beyond this is not read.
const MAX_INPUT_BYTES: u64 = 64 * 1024;

/// Verifies the token and prints each step. Fails when the token is refused.
pub(super) fn explain(config: Config, token: Option<String>) -> Result<(), CliError> {
    let token = match token {
        Some(token) if token != "-" => token,
        Some(_) | None => {
            let mut text = String::new();
            io::stdin()
                .take(MAX_INPUT_BYTES)
                .read_to_string(&mut text)
                .attempt("the token cannot be read from the standard input")?;
            text
        }
    };
    block_on(async move {
        let pool = db::connect(&config.database).attempt("the database cannot be reached")?;
        let tokens = Tokens::new(&config.tokens, pool.clone(), config.master_key.clone());
        let explanation = tokens::explain(&tokens, &pool, token.trim(), SystemClock.now()).await;
        for step in &explanation.passed {
            say(format_args!("good     {}", step.as_str()));
        }
        if let Some(claims) = &explanation.claims {
            let claims = serde_json::to_string_pretty(claims).attempt("the claims cannot be shown")?;
            say(claims);
        }
        let Some((step, error)) = explanation.refused else {
            say("the token is good");
            return Ok(());
        };
        say(format_args!(
            "refused  {}: {}",
            step.as_str(),
            causes::on_one_line(&error)
        ));
        Err(CliError::Refused)
    })
}
