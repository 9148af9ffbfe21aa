//! What an operator does about roles, from the command line.

use std::process::{Command, Output, Stdio};

use reqwest::StatusCode;
use serde_json::json;

use super::*;
use crate::common::redis_url;
use crate::fixtures::{assert_stale, count, execute, me, register, register_at, server};

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQBaUe3P0iZ9s=";

/// Runs `portcullis roles …` on the server's database, about [`VENUE`].
async fn roles(server: &TestServer, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .arg("roles")
        .args(arguments)
        .args(["--venue", VENUE])
        .env_clear()
        .env("DATABASE_URL", server.database.as_ref().unwrap().url())
        .env("REDIS_URL", redis_url())
        .env("PORTCULLIS__TOKENS__ISSUER", "https://auth.example.com")
        .env("PORTCULLIS__TOKENS__AUDIENCE", "example")
        .env("PORTCULLIS__SECRETS__MASTER_KEY", KEY)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// What the command says when it succeeds.
async fn said(server: &TestServer, arguments: &[&str]) -> String {
    let output = roles(server, arguments).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

async fn document(server: &TestServer, arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json"]].concat();
    serde_json::from_str(&said(server, &arguments).await).unwrap()
}

/// What the command says when it ends with this code.
async fn refused(server: &TestServer, arguments: &[&str], code: i32) -> String {
    let output = roles(server, arguments).await;
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn the_operator_makes_the_first_owner_of_a_venue() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let granting = ["grant", "--user", "Ada@example.com", "--role", "venue-owner"];
    assert_eq!(
        said(&server, &granting).await,
        format!("granted: Ada@example.com is venue-owner at {VENUE}, for good\n")
    );
    assert_eq!(
        said(&server, &granting).await,
        format!("already so: Ada@example.com is venue-owner at {VENUE}, for good\n")
    );
    // The command goes by the machine's clock; that of the server stands where it was, a moment before.
    assert_stale(me(&server, &person.access).await).await;
    let event = "SELECT count(*) FROM audit_events WHERE type = 'venue_role_granted' AND actor_id IS NULL
                 AND subject_id IS NOT NULL AND tenant_id IS NOT NULL AND ip_address IS NULL";
    assert_eq!(count(&server, event).await, 1);
    let listed = said(&server, &["list"]).await;
    assert!(
        listed.starts_with(&format!("{}  venue-owner    for good, since ", person.user_id)),
        "{listed}"
    );
    assert!(listed.ends_with(", by the operator\n"), "{listed}");
}

#[tokio::test]
async fn what_the_commands_say_is_a_document_too() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await.user_id;
    let end = "2999-12-31T23:00:00.000Z";
    let granted = document(
        &server,
        &[
            "grant",
            "--user",
            &person,
            "--role",
            "box-office",
            "--expires",
            "3000-01-01T00:00:00+01:00",
        ],
    )
    .await;
    assert_eq!(granted["outcome"], "granted");
    assert_eq!(granted["grant"]["expiresAt"], end);
    let listed = document(&server, &["list"]).await;
    assert_eq!(listed, json!({"roles": [granted["grant"]]}));
    let revoked = document(&server, &["revoke", "--user", &person]).await;
    assert_eq!(revoked, json!({"revoked": ["box-office"]}));
    assert_eq!(document(&server, &["list"]).await, json!({"roles": []}));
}

#[tokio::test]
async fn a_role_is_taken_away_but_for_the_last_owners() {
    let server = server().await;
    holder(&server, "ada@example.com", "venue-owner").await;
    holder(&server, "eve@example.com", "door-staff").await;
    let errors = refused(&server, &["revoke", "--user", "ada@example.com"], 1).await;
    assert!(errors.contains("without an owner"), "{errors}");
    let ending = [
        "grant",
        "--user",
        "ada@example.com",
        "--role",
        "venue-owner",
        "--expires",
    ];
    let ending = [&ending[..], &["2999-01-01T00:00:00Z"]].concat();
    let errors = refused(&server, &ending, 1).await;
    assert!(errors.contains("without an owner"), "{errors}");
    let revoking = ["revoke", "--user", "eve@example.com", "--role", "door-staff"];
    assert_eq!(
        said(&server, &revoking).await,
        format!("eve@example.com is no longer door-staff at {VENUE}\n")
    );
    let errors = refused(&server, &revoking, 1).await;
    assert!(errors.contains("holds no such role"), "{errors}");
}

#[tokio::test]
async fn the_account_is_one_of_the_named_tenant() {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES (gen_random_uuid(), 'other', 'Other', 'epoch')",
    )
    .await;
    let here = register(&server, "ada@example.com").await;
    let there = register_at(&server, Some("other"), "ada@example.com").await;
    let granting = [
        "grant",
        "--user",
        "ada@example.com",
        "--role",
        "door-staff",
        "--tenant",
        "other",
    ];
    said(&server, &granting).await;
    assert_eq!(me(&server, &here.access).await.status(), StatusCode::OK);
    let holders = format!(
        "SELECT count(*) FROM venue_roles WHERE user_id = '{}'::uuid",
        there.user_id
    );
    assert_eq!(count(&server, holders.leak()).await, 1);
    let by_id = ["grant", "--user", &there.user_id, "--role", "door-staff"];
    let errors = refused(&server, &by_id, 1).await;
    assert!(errors.contains("there is no such account"), "{errors}");
}

#[tokio::test]
async fn what_is_wrong_is_named_as_the_reason() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    let grant = |user, role| ["grant", "--user", user, "--role", role];
    for (arguments, code, reason) in [
        (
            &grant("nobody@example.com", "door-staff")[..],
            1,
            "there is no such account",
        ),
        (&grant("nobody", "door-staff"), 1, "neither address nor id"),
        (
            &grant("ada@example.com", "customer"),
            2,
            "it is one of venue-owner",
        ),
        (
            &[
                &grant("ada@example.com", "door-staff")[..],
                &["--expires", "2020-01-01T00:00:00Z"],
            ]
            .concat(),
            1,
            "would have ended already",
        ),
        (
            &[
                &grant("ada@example.com", "door-staff")[..],
                &["--expires", "tomorrow"],
            ]
            .concat(),
            2,
            "tomorrow",
        ),
        (&["list", "--tenant", "none"], 1, "there is no such tenant"),
    ] {
        let errors = refused(&server, arguments, code).await;
        assert!(errors.contains(reason), "{errors}");
    }
    assert_eq!(count(&server, "SELECT count(*) FROM venue_roles").await, 0);
}
