//! Mail servers that mean no good, or are in no state to: what a letter survives, and what they are not told.

use serde_json::{Value, json};

use super::server::MailServer;
use super::smtp::{certificate_for, first_failure, server_for};
use super::{Worker, queued, reuse};
use crate::common::{TestServer, eventually};
use crate::operator_mail::{portcullis, said};

/// Copies every letter that waits so many times more, as if it were that many letters.
async fn multiply_letters(server: &TestServer, times: i32) {
    sqlx::query(
        "SELECT graphile_worker.add_job(task.identifier, job.payload, max_attempts => job.max_attempts::integer)
         FROM graphile_worker._private_jobs AS job
         JOIN graphile_worker._private_tasks AS task ON task.id = job.task_id, generate_series(1, $1)",
    )
    .bind(times)
    .execute(server.pool())
    .await
    .unwrap();
}

/// The `Message-ID` of a mail that was taken.
fn message_id(mail: &Value) -> String {
    let text = mail["text"].as_str().unwrap();
    let line = text.lines().find(|line| line.starts_with("Message-ID:"));
    line.unwrap().to_owned()
}

#[tokio::test]
async fn a_letter_that_was_refused_for_good_is_dead_until_an_operator_puts_it_back() {
    let mut mail = MailServer::start(&json!({"refuse": 1})).await;
    let server = server_for(&mail, &[("TLS", "none")]).await;
    reuse(&server).await;
    let worker = Worker::start(&server);
    let database = server.database.as_ref().unwrap();
    let dead = ["jobs", "list", "--state", "dead", "--json"];
    eventually("it is listed as dead", || async {
        said(portcullis(database.url(), &dead).await, 0).lines().count() == 1
    })
    .await;
    let listed = said(portcullis(database.url(), &dead).await, 0);
    let job: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(
        (&job["task"], &job["attempts"], &job["payload"]["kind"]),
        (&json!("send_mail"), &json!(1), &json!("session_ended_by_reuse"))
    );
    assert!(job["lastError"].as_str().unwrap().contains("550"), "{job}");
    assert!(!listed.contains('@'), "a job names nobody: {listed}");

    let text = said(portcullis(database.url(), &["jobs", "retry", "--dead"]).await, 0);
    assert_eq!(text, "1 job was dead, and is due now\n");
    assert_eq!(mail.event("mail").await["to"], json!(["ada@example.com"]));
    eventually("it is done", || async { queued(&server).await == 0 }).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_mail_server_that_says_nothing_to_a_mail_is_left_and_given_it_again() {
    let mut mail = MailServer::start(&json!({"hangAfterData": 1})).await;
    let server = server_for(&mail, &[("TLS", "none"), ("TIMEOUT_SECONDS", "1")]).await;
    reuse(&server).await;
    let worker = Worker::start(&server);
    let first = mail.event("mail").await;
    let reason = first_failure(&server).await;
    assert!(reason.contains("took too long"), "{reason}");
    let second = mail.event("mail").await;
    assert_eq!(message_id(&first), message_id(&second));
    eventually("it is done", || async { queued(&server).await == 0 }).await;
    worker.stop().await;
}

#[tokio::test]
async fn a_mail_whose_answer_is_lost_comes_again_under_the_same_name() {
    let mut mail = MailServer::start(&json!({"dropAfterData": 1})).await;
    let server = server_for(&mail, &[("TLS", "none")]).await;
    reuse(&server).await;
    let worker = Worker::start(&server);
    let first = mail.event("mail").await;
    let reason = first_failure(&server).await;
    assert!(reason.contains("cannot be talked to"), "{reason}");
    let second = mail.event("mail").await;
    assert_eq!(message_id(&first), message_id(&second));
    eventually("it is done", || async { queued(&server).await == 0 }).await;
    worker.stop().await;
}

#[tokio::test]
async fn more_hanging_connections_than_a_replica_has_places_delay_letters_and_lose_none() {
    let mut mail = MailServer::start(&json!({"hang": 8})).await;
    let server = server_for(&mail, &[("TLS", "none"), ("TIMEOUT_SECONDS", "1")]).await;
    reuse(&server).await;
    multiply_letters(&server, 11).await;
    assert_eq!(queued(&server).await, 12);
    let worker = Worker::start(&server);
    for _ in 0..12 {
        mail.event("mail").await;
    }
    eventually("all are done", || async { queued(&server).await == 0 }).await;
    worker.stop().await;
    let events = mail.rest().await;
    assert!(events.iter().all(|line| line["event"] != "mail"), "{events:?}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_good_enough_though_it_is_trusted() {
    let (wish, trusted) = certificate_for("elsewhere.example");
    let mail = MailServer::start(&wish).await;
    let server = server_for(&mail, &[("CA_FILE", trusted.path().to_str().unwrap())]).await;
    reuse(&server).await;
    let worker = Worker::start(&server);
    let reason = first_failure(&server).await;
    assert!(reason.contains("cannot be"), "{reason}");
    worker.stop().await;
    let events = mail.rest().await;
    assert!(events.iter().any(|line| line["event"] == "connected"));
    assert!(events.iter().all(|line| line["event"] != "mail"), "{events:?}");
}

#[tokio::test]
async fn a_server_that_hides_starttls_is_told_neither_the_password_nor_the_letter() {
    let mail = MailServer::start(&json!({"user": "portcullis", "password": "hunter2"})).await;
    let server = server_for(&mail, &[("USER", "portcullis"), ("PASSWORD", "hunter2")]).await;
    reuse(&server).await;
    let worker = Worker::start(&server);
    first_failure(&server).await;
    worker.stop().await;
    let events = mail.rest().await;
    let told = |line: &Value| line["event"] == "password" || line["event"] == "mail";
    assert!(events.iter().any(|line| line["event"] == "connected"));
    assert!(!events.iter().any(told), "{events:?}");
}
