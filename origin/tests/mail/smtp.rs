//! Mail servers, kind and unkind.

use serde_json::{Value, json};

use super::server::MailServer;
use super::{Worker, queued, reuse, run_all_jobs, server_with};
use crate::common::{TestServer, eventually};
use crate::fixtures::count;

/// A server that hands its letters to this mail server.
pub(super) async fn server_for(mail: &MailServer, more: &[(&str, &str)]) -> TestServer {
    let port = mail.port().to_string();
    let mut settings = vec![
        ("TRANSPORT", "smtp"),
        ("HOST", "localhost"),
        ("PORT", port.as_str()),
        ("FROM", "no-reply@example.com"),
    ];
    settings.extend(more);
    server_with(&settings).await
}

/// A certificate for this machine: for the mail server, and as a file for who is to trust it.
pub(super) fn certificate() -> (Value, tempfile::NamedTempFile) {
    certificate_for("localhost")
}

/// The same for a machine of this name.
pub(super) fn certificate_for(name: &str) -> (Value, tempfile::NamedTempFile) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), made.cert.pem()).unwrap();
    let wish = json!({"certificate": made.cert.pem(), "key": made.signing_key.serialize_pem()});
    (wish, file)
}

/// Waits until the letter has failed once and waits for another attempt; gives the reason that the queue keeps.
pub(super) async fn first_failure(server: &TestServer) -> String {
    eventually("the letter has failed and waits", || async {
        let waiting = "SELECT count(*) FROM graphile_worker._private_jobs WHERE last_error IS NOT NULL AND is_available";
        count(server, waiting).await == 1
    })
    .await;
    last_error(server).await
}

