//! What may be asked of a policy on the command line.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::kernel::time::Timestamp;

/// How the help of `policy check` ends.
const CHECK_EXAMPLES: &str = "\
Examples:
  portcullis policy check
  portcullis policy check --env production --json

Exit codes: 0 no mistakes, perhaps warnings; 1 mistakes, or the file cannot be read.";

/// How the help of `policy explain` ends.
const EXPLAIN_EXAMPLES: &str = "\
Examples:
  portcullis policy explain --path /api/public/map
  portcullis policy explain --method POST --path /api/withdraw --token token.txt
  portcullis policy explain --path '/api/reports?year=2026' --claims claims.json --at 2026-12-01T08:00:00Z

Exit codes: 0 it passes, or the edge would refresh the session first; 1 it is refused, or the question cannot be answered.";

/// How the help of `policy test` ends.
const TEST_EXAMPLES: &str = "\
The file is TOML:

  [callers.owner]                     # the claims of a token; the rest is filled in
  venues = { \"11111111-1111-7111-8111-111111111111\" = [\"venue-owner\"] }
  acr = \"aal2\"
  auth_age_seconds = 30               # so long ago is auth_time

  [[case]]
  name = \"an owner withdraws\"
  method = \"POST\"
  path = \"/api/withdraw\"              # or a whole URL
  as = \"owner\"                        # or claims = { ... }; without either, no token
  expect = \"pass\"                     # or the code of a problem, or preflight, refresh, ask_venue_roles
  route = \"/api/withdraw\"             # the path of the route that decides, where that matters
  headers = { origin = \"https://app.example\" }

Where the edge answers itself, status and challenge (its WWW-Authenticate) may be expected, too.

Claims are those of an access token. exp is expires_in_seconds (900) ahead, auth_time auth_age_seconds ago. They stand for the
token of the request: that of its own Authorization or session cookie, or else of a bearer token that it is given.

Exit codes: 0 every case came out as expected; 1 one did not, or the file or the table has a mistake.";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PolicyCommand {
    /// Print the routes of the table, or everything that is wrong with it
    ///
    /// The table is parsed by the code that runs at the edge. Warnings tell of what may be right all the same: a role that only
    /// this installation knows, or an upstream whose URL is set elsewhere.
    #[command(after_help = CHECK_EXAMPLES)]
    Check {
        #[command(flatten)]
        table: TableArguments,

        /// Print one JSON object: `{"routes": [...], "mistakes": [...], "warnings": [...]}`
        #[arg(long)]
        json: bool,
    },

    /// Show step by step what the edge decides about a request
    ///
    /// The decision is that of the code which runs at the edge. The token is verified with the keys that the running system has
    /// published, or with those of --jwks. What was revoked is not asked: the explanation is for a moment in which nothing was.
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(ExplainArguments),

    /// Decide on a file full of requests, and compare with what is expected
    ///
    /// For the continuous integration of whoever changes the table. Nothing but the two files is needed, and nothing is asked of
    /// any server; the time is 2026-01-01T00:00:00Z.
    #[command(after_help = TEST_EXAMPLES)]
    Test {
        /// The requests, and what is expected
        #[arg(value_name = "FILE")]
        cases: PathBuf,

        #[command(flatten)]
        table: TableArguments,
    },
}

/// Where the table is.
#[derive(Debug, Args)]
pub(in crate::cli) struct TableArguments {
    /// The file that has the table: a wrangler.toml, or the bare table as TOML or JSON
    #[arg(long, value_name = "FILE", default_value = "wrangler.toml")]
    pub(super) file: PathBuf,

    /// The environment of the wrangler.toml, which has its own variables: `[env.NAME.vars.POLICY]`
    #[arg(long, value_name = "NAME")]
    pub(super) env: Option<String>,
}

/// A request, and who makes it.
#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArguments {
    /// The method
    #[arg(long, default_value = "GET")]
    pub(super) method: String,

    /// The path, with the query if there is one; or a whole URL, where it matters which host the request is for
    #[arg(long)]
    pub(super) path: String,

    /// A file with the access token; `-` reads it from the standard input
    ///
    /// It is not taken from the command line, where it would stay in the history of the shell.
    #[arg(long, value_name = "FILE")]
    pub(super) token: Option<PathBuf>,

    /// The key set to verify the token with, as /.well-known/jwks.json has it; that of the running system if absent
    #[arg(long, value_name = "FILE", requires = "token")]
    pub(super) jwks: Option<PathBuf>,

    /// A file with the claims of a token (TOML or JSON), which are believed without a signature; what is missing is filled in
    #[arg(long, value_name = "FILE", conflicts_with = "token")]
    pub(super) claims: Option<PathBuf>,

    /// Send the token as a browser does, in its session cookie
    #[arg(long)]
    pub(super) cookie: bool,

    /// A header of the request; may be given several times
    #[arg(long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(super) headers: Vec<(String, String)>,

    /// The moment for which it is decided (RFC 3339); now if absent
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(super) at: Option<Timestamp>,

    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) table: TableArguments,
}

/// A name in lower case and a value. A credential is refused: it would be in the history of the shell.
fn header(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once(':').ok_or("it has no colon")?;
    let name = name.to_ascii_lowercase();
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if name.is_empty() || !is_name {
        return Err("the name is not letters, digits, - and _");
    }
    let value = value.trim();
    let has_token = match name.as_str() {
        "authorization" => value.to_ascii_lowercase().contains("bearer"),
        "cookie" => value.contains("__Host-pc_"),
        _ => false,
    };
    if has_token {
        return Err("a token is given by --token, and as a cookie with --cookie");
    }
    Ok((name, value.to_owned()))
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    chrono::DateTime::parse_from_rfc3339(text)
        .map(|moment| moment.to_utc())
        .map_err(|_| "it is not like 2026-12-01T08:00:00Z")
}
