//! What may be asked on the command line.

use std::path::PathBuf;

use chrono::DateTime;
use clap::{Args, Parser, Subcommand, ValueEnum};
use portcullis_shared::roles::VENUE_ROLES;

use super::audit::AuditCommand;
use super::jobs::JobsCommand;
use super::mail::MailCommand;
use super::policy::PolicyCommand;
use crate::kernel::config::{CLIENT_ID_RULE, is_client_id};
use crate::kernel::ids::VenueId;
use crate::kernel::time::Timestamp;
use crate::rbac::VenueRole;

/// What `--help` begins with.
const ABOUT: &str = "\
The authentication server of Portcullis.

It registers people, checks their passwords, keeps their sessions and mints the access tokens that the edge \
verifies. Settings come from a TOML file and from the environment, which wins: PORTCULLIS__<SECTION>__<KEY>, \
DATABASE_URL and REDIS_URL. Within a checkout of the project, commands talk to the development stack by themselves \
(they read `.dev/env`).";

/// What `--help` ends with.
const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 it failed, or the answer is no; 2 the command or the configuration is wrong; \
3 it is too early for it.";

/// The authentication server of Portcullis.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version, arg_required_else_help = true, long_about = ABOUT, after_help = EXIT_CODES)]
pub(super) struct Arguments {
    /// The configuration file (TOML); otherwise that of the variable `PORTCULLIS_CONFIG`, if any
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Serve requests until SIGTERM or Ctrl-C, then let those in flight finish
    ///
    /// SIGTERM announces the stop at /ready first, so that a load balancer can notice; Ctrl-C drains at once. A
    /// second signal stops without waiting. The schema must be there: see `portcullis migrate`. If there is no
    /// signing key yet, one is made.
    Serve,

    /// Bring the database schema up to date
    ///
    /// Safe to run again, and safe to run from several places at once: one does the work, the others wait.
    Migrate,

    /// Verify the audit log, and write it down
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },

    /// Look at the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },

    /// Make secrets for the services that may introspect and revoke tokens
    Clients {
        #[command(subcommand)]
        command: ClientsCommand,
    },

    /// Look at the jobs of the queue, and have them tried again
    Jobs {
        #[command(subcommand)]
        command: JobsCommand,
    },

    /// Look at signing keys, bring them in, and move them on
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },

    /// Look at the letters that people are sent
    Mail {
        #[command(subcommand)]
        command: MailCommand,
    },

    /// Look at the edge's table of routes, before it is deployed
    Policy {
        #[command(subcommand)]
        command: PolicyCommand,
    },

    /// Look at the roles that are held at venues, grant them, and take them away
    Roles {
        #[command(subcommand)]
        command: RolesCommand,
    },

    /// Look at tokens
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },

    /// Change what accounts may do, and bring accounts in
    Users {
        #[command(subcommand)]
        command: UsersCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print "ok", or everything that is wrong
    Check,
}

#[derive(Debug, Subcommand)]
pub(super) enum ClientsCommand {
    /// Print a new secret, and the lines by which the configuration knows it
    ///
    /// The secret has 256 random bits and is kept nowhere; the configuration holds its SHA-256. Every origin reads the
    /// same lines and is started anew. To change a secret without an interruption, add a client beside the old one, move
    /// the service over, and remove the old one.
    Generate {
        /// What to call the client
        #[arg(default_value = "my-service", value_parser = client_id)]
        id: String,
    },
}

