//! The configuration as an operator meets it: all mistakes at once, and none of the secrets.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use base64ct::{Base64, Base64Unpadded, Base64Url, Base64UrlUnpadded, Encoding};

use super::*;

mod sections;

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQBaUe3P0iZ9s=";

fn environment(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// What must be set, and nothing else.
fn required() -> Vec<(String, String)> {
    environment(&[
        ("DATABASE_URL", "postgres://user:hunter2@localhost/db"),
        ("REDIS_URL", "redis://:hunter2@localhost"),
        ("PORTCULLIS__TOKENS__ISSUER", "https://auth.example.com"),
        ("PORTCULLIS__TOKENS__AUDIENCE", "example"),
        ("PORTCULLIS__SECRETS__MASTER_KEY", KEY),
    ])
}

pub(super) fn with(settings: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    Config::load(None, required().into_iter().chain(environment(settings)))
}

fn mistakes(settings: &[(&str, &str)]) -> Vec<String> {
    with(settings).unwrap_err().iter().map(str::to_owned).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn what_is_not_set_has_the_documented_default() {
    let config = with(&[]).unwrap();
    assert_eq!(config.http.listen, "127.0.0.1:3001".parse().unwrap());
    assert_eq!(config.http.body_timeout, Duration::from_secs(10));
    assert_eq!(config.http.drain, Duration::from_secs(25));
    assert!(config.http.trusted_proxies.is_empty() && config.edge_keys.is_empty());
    assert!(config.clients.is_empty());
    assert_eq!(config.database.max_connections, 16);
    assert_eq!(config.tokens.access_ttl, TimeDelta::seconds(900));
    assert_eq!(config.tokens.rsa_bits, 3072);
    assert_eq!(config.tokens.refresh_idle, TimeDelta::days(30));
    assert_eq!(config.tokens.refresh_absolute, TimeDelta::days(90));
    assert_eq!(config.tokens.refresh_replay, TimeDelta::seconds(60));
    assert_eq!(config.tokens.rotation, Some(TimeDelta::days(90)));
    assert!(!config.passwords.composition && config.passwords.breaches.is_none());
    let passwords = config.passwords.hasher;
    assert_eq!(
        (passwords.memory_kib, passwords.iterations, passwords.parallelism),
        (65_536, 3, 4)
    );
    assert_eq!(passwords.queue, 64);
    assert!(passwords.permits >= 1);
    assert_eq!(config.limits.login_per_minute_pair.get(), 10);
    assert_eq!(config.limits.default_per_minute.get(), 100);
    assert_eq!(config.limits.role_grants_per_minute.get(), 10);
    let lockout = config.lockout;
    assert_eq!(
        (lockout.failures_per_account, lockout.failures_per_client),
        (5, 10)
    );
    assert_eq!(
        (lockout.window, lockout.lock),
        (TimeDelta::minutes(15), TimeDelta::minutes(15))
    );
    assert_eq!(config.default_tenant, "default");
    assert_eq!(config.master_key.id(), "1");
    assert!(config.old_master_key_ids.is_empty());
    assert_eq!(
        (config.log.format, config.log.filter.as_str()),
        (LogFormat::Json, "info")
    );
}

#[test]
fn codes_by_mail_need_mail() {
    let on = ("PORTCULLIS__DEVICES__EMAIL_CODE", "true");
    assert!(!with(&[]).unwrap().devices.email_code);
    let text = mistakes(&[on]).join("");
    assert!(text.starts_with("devices.email_code: needs [mail]"), "{text}");
    let mail = [
        ("PORTCULLIS__MAIL__TRANSPORT", "file"),
        ("PORTCULLIS__MAIL__FOLDER", "mail"),
        ("PORTCULLIS__MAIL__FROM", "Example <no-reply@example.com>"),
    ];
    assert!(with(&[&mail[..], &[on]].concat()).unwrap().devices.email_code);
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    let errors = Config::load(None, []).unwrap_err();
    let text = errors.to_string();
    assert!(text.starts_with("the configuration has 5 mistakes:"), "{text}");
    for setting in [
        "database.url",
        "redis.url",
        "tokens.issuer",
        "tokens.audience",
        "secrets.master_key",
    ] {
        assert!(
            text.contains(&format!("{setting}: is missing")),
            "{setting}: {text}"
        );
    }
}

#[test]
fn mistakes_of_every_kind_are_reported_in_one_message() {
    let file = file(
        "top = 1\n[http]\nlisten = 80\nlisen = \"x\"\n[tokens]\nissuer = \"ftp://x\"\nrsa_bits = 2049\n\
         [passwords]\nmemory_kib = 1\n[nowhere]\nkey = 1\n",
    );
    let errors = Config::load(
        Some(file.path()),
        environment(&[
            ("DATABASE_URL", "mysql://x"),
            ("PORTCULLIS__HTTP__DRAIN_SECONDS", "soon"),
            ("PORTCULLIS__LIMITS__LOGIN", "1"),
            ("PORTCULLIS__SECRETS__MASTER_KEY", "AAAA"),
            ("PORTCULLIS__LOG__FORMAT", "xml"),
            ("PORTCULLIS__HTTP", "1"),
        ]),
    )
    .unwrap_err();
    let text = errors.to_string();
    for mistake in [
        "`top` stands outside any section",
        "PORTCULLIS__HTTP: expected PORTCULLIS__<SECTION>__<KEY>",
        "http.listen: must be text, not integer",
        "[http] has no setting `lisen`",
        "http.drain_seconds: must be a whole number from 0 to 600",
        "database.url: must be a URL that starts with postgres://",
        "redis.url: is missing",
        "tokens.issuer: must be an http(s) URL",
        "tokens.audience: is missing",
        "tokens.rsa_bits: must be 2048, 3072 or 4096",
        "secrets.master_key: has the wrong length",
        "passwords.memory_kib: must be a whole number from 8192 to 1048576",
        "PORTCULLIS__LIMITS__LOGIN: [limits] has no setting `login`",
        "log.format: must be `json` or `text`",
        "there is no section [nowhere]",
    ] {
        assert!(text.contains(mistake), "{mistake:?} is not in {text}");
    }
    assert_eq!(errors.iter().count(), 15, "{text}");
}

#[test]
fn the_environment_wins_over_the_file_and_the_long_name_over_the_plain_one() {
    let file =
        file("[http]\nlisten = \"127.0.0.1:1\"\ndrain_seconds = 1\n[database]\nurl = \"postgres://file\"\n");
    let mut settings = required();
    settings.extend(environment(&[
        ("PORTCULLIS__HTTP__LISTEN", "127.0.0.1:2"),
        ("PORTCULLIS__DATABASE__URL", "postgres://long"),
    ]));
    let config = Config::load(Some(file.path()), settings).unwrap();
    assert_eq!(config.http.listen.port(), 2);
    assert_eq!(config.http.drain, Duration::from_secs(1));
    assert_eq!(
        secrecy::ExposeSecret::expose_secret(&config.database.url),
        "postgres://long"
    );
}

#[test]
fn a_file_that_is_not_there_or_not_toml_is_a_mistake_among_the_others() {
    let errors = Config::load(Some(Path::new("/does/not/exist.toml")), []).unwrap_err();
    assert!(
        errors.iter().next().unwrap().contains("/does/not/exist.toml"),
        "{errors}"
    );
    assert!(errors.to_string().contains("redis.url: is missing"), "{errors}");

    let file = file("[database]\nurl = \"postgres://user:hunter2@x\" oops\n");
    let text = Config::load(Some(file.path()), []).unwrap_err().to_string();
    assert!(text.contains("line 2"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn weak_secrets_are_refused() {
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let repeated = "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=";
    let counted = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    for weak in [zeros, repeated, counted] {
        let text = with(&[("PORTCULLIS__SECRETS__MASTER_KEY", weak)])
            .unwrap_err()
            .to_string();
        assert!(text.contains("secrets.master_key: is too weak"), "{text}");
        assert!(!text.contains(weak), "{text}");
        let keys = format!("{{\"one\":\"{weak}\"}}");
        let text = with(&[("PORTCULLIS__EDGE__SIGNING_KEYS", &keys)])
            .unwrap_err()
            .to_string();
        assert!(text.contains("edge.signing_keys.one: is too weak"), "{text}");
    }
    for length in ["c2hvcnQ", &format!("{KEY}{KEY}").replace('=', "")] {
        assert_eq!(mistakes(&[("PORTCULLIS__SECRETS__MASTER_KEY", length)]).len(), 1);
    }
    let text = mistakes(&[("PORTCULLIS__SECRETS__MASTER_KEY", "not base64!")]).join("");
    assert!(
        text.contains("must be base64") && !text.contains("not base64!"),
        "{text}"
    );
}

#[test]
fn a_secret_may_be_base64_or_base64url_with_or_without_padding() {
    let bytes = [0xfb; 2].into_iter().chain(1..=30).collect::<Vec<u8>>();
    for text in [
        Base64::encode_string(&bytes),
        Base64Unpadded::encode_string(&bytes),
        Base64Url::encode_string(&bytes),
        Base64UrlUnpadded::encode_string(&bytes),
    ] {
        assert!(
            with(&[("PORTCULLIS__SECRETS__MASTER_KEY", &text)]).is_ok(),
            "{text}"
        );
    }
}

#[test]
fn edge_keys_come_from_a_table_from_json_from_inline_toml_or_one_by_one() {
    let table = file(&format!("[edge.signing_keys]\none = \"{KEY}\"\n"));
    let config = Config::load(Some(table.path()), required()).unwrap();
    assert_eq!(config.edge_keys.len(), 1);
    for (name, value) in [
        ("PORTCULLIS__EDGE__SIGNING_KEYS", format!("{{\"one\":\"{KEY}\"}}")),
        ("PORTCULLIS__EDGE__SIGNING_KEYS", format!("{{ one = \"{KEY}\" }}")),
        ("PORTCULLIS__EDGE__SIGNING_KEYS__one", KEY.to_owned()),
    ] {
        let config = with(&[(name, &value)]).unwrap();
        assert_eq!(
            config
                .edge_keys
                .iter()
                .map(|key| key.keyid.as_str())
                .collect::<Vec<_>>(),
            ["one"]
        );
    }
    let three = format!("{{\"a\":\"{KEY}\",\"b\":\"{KEY}\",\"c\":\"{KEY}\"}}");
    let text = mistakes(&[("PORTCULLIS__EDGE__SIGNING_KEYS", &three)]).join("");
    assert!(text.contains("two keys at most"), "{text}");
    let text = mistakes(&[("PORTCULLIS__EDGE__SIGNING_KEYS", "hunter2")]).join("");
    assert!(
        text.contains("must be a table") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn old_master_keys_come_from_a_table_and_stand_beside_the_master_key() {
    let other = "Xx7yRpKq0b1mWvTz4cUo9eJsLhDgNfAi2nQk8wEBtZY=";
    let table = file(&format!("[secrets.old_master_keys]\n2025 = \"{other}\"\n"));
    let config = Config::load(Some(table.path()), required()).unwrap();
    assert_eq!(config.old_master_key_ids, ["2025"]);
    let config = with(&[("PORTCULLIS__SECRETS__OLD_MASTER_KEYS__a", other)]).unwrap();
    assert_eq!(config.old_master_key_ids, ["a"]);

    let five = (1..=5)
        .map(|n| format!("\"k{n}\":\"{other}\""))
        .collect::<Vec<_>>();
    for (keys, mistake) in [
        (
            format!("{{\"1\":\"{other}\"}}"),
            "old_master_keys.1: is the identifier",
        ),
        (
            format!("{{\"a b\":\"{other}\"}}"),
            "old_master_keys.a b: a key identifier is",
        ),
        (
            "{\"a\":\"AAAA\"}".to_owned(),
            "old_master_keys.a: has the wrong length",
        ),
        (format!("{{{}}}", five.join(",")), "four keys at most"),
        ("hunter2".to_owned(), "old_master_keys: must be a table of texts"),
    ] {
        let text = mistakes(&[("PORTCULLIS__SECRETS__OLD_MASTER_KEYS", &keys)]).join("\n");
        assert!(text.contains(mistake), "{mistake:?}: {text}");
        assert!(!text.contains(other) && !text.contains("hunter2"), "{text}");
    }
}

#[test]
fn signing_keys_rotate_by_themselves_unless_that_is_switched_off() {
    let rotation =
        |days| with(&[("PORTCULLIS__TOKENS__ROTATION_DAYS", days)]).map(|config| config.tokens.rotation);
    assert_eq!(rotation("1").unwrap(), Some(TimeDelta::days(1)));
    assert_eq!(rotation("0").unwrap(), None);
    for wrong in ["-1", "3651", "often"] {
        let text = rotation(wrong).unwrap_err().to_string();
        assert!(
            text.contains("tokens.rotation_days: must be a whole number from 0 to 3650"),
            "{text}"
        );
    }
}

#[test]
fn a_list_in_the_environment_is_json_or_separated_by_commas() {
    for text in ["[\"10.0.0.0/8\", \"fd00::/8\"]", "10.0.0.0/8, fd00::/8"] {
        let config = with(&[("PORTCULLIS__HTTP__TRUSTED_PROXIES", text)]).unwrap();
        assert_eq!(config.http.trusted_proxies.len(), 2, "{text}");
    }
    let text = mistakes(&[("PORTCULLIS__HTTP__TRUSTED_PROXIES", "10.0.0.0/8,everyone")]).join("");
    assert_eq!(
        text,
        "http.trusted_proxies: `everyone` is not a network, such as 10.0.0.0/8"
    );
}

#[test]
fn an_absolute_life_that_is_shorter_than_the_idle_one_is_a_mistake() {
    let text = mistakes(&[("PORTCULLIS__TOKENS__REFRESH_ABSOLUTE_DAYS", "7")]).join("");
    assert!(text.contains("tokens.refresh_absolute_days"), "{text}");
}

#[test]
fn the_default_tenant_is_a_slug() {
    for slug in ["", "Upper", "two words", "-edge", "edge-"] {
        assert_eq!(
            mistakes(&[("PORTCULLIS__TENANTS__DEFAULT", slug)]).len(),
            1,
            "{slug:?}"
        );
    }
    assert_eq!(
        with(&[("PORTCULLIS__TENANTS__DEFAULT", "box-office-2")])
            .unwrap()
            .default_tenant,
        "box-office-2"
    );
}

#[test]
fn a_configuration_shows_no_secret() {
    let keys = format!("{{\"one\":\"{KEY}\"}}");
    let shown = format!(
        "{:?}",
        with(&[("PORTCULLIS__EDGE__SIGNING_KEYS", &keys)]).unwrap()
    );
    assert!(
        !shown.contains("hunter2") && !shown.contains(KEY) && !shown.contains("0xab"),
        "{shown}"
    );
}

const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

#[test]
fn service_clients_come_from_tables_from_json_or_one_setting_at_a_time() {
    let tables = file(&format!(
        "[clients.box-office]\nsecret_sha256 = \"{DIGEST}\"\n[clients.API]\nsecret_sha256 = \"{}\"\n",
        DIGEST.to_uppercase()
    ));
    let config = Config::load(Some(tables.path()), required()).unwrap();
    assert_eq!(config.clients.keys().collect::<Vec<_>>(), ["API", "box-office"]);
    for digest in config.clients.values() {
        assert!(bool::from(digest.recognises(&"abc".into())));
    }
    for (name, value) in [
        (
            "PORTCULLIS__CLIENTS__API",
            format!("{{\"secret_sha256\":\"{DIGEST}\"}}"),
        ),
        ("PORTCULLIS__CLIENTS__API__secret_sha256", DIGEST.to_owned()),
    ] {
        assert!(with(&[(name, &value)]).unwrap().clients.contains_key("api"));
    }
}

#[test]
fn every_mistake_about_a_service_client_is_named_and_no_secret_repeated() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let file = file(&format!(
        "[clients.one]\nsecret_sha256 = \"hunter2\"\n[clients.two]\nname = \"x\"\n\
         [clients.\"a b\"]\nsecret_sha256 = \"{DIGEST}\"\n[clients.three]\nsecret_sha256 = \"{empty}\"\n"
    ));
    let errors = Config::load(Some(file.path()), required()).unwrap_err();
    let text = errors.to_string();
    for mistake in [
        "clients.one.secret_sha256: must be a SHA-256",
        "clients.two.secret_sha256: is missing",
        "clients.two: has no setting `name`",
        "clients.a b: a client's id is",
        "clients.three.secret_sha256: is the digest of an empty secret",
    ] {
        assert!(text.contains(mistake), "{mistake:?} is not in {text}");
    }
    assert_eq!(errors.iter().count(), 5, "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn mail_is_off_unless_a_transport_is_named() {
    assert!(with(&[]).unwrap().mail.is_none());
    let text = mistakes(&[("PORTCULLIS__MAIL__FROM", "no-reply@example.com")]).join("");
    assert!(text.starts_with("mail.transport: is missing"), "{text}");
}

#[test]
fn a_mail_server_has_the_documented_defaults_and_its_password_is_not_shown() {
    let mail = |tls: &str| {
        let config = with(&[
            ("PORTCULLIS__MAIL__TRANSPORT", "smtp"),
            ("PORTCULLIS__MAIL__HOST", "smtp.example.com"),
            ("PORTCULLIS__MAIL__TLS", tls),
            ("PORTCULLIS__MAIL__USER", "portcullis"),
            ("PORTCULLIS__MAIL__PASSWORD", "hunter2"),
            ("PORTCULLIS__MAIL__FROM", "Example <no-reply@example.com>"),
        ]);
        config.unwrap().mail.unwrap()
    };
    for (tls, expected, port) in [
        ("starttls", SmtpTls::Starttls, 587),
        ("implicit", SmtpTls::Implicit, 465),
    ] {
        let mail = mail(tls);
        assert!(!format!("{mail:?}").contains("hunter2"));
        let MailTransport::Smtp(smtp) = mail.transport else {
            panic!("{mail:?}")
        };
        assert_eq!((smtp.tls, smtp.port), (expected, port));
        assert_eq!(smtp.timeout, Duration::from_secs(30));
    }
}
