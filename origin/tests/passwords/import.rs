//! `portcullis users import` and `users generate-password`.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::hashes::bcrypt;
use crate::common::{TestServer, redis_url};
use crate::fixtures::{PASSWORD, body_of, count, register, server, try_login};

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQBaUe3P0iZ9s=";

/// Runs `portcullis users …` with this on its standard input.
async fn users(server: &TestServer, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .arg("users")
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", server.database.as_ref().unwrap().url())
        .env("REDIS_URL", redis_url())
        .env("PORTCULLIS__TOKENS__ISSUER", "https://auth.example.com")
        .env("PORTCULLIS__TOKENS__AUDIENCE", "example")
        .env("PORTCULLIS__SECRETS__MASTER_KEY", KEY)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let input = input.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap()
}

/// The exit code and what was said, to both streams.
async fn import(server: &TestServer, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let output = users(server, &[&["import", "-"], arguments].concat(), input).await;
    let said = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), said(output.stdout), said(output.stderr))
}

fn record(email: &str) -> Value {
    json!({
        "email": email, "passwordHash": bcrypt("old service", 4), "firstName": "Ada", "lastName": "Lovelace", "emailVerified": true,
    })
}

#[tokio::test]
async fn imported_people_sign_in_with_the_password_they_had() {
    let server = server().await;
    let snake = json!({
        "email": "Grace@Example.com", "password_hash": bcrypt("other service", 4), "first_name": "Grace", "last_name": "Hopper",
        "phone": "+4915112345678",
    });
    let input = format!("\u{feff}{}\n\n{snake}", record("ada@example.com"));
    let (code, said, errors) = import(&server, &[], &input).await;
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(said, "2 imported, 0 were there already, 0 lines cannot be used\n");

    let ada = body_of(
        try_login(&server, "ada@example.com", "old service").await,
        StatusCode::OK,
    )
    .await;
    assert_eq!(ada["user"]["emailVerified"], true);
    let grace = body_of(
        try_login(&server, "grace@example.com", "other service").await,
        StatusCode::OK,
    )
    .await;
    assert_eq!(grace["user"]["emailVerified"], false);
    assert_eq!(grace["user"]["phone"], "+4915112345678");
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM audit_events WHERE type = 'imported' AND subject_id IS NOT NULL"
        )
        .await,
        2
    );
}

#[tokio::test]
async fn an_import_that_is_run_again_goes_on_where_it_stood() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    let lines: Vec<String> = (0..450)
        .map(|number| record(&format!("p{number}@example.com")).to_string())
        .collect();
    let first = lines[..250].join("\n");
    let (_, said, _) = import(&server, &[], &first).await;
    assert_eq!(
        said,
        "250 imported, 0 were there already, 0 lines cannot be used\n"
    );
    let all = format!(
        "{}\n{}\n{}",
        lines.join("\n"),
        lines[449],
        record("ADA@example.com")
    );
    let (code, said, _) = import(&server, &[], &all).await;
    assert_eq!(
        (code, said.as_str()),
        (
            Some(0),
            "200 imported, 252 were there already, 0 lines cannot be used\n"
        )
    );
    assert_eq!(count(&server, "SELECT count(*) FROM users").await, 451);
    assert_eq!(
        count(
            &server,
            "SELECT count(*) FROM audit_events WHERE type = 'imported'"
        )
        .await,
        450
    );
    assert_eq!(
        try_login(&server, "ada@example.com", PASSWORD).await.status(),
        StatusCode::OK,
        "and is as she was"
    );
}

