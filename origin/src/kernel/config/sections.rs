//! Reads each section into its type, with its defaults and its rules.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use portcullis_shared::request_signature::SigningKey;
use secrecy::SecretString;

use super::reader::{Mistakes, Section, Settings};
use super::{
    AccountsConfig, AuditConfig, Config, DatabaseConfig, DevicesConfig, HttpConfig, LimitsConfig,
    LockoutConfig, LogConfig, LogFormat, MailConfig, PasswordsConfig, RedisConfig, RegistrationConfig,
    TokensConfig, secret, service_clients,
};
use crate::kernel::secrets::MasterKey;
use crate::kernel::time::TimeDelta;

/// All sections; `None` if something that is required is missing. Each is read before any is given up on, so that
/// all mistakes are found.
pub(super) fn read(sections: &mut BTreeMap<String, Settings>, mistakes: &mut Mistakes) -> Option<Config> {
    let mut section = |name: &'static str| (name, sections.remove(name).unwrap_or_default());
    let (http, database, redis) = (section("http"), section("database"), section("redis"));
    let (tokens, secrets, edge) = (section("tokens"), section("secrets"), section("edge"));
    let (passwords, limits) = (section("passwords"), section("limits"));
    let (mail, tenants, log) = (section("mail"), section("tenants"), section("log"));
    let (accounts, devices) = (section("accounts"), section("devices"));
    let (clients, registration) = (section("clients"), section("registration"));
    let (audit, lockout) = (section("audit"), section("lockout"));

    let http = HttpConfig::read(http, mistakes);
    let database = DatabaseConfig::read(database, mistakes);
    let redis = RedisConfig::read(redis, mistakes);
    let tokens = TokensConfig::read(tokens, mistakes);
    let (master_key, old_master_key_ids) = read_master_key(secrets, mistakes).unzip();
    let (edge_keys, edge_required) = read_edge(edge, &http, mistakes);
    let passwords = PasswordsConfig::read(passwords, mistakes);
    let accounts = AccountsConfig::read(accounts, mistakes);
    let limits = LimitsConfig::read(limits, mistakes);
    let lockout = LockoutConfig::read(lockout, mistakes);
    let clients = service_clients::read(clients, mistakes);
    let mail = MailConfig::read(mail, mistakes);
    let registration = RegistrationConfig::read(registration, mail.is_some(), mistakes);
    let devices = DevicesConfig::read(devices, mail.is_some(), mistakes);
    let audit = AuditConfig::read(audit, mistakes);
    let default_tenant = read_default_tenant(tenants, mistakes);
    let log = LogConfig::read(log, mistakes);
    Some(Config {
        http,
        database: database?,
        redis: redis?,
        tokens: tokens?,
        master_key: master_key?,
        old_master_key_ids: old_master_key_ids?,
        edge_keys,
        edge_required,
        passwords,
        accounts,
        registration,
        limits,
        devices,
        lockout,
        clients,
        mail,
        audit,
        default_tenant,
        log,
    })
}

