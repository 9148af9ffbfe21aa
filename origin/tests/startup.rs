//! The program as an operator runs it.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tokio::net::TcpListener;

use crate::common::{TestDatabase, eventually, redis_url};

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQBaUe3P0iZ9s=";

/// The program with these settings, and nothing of the environment of the tests.
fn portcullis(arguments: &[&str], settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .args(arguments)
        .env_clear()
        .envs(settings.iter().copied())
        .current_dir(std::env::temp_dir());
    command.stdin(Stdio::null());
    command
}

pub(crate) fn settings(database_url: &str) -> Vec<(String, String)> {
    [
        ("DATABASE_URL", database_url),
        ("REDIS_URL", &redis_url()),
        ("PORTCULLIS__TOKENS__ISSUER", "https://auth.example.com"),
        ("PORTCULLIS__TOKENS__AUDIENCE", "example"),
        ("PORTCULLIS__TOKENS__RSA_BITS", "2048"),
        ("PORTCULLIS__SECRETS__MASTER_KEY", KEY),
        ("PORTCULLIS__HTTP__DRAIN_SECONDS", "5"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

pub(crate) async fn run(arguments: &[&str], settings: &[(String, String)]) -> Output {
    let borrowed: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let mut command = portcullis(arguments, &borrowed);
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn config_check_says_ok_or_all_mistakes_with_exit_code_2() {
    let good = run(
        &["config", "check"],
        &settings("postgres://nobody@127.0.0.1:1/nothing"),
    )
    .await;
    assert_eq!(
        (good.status.code(), out(&good).as_str()),
        (Some(0), "ok\n"),
        "{}",
        err(&good)
    );

    let mut rotating = settings("postgres://nobody@127.0.0.1:1/nothing");
    let other = "Xx7yRpKq0b1mWvTz4cUo9eJsLhDgNfAi2nQk8wEBtZY=";
    rotating.push(("PORTCULLIS__SECRETS__OLD_MASTER_KEYS__2025".into(), other.into()));
    let good = run(&["config", "check"], &rotating).await;
    assert_eq!(good.status.code(), Some(0));
    assert!(
        out(&good).contains("old master keys: 2025 (`portcullis keys rewrap`"),
        "{}",
        out(&good)
    );

    let bad = run(
        &["config", "check"],
        &[("PORTCULLIS__HTTP__LISEN".into(), "x".into())],
    )
    .await;
    assert_eq!(bad.status.code(), Some(2));
    let text = err(&bad);
    for mistake in [
        "[http] has no setting `lisen`",
        "database.url: is missing",
        "secrets.master_key: is missing",
    ] {
        assert!(text.contains(mistake), "{mistake}: {text}");
    }
}

#[tokio::test]
async fn every_command_refuses_a_wrong_configuration() {
    for arguments in [
        &["serve"][..],
        &["migrate"],
        &["keys", "list"],
        &["token", "explain", "x"],
    ] {
        let refused = run(arguments, &[]).await;
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(
            err(&refused).contains("database.url: is missing"),
            "{arguments:?}"
        );
    }
}

#[tokio::test]
async fn help_explains_each_command() {
    for (arguments, mentions) in [
        (&["--help"][..], "PORTCULLIS__<SECTION>__<KEY>"),
        (&["serve", "--help"], "SIGTERM"),
        (&["migrate", "--help"], "Safe to run again"),
        (&["keys", "import", "--help"], "--activate"),
        (&["keys", "rotate", "--help"], "exits with 3"),
        (&["keys", "rotate", "--help"], "five minutes"),
        (&["keys", "retire", "--help"], "--compromised"),
        (&["keys", "rewrap", "--help"], "old_master_keys"),
        (&["token", "explain", "--help"], "standard input"),
    ] {
        let help = run(arguments, &[]).await;
        assert_eq!(help.status.code(), Some(0), "{arguments:?}");
        assert!(out(&help).contains(mentions), "{arguments:?}: {}", out(&help));
    }
    assert_eq!(run(&["unknown"], &[]).await.status.code(), Some(2));
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_without_its_password() {
    let settings = settings("postgres://nobody:hunter2@127.0.0.1:1/nothing");
    let failed = run(&["keys", "list"], &settings).await;
    assert_eq!(failed.status.code(), Some(1));
    let text = err(&failed);
    assert!(
        text.contains("the database cannot be reached") && !text.contains("hunter2"),
        "{text}"
    );
}

#[tokio::test]
async fn migrating_twice_at_once_and_again_is_safe() {
    let database = TestDatabase::empty().await;
    let settings = settings(database.url());
    let (one, two) = tokio::join!(run(&["migrate"], &settings), run(&["migrate"], &settings));
    let three = run(&["migrate"], &settings).await;
    for output in [one, two, three] {
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        assert_eq!(out(&output), "the schema is up to date\n");
    }
}

#[tokio::test]
async fn a_server_makes_its_first_key_and_stops_in_order() {
    let database = TestDatabase::empty().await;
    let port = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut settings = settings(database.url());
    settings.push(("PORTCULLIS__HTTP__LISTEN".into(), format!("127.0.0.1:{port}")));
    assert_eq!(run(&["migrate"], &settings).await.status.code(), Some(0));

    let borrowed: Vec<(&str, &str)> = settings
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let server = portcullis(&["serve"], &borrowed)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let client = reqwest::Client::new();
    eventually("the server is ready", || async {
        client
            .get(url("/ready"))
            .send()
            .await
            .is_ok_and(|response| response.status() == 200)
    })
    .await;

    // One active key, and nothing that is not a table: an operator reads this.
    let listed = run(&["keys", "list"], &settings).await;
    assert_eq!(listed.status.code(), Some(0), "{}", err(&listed));
    assert_eq!(
        out(&listed)
            .lines()
            .filter(|line| line.contains(" active "))
            .count(),
        1,
        "{}",
        out(&listed)
    );
    let keys: serde_json::Value = client
        .get(url("/.well-known/jwks.json"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);

    // A second server cannot have the same port, and says so.
    let second = run(&["serve"], &settings).await;
    assert_eq!(second.status.code(), Some(1));
    assert!(
        err(&second).contains("the address cannot be listened on"),
        "{}",
        err(&second)
    );

    let pid = server.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .unwrap()
            .success()
    );
    let stopped = tokio::task::spawn_blocking(move || server.wait_with_output().unwrap());
    let stopped = tokio::time::timeout(Duration::from_secs(20), stopped)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stopped.status.code(), Some(0), "{}", err(&stopped));
    for line in err(&stopped).lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            event["level"].is_string() && event["timestamp"].is_string(),
            "{line}"
        );
    }
    assert!(!err(&stopped).contains(KEY));
}

#[tokio::test]
async fn a_token_from_nowhere_is_explained_as_refused() {
    let database = TestDatabase::create().await;
    let explained = run(&["token", "explain", "not-a-token"], &settings(database.url())).await;
    assert_eq!(explained.status.code(), Some(1));
    assert!(
        out(&explained).contains("refused  form and header"),
        "{}",
        out(&explained)
    );
}

#[tokio::test]
async fn keys_are_rotated_and_retired_by_hand() {
    let database = TestDatabase::create().await;
    let settings = settings(database.url());
    let keys = |arguments: &'static [&'static str]| run(arguments, &settings);
    let state_of = |list: &Output, state: &str| -> Vec<String> {
        let list: serde_json::Value = serde_json::from_str(&out(list)).unwrap();
        let keys = list["keys"].as_array().unwrap().iter();
        keys.filter(|key| key["state"] == state)
            .map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    };
    let list = &["keys", "list", "--json"][..];

    let published = keys(&["keys", "rotate"]).await;
    assert_eq!(published.status.code(), Some(0), "{}", err(&published));
    assert!(out(&published).contains("as the next key"), "{}", out(&published));
    let early = keys(&["keys", "rotate"]).await;
    assert_eq!(early.status.code(), Some(3));
    assert!(out(&early).starts_with("too early: "), "{}", out(&early));
    let listed = keys(list).await;
    let [waiting] = state_of(&listed, "next").try_into().unwrap();
    let listed: serde_json::Value = serde_json::from_str(&out(&listed)).unwrap();
    assert!(out(&early).contains(listed["keys"][0]["activatesAt"].as_str().unwrap()));

    let activated = keys(&["keys", "rotate", "--now"]).await;
    assert_eq!(activated.status.code(), Some(0), "{}", err(&activated));
    assert!(out(&activated).contains(&format!("{waiting} signs from now on")));
    let replaced = keys(&["keys", "rotate", "--now"]).await;
    assert!(
        out(&replaced).contains(&format!("{waiting} no longer signs")),
        "{}",
        out(&replaced)
    );
    let [active] = state_of(&keys(list).await, "active").try_into().unwrap();

    let refused = run(&["keys", "retire", &active], &settings).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(err(&refused).contains("--compromised"), "{}", err(&refused));
    let removed = run(&["keys", "retire", &active, "--compromised"], &settings).await;
    assert_eq!(removed.status.code(), Some(0), "{}", err(&removed));
    assert!(out(&removed).contains(&format!("removed {active}, which was active")));
    let removed = run(&["keys", "retire", &waiting], &settings).await;
    assert!(out(&removed).contains("which was retired"), "{}", out(&removed));
    let listed = keys(list).await;
    assert_eq!(state_of(&listed, "removed").len(), 2);
    assert_eq!(state_of(&listed, "active").len(), 1);
    let unknown = keys(&["keys", "retire", "unknown"]).await;
    assert_eq!(unknown.status.code(), Some(1));
    assert!(err(&unknown).contains("there is no key with the kid unknown"));
}