async fn last_error(server: &TestServer) -> String {
    sqlx::query_scalar("SELECT last_error FROM graphile_worker._private_jobs")
        .fetch_one(server.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_relay_without_tls_is_given_the_letter() {
    let mut mail = MailServer::start(&json!({})).await;
    let server = server_for(&mail, &[("TLS", "none")]).await;
    reuse(&server).await;
    run_all_jobs(&server).await;
    let got = mail.event("mail").await;
    assert_eq!(got["from"], "no-reply@example.com");
    assert_eq!(got["to"], json!(["ada@example.com"]));
    assert_eq!(got["helo"], "example.com");
    assert_eq!(got["secure"], false);
    let text = got["text"].as_str().unwrap();
    assert!(
        text.contains("Subject: You were signed out of Default\r\n"),
        "{text}"
    );
    assert!(mail.rest().await.iter().all(|line| line["event"] != "mail"));
}

#[tokio::test]
async fn starttls_and_a_password_are_what_a_submission_server_asks_for() {
    let (mut wish, trusted) = certificate();
    wish["user"] = "portcullis".into();
    wish["password"] = "hunter2".into();
    let mut mail = MailServer::start(&wish).await;
    let settings = [
        ("CA_FILE", trusted.path().to_str().unwrap()),
        ("USER", "portcullis"),
        ("PASSWORD", "hunter2"),
    ];
    let server = server_for(&mail, &settings).await;
    reuse(&server).await;
    run_all_jobs(&server).await;
    let got = mail.event("mail").await;
    assert_eq!(
        (&got["secure"], &got["user"]),
        (&json!(true), &json!("portcullis"))
    );
}

#[tokio::test]
async fn tls_may_begin_with_the_first_byte() {
    let (mut wish, trusted) = certificate();
    wish["implicitTls"] = true.into();
    let mut mail = MailServer::start(&wish).await;
    let trusted = trusted.path().to_str().unwrap();
    let server = server_for(&mail, &[("CA_FILE", trusted), ("TLS", "implicit")]).await;
    reuse(&server).await;
    run_all_jobs(&server).await;
    assert_eq!(mail.event("mail").await["secure"], true);
}

#[tokio::test]
async fn no_letter_leaves_over_a_connection_that_is_not_protected_as_configured() {
    let (wish, _) = certificate();
    let stranger = certificate().1;
    let trusted = stranger.path().to_str().unwrap().to_owned();
    // One server offers no STARTTLS; the other shows a certificate of somebody else's.
    for wish in [json!({}), wish] {
        let mail = MailServer::start(&wish).await;
        let server = server_for(&mail, &[("CA_FILE", &trusted)]).await;
        reuse(&server).await;
        let worker = Worker::start(&server);
        let reason = first_failure(&server).await;
        assert!(reason.contains("cannot be"), "{reason}");
        worker.stop().await;
        let events = mail.rest().await;
        assert!(
            events.iter().any(|line| line["event"] == "connected"),
            "{events:?}"
        );
        assert!(events.iter().all(|line| line["event"] != "mail"), "{events:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_for_the_operator_to_mend_and_the_letter_waits() {
    let (mut wish, trusted) = certificate();
    wish["user"] = "portcullis".into();
    wish["password"] = "hunter2".into();
    let mail = MailServer::start(&wish).await;
    let settings = [
        ("CA_FILE", trusted.path().to_str().unwrap()),
        ("USER", "portcullis"),
        ("PASSWORD", "hunter3"),
    ];
    let server = server_for(&mail, &settings).await;
    reuse(&server).await;
    let worker = Worker::start(&server);
    let reason = first_failure(&server).await;
    assert!(reason.contains("535") && !reason.contains("hunter"), "{reason}");
    worker.stop().await;
}

#[tokio::test]
async fn a_greylisted_letter_comes_again_and_arrives_once() {
    let mut mail = MailServer::start(&json!({"greylist": 1})).await;
    let server = server_for(&mail, &[("TLS", "none")]).await;
    reuse(&server).await;
    let worker = Worker::start(&server);
    mail.event("greylisted").await;
    let reason = first_failure(&server).await;
    assert!(reason.contains("451") && !reason.contains("ada@"), "{reason}");
    eventually("the letter was sent", || async { queued(&server).await == 0 }).await;
    worker.stop().await;
    let events = mail.rest().await;
    let mails = events.iter().filter(|line| line["event"] == "mail");
    assert_eq!(mails.count(), 1, "{events:?}");
}

#[tokio::test]
async fn a_recipient_that_is_refused_for_good_is_not_tried_again_and_not_named() {
    let mail = MailServer::start(&json!({"refuse": 1})).await;
    let server = server_for(&mail, &[("TLS", "none")]).await;
    reuse(&server).await;
    let worker = Worker::start(&server);
    eventually("the letter was given up", || async {
        let given_up = "SELECT count(*) FROM graphile_worker._private_jobs
                        WHERE attempts = 1 AND NOT is_available AND locked_at IS NULL";
        count(&server, given_up).await == 1
    })
    .await;
    let reason = last_error(&server).await;
    assert!(reason.contains("550") && !reason.contains("ada@"), "{reason}");
    worker.stop().await;
}

#[tokio::test]
async fn a_mail_server_that_hangs_is_left_and_keeps_no_other_job_waiting() {
    let mut mail = MailServer::start(&json!({"hang": 2})).await;
    let server = server_for(&mail, &[("TLS", "none"), ("TIMEOUT_SECONDS", "300")]).await;
    reuse(&server).await;
    let worker = Worker::start(&server);
    mail.event("connected").await;
    sqlx::query("SELECT graphile_worker.add_job('duty', '{\"duty\": \"purge_expired_sessions\"}'::json)")
        .execute(server.pool())
        .await
        .unwrap();
    eventually("the duty was done meanwhile", || async {
        queued(&server).await == 1
    })
    .await;
    worker.stop().await;

    let impatient = server_for(&mail, &[("TLS", "none"), ("TIMEOUT_SECONDS", "1")]).await;
    reuse(&impatient).await;
    let worker = Worker::start(&impatient);
    let reason = first_failure(&impatient).await;
    assert!(reason.contains("took too long"), "{reason}");
    worker.stop().await;
}