#[tokio::test]
async fn each_line_that_cannot_be_used_is_named_and_the_others_are_imported() {
    let server = server().await;
    let with = |field: &str, value: Value| {
        let mut record = record("bad@example.com");
        record[field] = value;
        record.to_string()
    };
    let mut nameless = record("bad@example.com");
    nameless.as_object_mut().unwrap().remove("lastName");
    let secret = bcrypt("old service", 4);
    let bad = [
        ("{\"email\": ", "line 1: is not JSON, from column 9 on"),
        (
            "[1, 2]",
            "line 2: is a JSON document, but has a field of the wrong type, or one twice",
        ),
        (&with("email", json!("no address")), "line 3: email: "),
        (
            &with("email", json!(7)),
            "line 4: is a JSON document, but has a field of the wrong type, or one twice",
        ),
        (
            &with("passwordHash", json!("plain text")),
            "line 5: passwordHash: is neither",
        ),
        (
            &with("passwordHash", json!(secret.replace("$04$", "$20$"))),
            "line 6: passwordHash: is neither",
        ),
        (
            &with("firstName", json!(" ")),
            "line 7: firstName: must not be empty",
        ),
        (&nameless.to_string(), "line 8: lastName: is missing"),
        (
            &with("phone", json!("0151")),
            "line 9: phone: must be a telephone number",
        ),
        (
            &with("firstName", json!("x".repeat(70_000))),
            "line 10: is longer than 64 KiB",
        ),
        (
            &with("firstName", json!("a\u{0}b")),
            "line 11: firstName: must not contain control characters",
        ),
    ];
    let input: Vec<&str> = bad.iter().map(|(line, _)| *line).collect();
    let good = record("ada@example.com").to_string();
    let input = format!("{}\n{good}\n", input.join("\n"));
    let (code, said, errors) = import(&server, &[], &input).await;
    assert_eq!(
        (code, said.as_str()),
        (
            Some(1),
            "1 imported, 0 were there already, 11 lines cannot be used\n"
        )
    );
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), bad.len(), "{errors}");
    for (line, (_, expected)) in lines.iter().zip(&bad) {
        assert!(line.starts_with(expected), "{line}");
    }
    assert!(
        !errors.contains("plain text") && !errors.contains("$2b$") && !errors.contains("bad@example.com")
    );
}

#[tokio::test]
async fn fields_that_nothing_is_known_about_are_said_to_be_left_out() {
    let server = server().await;
    let mut record = record("ada@example.com");
    record["favouriteColour"] = json!("green");
    let (code, said, _) = import(&server, &[], &record.to_string()).await;
    assert_eq!(code, Some(0));
    assert!(
        said.ends_with("left out: the field \"favouriteColour\" of 1 lines, which nothing is known about\n"),
        "{said}"
    );
}

#[tokio::test]
async fn a_check_changes_nothing_and_an_unknown_tenant_is_refused() {
    let server = server().await;
    let line = record("ada@example.com").to_string();
    let (code, said, _) = import(&server, &["--check"], &line).await;
    assert_eq!(
        (code, said.as_str()),
        (
            Some(0),
            "1 would be imported, 0 were there already, 0 lines cannot be used\n"
        )
    );
    let (code, _, errors) = import(&server, &["--tenant", "nobody"], &line).await;
    assert_eq!(code, Some(1));
    assert!(errors.contains("the tenant cannot be found"), "{errors}");
    assert_eq!(
        count(&server, "SELECT count(*) FROM users").await
            + count(&server, "SELECT count(*) FROM audit_events").await,
        0
    );
}

#[tokio::test]
async fn somebody_without_a_password_is_imported_and_has_none_to_sign_in_with() {
    let server = server().await;
    let mut record = record("ada@example.com");
    record.as_object_mut().unwrap().remove("passwordHash");
    let (code, ..) = import(&server, &[], &record.to_string()).await;
    assert_eq!(code, Some(0));
    assert_eq!(
        count(&server, "SELECT count(*) FROM users WHERE password_hash IS NULL").await,
        1
    );
    for password in ["", " ", "null", "old service"] {
        assert_ne!(
            try_login(&server, "ada@example.com", password).await.status(),
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn a_generated_password_is_one_that_may_be_registered_with() {
    let server = server().await;
    let output = users(&server, &["generate-password"], "").await;
    let password = String::from_utf8(output.stdout).unwrap();
    assert_eq!(password.trim_end().len(), 20);
    let request = json!({"email": "ada@example.com", "password": password.trim_end(), "firstName": "Ada", "lastName": "Lovelace"});
    let answer = server.post("/auth/register").json(&request).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let output = users(&server, &["generate-password", "--length", "11"], "").await;
    assert_eq!(output.status.code(), Some(2));
}