/// A section's name and what was found in it.
pub(super) type Found = (&'static str, Settings);

impl HttpConfig {
    fn read((name, settings): Found, mistakes: &mut Mistakes) -> Self {
        let mut section = Section::new(name, settings, mistakes);
        let config = Self {
            listen: section.parsed(
                "listen",
                SocketAddr::from((Ipv4Addr::LOCALHOST, 3001)),
                "an address and a port, such as 127.0.0.1:3001",
            ),
            body_timeout: seconds(section.number("body_timeout_seconds", 10, 1..=300)),
            drain: seconds(section.number("drain_seconds", 25, 0..=600)),
            trusted_proxies: section.list("trusted_proxies", "a network, such as 10.0.0.0/8"),
        };
        section.finish();
        config
    }
}

impl DatabaseConfig {
    fn read((name, settings): Found, mistakes: &mut Mistakes) -> Option<Self> {
        let mut section = Section::new(name, settings, mistakes);
        let url = section.required_text("url", "or set DATABASE_URL");
        if let Some(url) = &url {
            let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
            if !is_postgres || sqlx::postgres::PgConnectOptions::from_str(url).is_err() {
                section.mistake("url", "must be a URL that starts with postgres://");
            }
        }
        let max_connections = section.number("max_connections", 16, 1..=1000);
        let acquire_timeout = seconds(section.number("acquire_timeout_seconds", 2, 1..=60));
        let lock_timeout = seconds(section.number("lock_timeout_seconds", 2, 1..=60));
        let statement_timeout = seconds(section.number("statement_timeout_seconds", 15, 1..=600));
        section.finish();
        Some(Self {
            url: SecretString::from(url?),
            max_connections,
            acquire_timeout,
            lock_timeout,
            statement_timeout,
        })
    }
}

impl TokensConfig {
    fn read((name, settings): Found, mistakes: &mut Mistakes) -> Option<Self> {
        let mut section = Section::new(name, settings, mistakes);
        let issuer = section.required_text("issuer", "the public URL of the edge");
        if let Some(issuer) = &issuer {
            let host = issuer
                .strip_prefix("https://")
                .or_else(|| issuer.strip_prefix("http://"));
            if host.is_none_or(str::is_empty) || issuer.contains(['?', '#']) || issuer.ends_with('/') {
                section.mistake(
                    "issuer",
                    "must be an http(s) URL without query, fragment or final slash (RFC 8414 §2)",
                );
            }
        }
        let audience = section.required_text("audience", "what the tokens are for, such as the API's name");
        let rsa_bits = section.number("rsa_bits", 3072, 2048..=4096);
        if !matches!(rsa_bits, 2048 | 3072 | 4096) {
            section.mistake("rsa_bits", "must be 2048, 3072 or 4096");
        }
        let idle_days = section.number("refresh_idle_days", 30, 1..=365);
        let absolute_days = section.number("refresh_absolute_days", 90, 1..=3650);
        if absolute_days < idle_days {
            section.mistake(
                "refresh_absolute_days",
                "must not be less than tokens.refresh_idle_days",
            );
        }
        let access_ttl = section.number("access_ttl_seconds", 900, 60..=3600);
        let replay = section.number("refresh_replay_seconds", 60, 0..=600);
        let rotation_days = section.number("rotation_days", 90, 0..=3650);
        section.finish();
        Some(Self {
            issuer: issuer?,
            audience: audience?,
            access_ttl: TimeDelta::seconds(access_ttl.into()),
            rsa_bits,
            refresh_idle: TimeDelta::days(idle_days.into()),
            refresh_absolute: TimeDelta::days(absolute_days.into()),
            refresh_replay: TimeDelta::seconds(replay.into()),
            rotation: (rotation_days > 0).then(|| TimeDelta::days(rotation_days.into())),
        })
    }
}

/// More master keys that only open than this are a rotation that was never finished.
const MAX_OLD_MASTER_KEYS: usize = 4;

/// The master key, and the identifiers of those that stand beside it.
fn read_master_key((name, settings): Found, mistakes: &mut Mistakes) -> Option<(MasterKey, Vec<String>)> {
    let length = MasterKey::LEN..=MasterKey::LEN;
    let mut section = Section::new(name, settings, mistakes);
    let id = section.text("master_key_id").unwrap_or_else(|| "1".to_owned());
    if !secret::is_key_id(&id) {
        section.mistake("master_key_id", secret::KEY_ID_RULE);
    }
    let key = section
        .required_text("master_key", "32 random bytes in base64")
        .and_then(|text| {
            secret::decode(&text, length.clone())
                .inspect_err(|mistake| section.mistake("master_key", mistake))
                .ok()
        });
    let mut old = Vec::new();
    for (old_id, text) in section.table("old_master_keys") {
        let place = format!("old_master_keys.{old_id}");
        if !secret::is_key_id(&old_id) {
            section.mistake(&place, secret::KEY_ID_RULE);
        }
        if old_id == id {
            section.mistake(&place, "is the identifier of the master key itself");
        }
        match secret::decode(&text, length.clone()) {
            Ok(key) => old.push((old_id, key)),
            Err(mistake) => section.mistake(&place, mistake),
        }
    }
    if old.len() > MAX_OLD_MASTER_KEYS {
        section.mistake("old_master_keys", "may hold four keys at most");
    }
    section.finish();
    let old_ids = old.iter().map(|(id, _)| id.clone()).collect();
    // The lengths have been checked; they are all that a master key asks for.
    Some((MasterKey::with_others(id, key?, old).ok()?, old_ids))
}

/// The keys of the edge, and whether nobody else is answered.
fn read_edge((name, settings): Found, http: &HttpConfig, mistakes: &mut Mistakes) -> (Vec<SigningKey>, bool) {
    let mut section = Section::new(name, settings, mistakes);
    let mut keys = Vec::new();
    let table = section.table("signing_keys");
    let has_keys = !table.is_empty();
    for (id, text) in table {
        let place = format!("signing_keys.{id}");
        match secret::decode(&text, 32..=64).map(|secret| SigningKey::new(id, secret.expose())) {
            Ok(Ok(key)) => keys.push(key),
            Ok(Err(mistake)) => section.mistake(&place, mistake),
            Err(mistake) => section.mistake(&place, mistake),
        }
    }
    if keys.len() > 2 {
        section.mistake(
            "signing_keys",
            "may hold two keys at most: the current one and one to rotate to",
        );
    }
    let required = section.flag("required");
    if required == Some(true) && !has_keys {
        section.mistake(
            "signing_keys",
            "is missing: without a key of the edge nobody would be answered",
        );
    }
    if required.is_none() && !http.listen.ip().is_loopback() {
        // Neither answer is right for everybody, and a wrong one is not noticed.
        section.mistake(
            "required",
            "is missing: other machines may reach the server. true: it answers the edge alone; false: anybody",
        );
    }
    section.finish();
    (keys, required.unwrap_or(false))
}

impl LimitsConfig {
    fn read((name, settings): Found, mistakes: &mut Mistakes) -> Self {
        let mut section = Section::new(name, settings, mistakes);
        let mut limit = |key: &str, default: u32| {
            NonZeroU32::new(section.number(key, default, 1..=1_000_000)).unwrap_or(NonZeroU32::MIN)
        };
        let config = Self {
            login_per_minute_pair: limit("login_per_minute_pair", 10),
            login_per_minute_client: limit("login_per_minute_client", 30),
            register_per_5_minutes: limit("register_per_5_minutes", 3),
            register_per_hour: limit("register_per_hour", 10),
            default_per_minute: limit("default_per_minute", 100),
            refresh_per_minute_session: limit("refresh_per_minute_session", 30),
            refresh_failures_per_minute_client: limit("refresh_failures_per_minute_client", 300),
            reset_mails_per_hour: limit("reset_mails_per_hour", 3),
            verification_mails_per_hour: limit("verification_mails_per_hour", 3),
            account_exports_per_hour: limit("account_exports_per_hour", 3),
            role_grants_per_minute: limit("role_grants_per_minute", 10),
        };
        section.finish();
        config
    }
}

fn read_default_tenant((name, settings): Found, mistakes: &mut Mistakes) -> String {
    let mut section = Section::new(name, settings, mistakes);
    let slug = section.text("default").unwrap_or_else(|| "default".to_owned());
    let is_slug = (1..=63).contains(&slug.len())
        && !slug.starts_with('-')
        && !slug.ends_with('-')
        && slug
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_slug {
        section.mistake(
            "default",
            "must be 1 to 63 of a-z, 0-9 and -, and begin and end with none of -",
        );
    }
    section.finish();
    slug
}

impl LogConfig {
    fn read((name, settings): Found, mistakes: &mut Mistakes) -> Self {
        let mut section = Section::new(name, settings, mistakes);
        let format = section.parsed("format", LogFormat::Json, "`json` or `text`");
        let filter = section.text("filter").unwrap_or_else(|| "info".to_owned());
        if tracing_subscriber::EnvFilter::try_new(&filter).is_err() {
            section.mistake(
                "filter",
                "must be a log filter, such as `info` or `info,sqlx=warn`",
            );
        }
        section.finish();
        Self { format, filter }
    }
}

fn seconds(seconds: u32) -> Duration {
    Duration::from_secs(seconds.into())
}
