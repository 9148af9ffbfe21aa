//! What an operator sees of jobs and letters, and what they may do about them, from the command line.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use futures_util::future::join_all;
use mail_parser::MessageParser;
use portcullis_origin::jobs;
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::mail::LetterKind;
use serde_json::{Value, json};

use crate::common::{TestDatabase, redis_url};
use crate::mail::{USER_AGENT, reuse, run_all_jobs, server_with_folder};

/// No database and no mail server listens there.
const NOBODY: &str = "postgres://127.0.0.1:1/none";

/// Runs `portcullis` on this database.
pub(crate) async fn portcullis(database_url: &str, arguments: &[&str]) -> Output {
    run(database_url, arguments, &[]).await
}

async fn run(database_url: &str, arguments: &[&str], settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .args(arguments)
        .env_clear()
        .env("DATABASE_URL", database_url)
        .env("REDIS_URL", redis_url())
        .env("PORTCULLIS__TOKENS__ISSUER", "https://auth.example.com")
        .env("PORTCULLIS__TOKENS__AUDIENCE", "example")
        .env(
            "PORTCULLIS__SECRETS__MASTER_KEY",
            "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQBaUe3P0iZ9s=",
        )
        .envs(settings.iter().copied())
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// `portcullis mail preview …` with a mail server that is never asked.
async fn preview(arguments: &[&str]) -> Output {
    let settings = [
        ("PORTCULLIS__MAIL__TRANSPORT", "smtp"),
        ("PORTCULLIS__MAIL__HOST", "127.0.0.1"),
        ("PORTCULLIS__MAIL__PORT", "1"),
        ("PORTCULLIS__MAIL__FROM", "Box <no-reply@example.com>"),
        ("PORTCULLIS__MAIL__REPLY_TO", "help@example.com"),
        ("PORTCULLIS__MAIL__FRONT_END_URL", "https://www.example.com"),
        ("PORTCULLIS__ACCOUNTS__PURGE_AFTER_DAYS", "45"),
    ];
    run(NOBODY, &[&["mail", "preview"], arguments].concat(), &settings).await
}

/// What was printed, by a command that must end with this code.
pub(crate) fn said(output: Output, code: i32) -> String {
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it complained about, ending with this code.
fn refused(output: Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A queue with a job in each state, and two more that are dead: 1 is ready, 2 runs, 3 waits, 4 to 6 are dead.
async fn queue() -> TestDatabase {
    let database = TestDatabase::create().await;
    jobs::migrate(database.pool()).await.unwrap();
    sqlx::raw_sql(
        "SELECT graphile_worker.add_job('send_mail', json_build_object('kind', 'verify_email', 'ticket', n))
         FROM generate_series(1, 5) AS n;
         SELECT graphile_worker.add_job('duty', '{\"duty\": \"sweep\", \"_cron\": {\"ts\": \"x\"}}'::json);
         UPDATE graphile_worker._private_jobs SET locked_at = now(), locked_by = 'replica', attempts = 1 WHERE id = 2;
         UPDATE graphile_worker._private_jobs
         SET run_at = '2036-01-01T00:00:00Z', attempts = 3, last_error = 'the mail server took too long' WHERE id = 3;
         UPDATE graphile_worker._private_jobs
         SET attempts = 1, max_attempts = 1, last_error = E'refused \\x1b[2J' WHERE id >= 4",
    )
    .execute(database.pool())
    .await
    .unwrap();
    database
}

/// The numbers and states of the listed jobs.
async fn listed(database: &TestDatabase, more: &[&str]) -> Vec<(i64, String)> {
    let arguments = [&["jobs", "list", "--json"], more].concat();
    let text = said(portcullis(database.url(), &arguments).await, 0);
    let jobs = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut jobs: Vec<_> = jobs
        .map(|job| {
            (
                job["id"].as_i64().unwrap(),
                job["state"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    jobs.sort_unstable();
    jobs
}

#[tokio::test]
async fn jobs_are_listed_by_the_state_they_are_in() {
    let database = queue().await;
    let states = ["ready", "running", "waiting", "dead", "dead", "dead"];
    let all: Vec<(i64, String)> = (1..).zip(states.map(str::to_owned)).collect();
    assert_eq!(listed(&database, &[]).await, all);
    for state in ["ready", "running", "waiting", "dead"] {
        let expected: Vec<_> = all.iter().filter(|(_, own)| own == state).cloned().collect();
        assert_eq!(listed(&database, &["--state", state]).await, expected);
    }
    assert_eq!(listed(&database, &["--limit", "2"]).await.len(), 2);
    refused(
        portcullis(database.url(), &["jobs", "list", "--state", "asleep"]).await,
        2,
    );
}

#[tokio::test]
async fn the_table_says_why_an_attempt_has_failed_and_commands_no_terminal() {
    let database = queue().await;
    let text = said(portcullis(database.url(), &["jobs", "list"]).await, 0);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("ID  STATE    TRIED"), "{text}");
    let waiting = lines
        .iter()
        .position(|line| line.starts_with("3   waiting"))
        .unwrap();
    assert!(lines[waiting].ends_with("send_mail  verify_email 3"), "{text}");
    assert!(lines[waiting].contains("2036-01-01T00:00:00.000Z"), "{text}");
    assert_eq!(lines[waiting + 1].trim(), "the mail server took too long");
    assert!(text.contains("duty       sweep\n"), "{text}");
    assert!(
        text.ends_with("3 dead, 1 ready, 1 running, 1 waiting\n"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "{text:?}");

    sqlx::query("DELETE FROM graphile_worker._private_jobs")
        .execute(database.pool())
        .await
        .unwrap();
    assert_eq!(
        said(portcullis(database.url(), &["jobs", "list"]).await, 0),
        "no jobs\n"
    );
}

#[tokio::test]
async fn a_job_is_put_back_by_its_number_or_with_all_that_are_dead() {
    let database = queue().await;
    let retry = async |what: &str| said(portcullis(database.url(), &["jobs", "retry", what]).await, 0);
    assert_eq!(retry("4").await, "job 4 is due now\n");
    assert_eq!(retry("3").await, "job 3 is due now\n");
    assert_eq!(retry("--dead").await, "2 jobs were dead, and are due now\n");
    assert_eq!(retry("--dead").await, "no job is dead\n");
    let ready = listed(&database, &["--state", "ready"]).await;
    assert_eq!(
        ready.iter().map(|(id, _)| *id).collect::<Vec<_>>(),
        [1, 3, 4, 5, 6]
    );
    let attempts: Vec<(i16, i16)> = sqlx::query_as(
        "SELECT attempts, max_attempts FROM graphile_worker._private_jobs WHERE id >= 3 ORDER BY id",
    )
    .fetch_all(database.pool())
    .await
    .unwrap();
    assert_eq!(attempts, [(0, 25), (0, 8), (0, 8), (0, 8)]);
    let events: Vec<Value> =
        sqlx::query_scalar("SELECT detail FROM audit_events WHERE type = 'jobs_retried' ORDER BY seq")
            .fetch_all(database.pool())
            .await
            .unwrap();
    assert_eq!(
        events,
        [json!({"job": 4}), json!({"job": 3}), json!({"dead_jobs": 2})]
    );
}

#[tokio::test]
async fn operators_who_put_the_dead_back_at_once_put_each_back_once() {
    let database = queue().await;
    let outputs = join_all((0..4).map(|_| portcullis(database.url(), &["jobs", "retry", "--dead"]))).await;
    let mut texts: Vec<String> = outputs.into_iter().map(|output| said(output, 0)).collect();
    texts.sort_unstable();
    let none = "no job is dead\n";
    assert_eq!(texts, ["3 jobs were dead, and are due now\n", none, none, none]);
}

#[tokio::test]
async fn what_needs_no_retry_or_is_not_there_is_refused_and_leaves_no_event() {
    let database = queue().await;
    for (arguments, code, reason) in [
        (&["1"][..], 1, "job 1 is ready as it is"),
        (&["2"], 1, "job 2 is running as it is"),
        (&["77"], 1, "there is no job 77"),
        (&[], 2, "required"),
        (&["4", "--dead"], 2, "cannot be used with"),
        (&["four"], 2, "invalid value"),
    ] {
        let output = portcullis(database.url(), &[&["jobs", "retry"], arguments].concat()).await;
        let text = refused(output, code);
        assert!(text.contains(reason), "{text}");
    }
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_events")
        .fetch_one(database.pool())
        .await
        .unwrap();
    assert_eq!(events, 0);
}

#[tokio::test]
async fn without_a_queue_the_operator_is_told_to_migrate() {
    let database = TestDatabase::create().await;
    for arguments in [
        &["jobs", "list"][..],
        &["jobs", "retry", "--dead"],
        &["jobs", "retry", "1"],
    ] {
        let text = refused(portcullis(database.url(), arguments).await, 1);
        assert!(text.contains("run `portcullis migrate`"), "{text}");
    }
    let text = refused(portcullis(NOBODY, &["jobs", "list"]).await, 1);
    assert!(text.contains("the database cannot be reached"), "{text}");
}

#[tokio::test]
async fn every_letter_is_previewed_in_each_form_and_without_a_database() {
    let list = said(preview(&["--tenant-name", "Box & Office"]).await, 0);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new");
    let all = ["--tenant-name", "Box & Office", "--out", out.to_str().unwrap()];
    said(preview(&all).await, 0);
    let read = |name: &str, extension: &str| {
        std::fs::read_to_string(out.join(name).with_extension(extension)).unwrap()
    };
    let mut kinds = 0;
    for (kind, line) in LetterKind::all().zip(list.lines()) {
        let name = kind.name();
        let (listed, subject) = line.split_once("  ").unwrap();
        assert_eq!(listed, name);
        let (text, html, eml) = (read(name, "txt"), read(name, "html"), read(name, "eml"));
        assert!(
            text.contains("Box & Office") && text.contains("help@example.com"),
            "{text}"
        );
        assert!(
            html.contains("Box &#38; Office") && html.contains("help@example.com"),
            "{html}"
        );
        let mail = MessageParser::default().parse(eml.as_bytes()).unwrap();
        assert_eq!(mail.subject().unwrap(), subject.trim());
        assert_eq!(
            mail.body_text(0).unwrap().replace("\r\n", "\n").trim(),
            text.trim()
        );
        assert_eq!(
            mail.body_html(0).unwrap().replace("\r\n", "\n").trim(),
            html.trim()
        );
        kinds += 1;
    }
    assert_eq!((kinds, list.lines().count()), (LetterKind::all().count(), kinds));
}

#[tokio::test]
async fn a_preview_says_what_the_real_letter_says() {
    let (server, folder) = server_with_folder().await;
    reuse(&server).await;
    run_all_jobs(&server).await;
    let eml = folder.only_mail();
    let mail = MessageParser::default().parse(eml.as_bytes()).unwrap();
    let moment = server.clock.now().format("%-d %B %Y, %H:%M UTC").to_string();
    assert!(USER_AGENT.contains("Linux"));
    for (form, real) in [("--text", mail.body_text(0)), ("--html", mail.body_html(0))] {
        let arguments = ["session-ended-by-reuse", form, "--tenant-name", "Default"];
        let previewed = said(preview(&arguments).await, 0)
            .replace("203.0.113.7", "127.0.0.1")
            .replace("25 November 2026, 09:30 UTC", &moment);
        assert_eq!(previewed.trim(), real.unwrap().replace("\r\n", "\n").trim());
    }
}

#[tokio::test]
async fn the_links_of_a_preview_lead_where_real_ones_do() {
    for (letter, page) in [
        (
            "verify-email",
            "https://auth.example.com/auth/verify-email?token=this-is-an-example",
        ),
        (
            "reset-password",
            "https://www.example.com/reset-password?token=this-is-an-example",
        ),
    ] {
        let text = said(preview(&[letter]).await, 0);
        assert!(text.contains(page), "{text}");
    }
}

#[tokio::test]
async fn whoever_closes_an_account_is_told_for_how_long_it_can_be_brought_back_and_by_whom() {
    let text = said(preview(&["account-deleted"]).await, 0).replace('\n', " ");
    assert!(text.contains("kept for 45 days"), "{text}");
    assert!(
        text.contains("write to help@example.com within these 45 days"),
        "{text}"
    );
}

#[tokio::test]
async fn a_letter_that_is_not_one_and_mail_that_is_off_are_said_so() {
    let text = refused(preview(&["love-letter"]).await, 2);
    for kind in LetterKind::all() {
        assert!(text.contains(kind.name()), "{text}");
    }
    refused(preview(&["verify-email", "--text", "--html"]).await, 2);
    let text = refused(portcullis(NOBODY, &["mail", "preview"]).await, 1);
    assert!(text.contains("`[mail]` is not configured"), "{text}");
}

#[test]
fn every_letter_has_a_picture_and_every_picture_a_letter() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/mail");
    let pictures: BTreeSet<String> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "png"))
        .map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let letters: BTreeSet<String> = LetterKind::all().map(|kind| kind.name().to_owned()).collect();
    assert_eq!(pictures, letters, "run `cargo xtask pictures`");
    let page = std::fs::read_to_string(folder.join("README.md")).unwrap();
    for letter in letters {
        assert!(
            page.contains(&format!("({letter}.png)")),
            "run `cargo xtask pictures`: {letter}"
        );
    }
}
