//! The configuration: typed, complete, and checked as a whole before anything starts.
//!
//! Invariants:
//! - Every mistake is reported in one message; nothing is silently ignored or corrected.
//! - No message repeats a secret.
//! - What is read here is valid: no other room checks a setting again.

mod accounts;
mod audit;
mod devices;
mod lockout;
mod mail;
mod passwords;
mod reader;
mod redis;
mod registration;
mod secret;
mod sections;
mod service_clients;
mod sources;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use portcullis_shared::request_signature::SigningKey;
use secrecy::SecretString;

pub use self::redis::RedisConfig;
pub use accounts::AccountsConfig;
pub use audit::AuditConfig;
pub use devices::DevicesConfig;
pub use lockout::LockoutConfig;
pub use mail::{MailConfig, MailTransport, SmtpConfig, SmtpCredentials, SmtpTls};
pub use passwords::{BreachesConfig, PasswordsConfig};
pub use registration::RegistrationConfig;

use super::secret_digest::SecretDigest;
use super::secrets::MasterKey;
use super::time::TimeDelta;
use reader::Mistakes;
pub use service_clients::{CLIENT_ID_RULE, is_client_id};

/// The configuration of one origin.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[http]`
    pub http: HttpConfig,
    /// `[database]`
    pub database: DatabaseConfig,
    /// `[redis]`
    pub redis: RedisConfig,
    /// `[tokens]`
    pub tokens: TokensConfig,
    /// `[secrets]`: the master key, and up to four others that only open.
    pub master_key: MasterKey,
    /// The identifiers of those others.
    pub old_master_key_ids: Vec<String>,
    /// `[edge]`: the keys under which the edge signs its requests; at most two, for rotation.
    pub edge_keys: Vec<SigningKey>,
    /// `[edge] required`: whether nobody but the edge is answered, except about health. To be said where the listener is
    /// not on the loopback interface; false by default where it is.
    pub edge_required: bool,
    /// `[passwords]`
    pub passwords: PasswordsConfig,
    /// `[accounts]`
    pub accounts: AccountsConfig,
    /// `[registration]`
    pub registration: RegistrationConfig,
    /// `[limits]`
    pub limits: LimitsConfig,
    /// `[devices]`
    pub devices: DevicesConfig,
    /// `[lockout]`
    pub lockout: LockoutConfig,
    /// `[clients.<id>] secret_sha256`: the services that may introspect and revoke tokens, by id. Default none.
    pub clients: BTreeMap<String, SecretDigest>,
    /// `[mail]`; `None`: mail is off.
    pub mail: Option<MailConfig>,
    /// `[audit]`
    pub audit: AuditConfig,
    /// `[tenants] default`: slug of the tenant of requests that name none.
    pub default_tenant: String,
    /// `[log]`
    pub log: LogConfig,
}

/// `[http]`: the listener.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Address to listen on. Default `127.0.0.1:3001`.
    pub listen: SocketAddr,
    /// How long the body of a request may take to arrive. 1 to 300 s, default 10 s.
    pub body_timeout: Duration,
    /// How long requests in flight may take after a stop was asked for. 0 to 600 s, default 25 s.
    pub drain: Duration,
    /// Networks of the proxies whose `X-Forwarded-For` is believed. Default none.
    pub trusted_proxies: Vec<IpNet>,
}

/// `[database]`: Postgres.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// `postgres://…`, or the environment's `DATABASE_URL`. Required.
    pub url: SecretString,
    /// Connections of one replica. 1 to 1000, default 16.
    pub max_connections: u32,
    /// How long a request waits for one of them before it is answered `unavailable`. 1 to 60 s, default 2 s.
    pub acquire_timeout: Duration,
    /// How long a transaction of a request or a job waits for a lock. 1 to 60 s, default 2 s.
    pub lock_timeout: Duration,
    /// How long one statement of such a transaction may take, and a pause between two. 1 to 600 s, default 15 s.
    pub statement_timeout: Duration,
}

