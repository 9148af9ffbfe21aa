//! `portcullis audit verify` and `audit export`.

use std::process::{Command, Output};

use serde_json::Value;

use super::{default_tenant, event, run, write};
use crate::common::{TestDatabase, redis_url};
use crate::fixtures::{PASSWORD, login, refresh, register, server, try_login, try_refresh};

/// Runs `portcullis audit …` against this database.
async fn audit(database: &TestDatabase, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .arg("audit")
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", database.url())
        .env("REDIS_URL", redis_url())
        .env("PORTCULLIS__TOKENS__ISSUER", "https://auth.example.com")
        .env("PORTCULLIS__TOKENS__AUDIENCE", "example")
        .env(
            "PORTCULLIS__SECRETS__MASTER_KEY",
            "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQBaUe3P0iZ9s=",
        )
        .current_dir(std::env::temp_dir());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// What was printed, by a command that must end with this code.
fn said(output: Output, code: i32) -> String {
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn verify_says_how_far_each_chain_holds_and_where_it_breaks() {
    let database = TestDatabase::create().await;
    write(database.pool(), 600).await;
    let text = said(audit(&database, &["verify"]).await, 0);
    assert!(text.contains("installation: no events\n"), "{text}");
    assert!(text.contains("600 events hold, 1 to 600; head "), "{text}");

    let sql = "SET session_replication_role = replica; UPDATE audit_events SET detail = '{}'
               WHERE id = (SELECT event_id FROM audit_links WHERE position = 555);
               SET session_replication_role = origin";
    run(database.pool(), sql).await;
    let text = said(audit(&database, &["verify", "--tenant", "default"]).await, 1);
    let tenant = default_tenant();
    assert!(
        text.starts_with(&format!("tenant {tenant}: BROKEN at position 555 (event ")),
        "{text}"
    );
    assert!(
        text.ends_with(": the content of the event was changed\n"),
        "{text}"
    );
    let report: Value =
        serde_json::from_str(&said(audit(&database, &["verify", "--json"]).await, 1)).unwrap();
    assert_eq!(report["chains"][1]["broken"]["position"], 555);
    assert_eq!(report["chains"][1]["head"]["position"], 554);
    assert_eq!(report["unchained"], Value::Null);
}

#[tokio::test]
async fn an_export_is_verified_without_the_database_and_what_was_changed_in_it_is_found() {
    let database = TestDatabase::create().await;
    write(database.pool(), 3).await;
    let mut connection = database.pool().acquire().await.unwrap();
    portcullis_origin::audit::record(&mut connection, event(None))
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.ndjson");
    let file = path.to_str().unwrap();
    said(audit(&database, &["export", "--output", file]).await, 0);
    // What is there is not overwritten.
    said(audit(&database, &["export", "--output", file]).await, 1);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert_eq!(said(audit(&database, &["export"]).await, 0), text);

    let verified = said(audit(&database, &["verify", "--file", file]).await, 0);
    assert!(verified.contains("3 events hold, 1 to 3; head "), "{verified}");
    let lines: Vec<&str> = text.lines().collect();
    // Changed, left out, swapped; but a beginning that is missing is no fault of the rest.
    for (changed, code) in [
        (text.replacen("logged_in", "logged_out", 1), 1),
        ([lines[1], lines[3]].join("\n"), 1),
        ([lines[1], lines[3], lines[2]].join("\n"), 1),
        (lines[2..].join("\n"), 0),
    ] {
        std::fs::write(&path, changed).unwrap();
        said(audit(&database, &["verify", "--file", file]).await, code);
    }
}

#[tokio::test]
async fn an_export_of_a_span_has_what_was_linked_in_it() {
    let database = TestDatabase::create().await;
    for day in [1, 2, 3, 4] {
        let sql = format!(
            "INSERT INTO audit_events (id, type, occurred_at) VALUES (gen_random_uuid(), 'logged_in', '2026-01-0{day}Z')"
        );
        run(database.pool(), &sql).await;
    }
    let span = [
        "export",
        "--since",
        "2026-01-02T00:00:00Z",
        "--until",
        "2026-01-04T00:00:00Z",
    ];
    let text = said(audit(&database, &span).await, 0);
    let places: Vec<i64> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["position"]
                .as_i64()
                .unwrap()
        })
        .collect();
    assert_eq!(places, [2, 3]);
}

#[tokio::test]
async fn no_event_holds_a_password_or_a_token_and_each_says_who_and_whence() {
    let server = server().await;
    let wrong = "a wrong password that nobody has";
    let ada = register(&server, "ada@example.com").await;
    let again = login(&server, "ada@example.com").await;
    try_login(&server, "ada@example.com", wrong).await;
    try_login(&server, "nobody@example.com", wrong).await;
    let successor = refresh(&server, &ada.refresh).await;
    let last = refresh(&server, &successor).await;
    try_refresh(&server, &ada.refresh).await;
    let change =
        serde_json::json!({"currentPassword": wrong, "newPassword": "another long and unlikely one"});
    let refused = server
        .request(reqwest::Method::PUT, "/auth/change-password")
        .bearer_auth(&again.access)
        .json(&change);
    refused.send().await.unwrap();
    server
        .post("/auth/logout")
        .bearer_auth(&again.access)
        .json(&serde_json::json!({"refreshToken": again.refresh}))
        .send()
        .await
        .unwrap();

    let text = said(audit(server.database.as_ref().unwrap(), &["export"]).await, 0);
    let secrets = [
        PASSWORD,
        wrong,
        "another long and unlikely one",
        &ada.access,
        &ada.refresh,
        &again.access,
        &again.refresh,
        &successor,
        &last,
    ];
    for secret in secrets {
        assert!(!text.contains(secret), "{text}");
    }
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    for kind in [
        "registered",
        "logged_in",
        "login_failed",
        "refresh_reused",
        "password_refused",
        "logged_out",
    ] {
        assert!(kinds.contains(&kind), "{kind} is not among {kinds:?}");
    }
    for event in events.iter().filter(|event| event["tenantId"] != Value::Null) {
        assert_eq!(event["ip"], "127.0.0.1", "{event}");
        assert!(
            event["requestId"].is_string() && event["hash"].is_string(),
            "{event}"
        );
    }
}