fn client_id(text: &str) -> Result<String, &'static str> {
    if is_client_id(text) {
        Ok(text.to_owned())
    } else {
        Err(CLIENT_ID_RULE)
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List all signing keys with their state
    ///
    /// next: published, does not sign yet; active: signs; retired: published until its last token has expired;
    /// removed: neither.
    List {
        /// Print one JSON document: `{"keys": [...]}`
        #[arg(long)]
        json: bool,
    },

    /// Publish the next signing key, or let it sign when it has been published for long enough
    ///
    /// Run it twice, ten minutes apart: the first time a key is made and published, the second time it signs, and the
    /// key before it stays published until its last token has expired. Nobody is signed out. If it is too early, the
    /// command says when it will not be, changes nothing, and exits with 3. The server does all this by itself every
    /// `tokens.rotation_days`.
    Rotate {
        /// Let another key sign at once, for development
        ///
        /// What it costs: verifiers that keep the key set for its five minutes refuse the new tokens until they
        /// fetch it again, unless they fetch it for a key that they do not know, as the edge does.
        #[arg(long)]
        now: bool,
    },

    /// Take a next or a retired key out of the key set at once, and erase its private part
    ///
    /// Access tokens that it has signed are refused from then on: by every server within five seconds, by the edge
    /// within seconds. Refresh tokens go on working, so that nobody has to sign in again.
    Retire {
        /// The key's identifier, as `keys list` shows it
        // It is base64url, and may begin with a hyphen.
        #[arg(value_name = "KID", allow_hyphen_values = true)]
        kid: String,

        /// Remove the key even if it signs: a new one is made and signs from now on
        ///
        /// For a key that may be in the wrong hands. Every client has to refresh its access token.
        #[arg(long)]
        compromised: bool,
    },

    /// Move everything that is sealed in the database to the current master key
    ///
    /// `secrets.master_key` seals; those in `secrets.old_master_keys` open. Works in batches, may be stopped anywhere
    /// and run again, and says what it could not open (exit code 1). Once it exits with 0, and all servers have
    /// the new master key, the old ones may go.
    Rewrap {
        /// How many rows one transaction moves
        #[arg(long, value_name = "ROWS", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        batch: u32,
    },

    /// Bring in an RSA private key, for example that of the service this one replaces
    ///
    /// The key is published at once and verifies the tokens it has signed. It signs none, unless --activate is given.
    Import {
        /// A PEM file with an RSA key of 2048 to 4096 bits (PKCS#8 or PKCS#1, not encrypted)
        #[arg(value_name = "FILE.pem")]
        file: PathBuf,

        /// The key's identifier in tokens and in the key set; its RFC 7638 thumbprint if absent
        #[arg(long, value_name = "KID")]
        kid: Option<String>,

        /// Sign with this key from now on; the key before it stays published until its tokens have expired
        #[arg(long)]
        activate: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Verify an access or refresh token, and say which rule it meets and which it does not
    ///
    /// The verification is that of the server, and each rule is shown with the section it comes from. A refresh token is
    /// looked at and not presented: its chain stays as it is. The token itself is never shown.
    Explain {
        /// The token; `-` or nothing reads it from the standard input, which keeps it out of the shell's history
        token: Option<String>,

        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum UsersCommand {
    /// Suspend an account for a while: all of its sessions end, and nobody signs in to it
    Lock(UserArguments),

    /// End the suspension of an account
    Unlock(UserArguments),

    /// Close an account: all of its sessions end, and nobody signs in to it
    Disable(UserArguments),

    /// Open a closed account again
    Enable(UserArguments),

    /// End the second factor of an account whose holder has lost it: all of its sessions end, and its holder is told
    RemoveMfa(UserArguments),

    /// Give an account another global role
    ///
    /// Its sessions go on; access tokens that name the old role are refused within 5 seconds, and a refresh gives one
    /// that names the new role.
    Role {
        #[command(flatten)]
        user: UserArguments,

        /// The role it is to have
        #[arg(value_enum)]
        role: RoleArgument,
    },

    /// Make accounts from the records of another service
    ///
    /// One JSON object a line: `email`, `passwordHash` (bcrypt or argon2id; whoever has none sets a password first),
    /// `firstName`, `lastName`, and if there are any `emailVerified` and `phone`; the spellings `password_hash` and so on do
    /// too. An address that has an account is passed over, so that an import that was interrupted is run again and goes on where
    /// it stood. A line that cannot be used is reported with its number, and the others are imported; the exit code is 1
    /// then. A hash of bcrypt is replaced by one of argon2id when its owner signs in.
    Import {
        /// The file; `-` for the standard input
        file: PathBuf,

        /// The tenant that the accounts are to live in, by its slug; the default tenant if absent
        #[arg(long, value_name = "SLUG")]
        tenant: Option<String>,

        /// Only say what would be imported and which lines cannot be used
        #[arg(long)]
        check: bool,
    },

    /// Print a new password from the system's random source; it is kept nowhere
    GeneratePassword {
        /// How many characters, six random bits each
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u8).range(12..=128))]
        length: u8,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum RolesCommand {
    /// Grant an account a role at a venue, or move the end of a grant
    ///
    /// The first owner of a venue is granted here, or by an admin; owners grant the other roles themselves. Tokens that the
    /// account holds are refused within 5 seconds, and a refresh gives one that names the role.
    Grant {
        #[command(flatten)]
        user: HolderArguments,

        #[command(flatten)]
        venue: VenueArguments,

        /// The role it is to hold
        #[arg(long, value_parser = venue_role)]
        role: VenueRole,

        /// Until when, as in RFC 3339 (2027-01-31T18:00:00Z); for good if absent
        ///
        /// A role that the account holds already ends when it did, unless this says otherwise.
        #[arg(long, value_name = "TIME", value_parser = moment)]
        expires: Option<Timestamp>,
    },

    /// List who holds what at a venue
    List {
        #[command(flatten)]
        venue: VenueArguments,
    },

    /// Take a role at a venue away from an account, or all of them
    ///
    /// A venue keeps its last owner: grant another one first. Tokens that name the role are refused within 5 seconds.
    Revoke {
        #[command(flatten)]
        user: HolderArguments,

        #[command(flatten)]
        venue: VenueArguments,

        /// The role to take away; all that the account holds there if absent
        #[arg(long, value_parser = venue_role)]
        role: Option<VenueRole>,
    },
}

/// Which account holds a role.
#[derive(Debug, Args)]
pub(super) struct HolderArguments {
    /// The account, by its email address or its id
    #[arg(long = "user", value_name = "EMAIL|ID")]
    pub(super) user: String,
}

/// Which venue is meant.
#[derive(Debug, Args)]
pub(super) struct VenueArguments {
    /// The venue, by its id
    #[arg(long, value_name = "ID")]
    pub(super) venue: VenueId,

    /// The tenant that it belongs to, by its slug; the default tenant if absent
    #[arg(long, value_name = "SLUG")]
    pub(super) tenant: Option<String>,

    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

fn venue_role(text: &str) -> Result<VenueRole, String> {
    VenueRole::parse(text).ok_or_else(|| format!("it is one of {}", VENUE_ROLES.join(", ")))
}

pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|moment| moment.to_utc())
        .map_err(|error| error.to_string())
}

/// Which account is meant.
#[derive(Debug, Args)]
pub(super) struct UserArguments {
    /// The email address of the account
    pub(super) email: String,

    /// The tenant that it lives in, by its slug; the default tenant if absent
    #[arg(long, value_name = "SLUG")]
    pub(super) tenant: Option<String>,
}

/// A global role.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum RoleArgument {
    /// Buys and owns tickets
    Customer,
    /// Runs the installation
    Admin,
}