/// `[tokens]`: what is minted and for how long it lives.
#[derive(Clone, Debug)]
pub struct TokensConfig {
    /// The `iss` claim: the public URL of the edge. Required.
    pub issuer: String,
    /// The `aud` claim. Required.
    pub audience: String,
    /// Life of an access token. 60 to 3600 s, default 900 s.
    pub access_ttl: TimeDelta,
    /// Size of generated signing keys: 2048, 3072 (default) or 4096.
    pub rsa_bits: u32,
    /// A session ends when it was not refreshed for this long. 1 to 365 days, default 30.
    pub refresh_idle: TimeDelta,
    /// A session ends at this age. At least `refresh_idle`, at most 3650 days, default 90.
    pub refresh_absolute: TimeDelta,
    /// For how long after a rotation the token just replaced is answered once more with the same successor.
    /// 0 to 600 s, default 60 s.
    pub refresh_replay: TimeDelta,
    /// How long a signing key signs before the next one takes its place. 0 (`None`, never by itself) to 3650 days,
    /// default 90.
    pub rotation: Option<TimeDelta>,
}

/// `[limits]`: requests that are let through in a window.
#[derive(Clone, Debug)]
pub struct LimitsConfig {
    /// Logins a minute for one pair of client and email. Default 10.
    pub login_per_minute_pair: NonZeroU32,
    /// Logins a minute for one client. Default 30.
    pub login_per_minute_client: NonZeroU32,
    /// Registrations in 5 minutes for one client. Default 3.
    pub register_per_5_minutes: NonZeroU32,
    /// Registrations an hour for one client. Default 10.
    pub register_per_hour: NonZeroU32,
    /// Other requests a minute, for one client and for one subject. Default 100.
    pub default_per_minute: NonZeroU32,
    /// Refreshes a minute for one session. Default 30.
    pub refresh_per_minute_session: NonZeroU32,
    /// Refresh tokens a minute that are good for nothing, for one client. Past it a client is refused before the database is
    /// asked. Default 300.
    pub refresh_failures_per_minute_client: NonZeroU32,
    /// Mails an hour with a link to choose a new password, for one address. What is asked for beyond that is answered alike and
    /// sent nowhere. Default 3.
    pub reset_mails_per_hour: NonZeroU32,
    /// Times an hour that somebody who is signed in may ask for another mail to confirm their address. Default 3.
    pub verification_mails_per_hour: NonZeroU32,
    /// Times an hour that all that is stored about an account may be asked for. Default 3.
    pub account_exports_per_hour: NonZeroU32,
    /// Roles at venues that are granted to one account in a minute: by one caller, and at one venue by all of them. Default 10.
    pub role_grants_per_minute: NonZeroU32,
}

/// `[log]`: how events are written to the standard error stream.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// `json` (default) or `text`.
    pub format: LogFormat,
    /// A `tracing` filter such as `info` or `info,sqlx=warn`. Default `info`.
    pub filter: String,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For a person at a terminal.
    Text,
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(()),
        }
    }
}

/// Everything that is wrong with a configuration, one line each.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigErrors(Vec<String>);

impl ConfigErrors {
    /// The mistakes, in the order of the sections.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(
            f,
            "the configuration has {count} mistake{}:",
            if count == 1 { "" } else { "s" }
        )?;
        for mistake in &self.0 {
            write!(f, "\n  {mistake}")?;
        }
        Ok(())
    }
}

impl Config {
    /// Whether somebody on another machine may be able to ask the server itself, and so pass by the edge: its policy, its
    /// limits and its revocations.
    #[must_use]
    pub fn passes_by_the_edge(&self) -> bool {
        !self.edge_required && !self.http.listen.ip().is_loopback()
    }

    /// Reads the file, if there is one, and then the environment: `PORTCULLIS__<SECTION>__<KEY>`,
    /// `DATABASE_URL` and `REDIS_URL`.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let mut mistakes = Mistakes::default();
        let mut sections = sources::collect(file, environment, &mut mistakes);
        let config = sections::read(&mut sections, &mut mistakes);
        for section in sections.into_keys() {
            mistakes.add(format!("there is no section [{section}]"));
        }
        match config {
            Some(config) if mistakes.0.is_empty() => Ok(config),
            _ => Err(ConfigErrors(mistakes.0)),
        }
    }
}
