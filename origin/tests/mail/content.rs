//! Who is written to, how often, and what.

use futures_util::future::join_all;
use mail_parser::{Message, MessageParser};
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::ids::AuditEventId;
use portcullis_origin::mail::Letter;

use super::{person_with_an_old_token, present, queued, reuse, run_all_jobs, server_with_folder};
use crate::common::TestServer;
use crate::fixtures::{audit_trail, count, execute, server};

fn parse(text: &str) -> Message<'_> {
    MessageParser::default().parse(text.as_bytes()).unwrap()
}

/// The text and the HTML.
fn bodies(mail: &Message<'_>) -> [String; 2] {
    [
        mail.body_text(0).unwrap().into(),
        mail.body_html(0).unwrap().into(),
    ]
}

async fn reuse_event(server: &TestServer) -> AuditEventId {
    let id: uuid::Uuid = sqlx::query_scalar("SELECT id FROM audit_events WHERE type = 'refresh_reused'")
        .fetch_one(server.pool())
        .await
        .unwrap();
    id.into()
}

#[tokio::test]
async fn who_loses_a_session_to_reuse_is_told_once_however_many_reuse_it() {
    let (server, folder) = server_with_folder().await;
    let person = person_with_an_old_token(&server).await;
    let answers = join_all((0..20).map(|_| present(&server, &person.refresh))).await;
    assert!(answers.iter().all(|answer| answer.status() == 401));
    assert_eq!(queued(&server).await, 1);
    run_all_jobs(&server).await;

    let text = folder.only_mail();
    let mail = parse(&text);
    let address = |addresses: Option<&mail_parser::Address<'_>>| {
        addresses.unwrap().first().unwrap().address().unwrap().to_owned()
    };
    assert_eq!(address(mail.to()), "ada@example.com");
    assert_eq!(address(mail.from()), "no-reply@example.com");
    assert_eq!(address(mail.reply_to()), "help@example.com");
    assert_eq!(mail.subject(), Some("You were signed out of Default"));
    assert_eq!(
        mail.header_raw("Auto-Submitted").map(str::trim),
        Some("auto-generated")
    );
    assert_eq!(
        mail.date().unwrap().to_timestamp(),
        server.clock.now().timestamp()
    );
    let event = reuse_event(&server).await;
    assert_eq!(
        mail.message_id().unwrap(),
        format!("session-ended-by-reuse-{event}@example.com")
    );
    let moment = server.clock.now().format("%-d %B %Y, %H:%M UTC").to_string();
    for body in bodies(&mail) {
        for expected in [
            "Hello Ada,",
            "127.0.0.1",
            "Firefox on Linux",
            "help@example.com",
            &moment,
        ] {
            assert!(body.contains(expected), "{expected}: {body}");
        }
        assert!(!body.contains("145.0"), "the client's own words: {body}");
    }
    // Nothing is fetched when it is read.
    assert!(
        !text.contains("http:") && !text.contains("https:") && !text.contains("src="),
        "{text}"
    );
}

#[tokio::test]
async fn a_payload_names_an_event_and_nobody() {
    let (server, _folder) = server_with_folder().await;
    reuse(&server).await;
    let payload: serde_json::Value = sqlx::query_scalar("SELECT payload FROM graphile_worker._private_jobs")
        .fetch_one(server.pool())
        .await
        .unwrap();
    let event = reuse_event(&server).await;
    let expected = serde_json::json!({"kind": "session_ended_by_reuse", "event": event});
    assert_eq!(payload, expected);
}

#[tokio::test]
async fn what_is_rolled_back_is_not_told() {
    let (server, folder) = server_with_folder().await;
    reuse(&server).await;
    let event = reuse_event(&server).await;
    run_all_jobs(&server).await;
    assert_eq!(folder.files().len(), 1);
    let mut transaction = server.app.core().pool().begin().await.unwrap();
    let letter = Letter::SessionEndedByReuse { event };
    server
        .app
        .mailer()
        .enqueue(&mut transaction, letter)
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(queued(&server).await, 0);
}

#[tokio::test]
async fn a_session_is_not_ended_unless_its_owner_will_be_told() {
    let (server, _folder) = server_with_folder().await;
    let person = person_with_an_old_token(&server).await;
    execute(&server, "DROP SCHEMA graphile_worker CASCADE").await;
    assert!(present(&server, &person.refresh).await.status().is_server_error());
    let ended = "SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL";
    assert_eq!(count(&server, ended).await, 0);
    assert_eq!(audit_trail(&server).await, ["registered", "logged_in"]);
}

#[tokio::test]
async fn a_letter_that_is_sent_twice_is_the_same_letter() {
    let (server, folder) = server_with_folder().await;
    reuse(&server).await;
    let event = reuse_event(&server).await;
    run_all_jobs(&server).await;
    let first = folder.only_mail();
    // As if the server had died after the mail had left, and before the queue knew.
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let letter = Letter::SessionEndedByReuse { event };
    server
        .app
        .mailer()
        .enqueue(&mut connection, letter)
        .await
        .unwrap();
    drop(connection);
    run_all_jobs(&server).await;
    assert_eq!(folder.only_mail(), first);
}

#[tokio::test]
async fn a_deleted_account_is_not_written_to() {
    let (server, folder) = server_with_folder().await;
    reuse(&server).await;
    execute(&server, "UPDATE users SET deleted_at = now()").await;
    run_all_jobs(&server).await;
    assert!(folder.files().is_empty());
}

#[tokio::test]
async fn what_people_and_operators_typed_is_escaped_and_breaks_no_header() {
    let (server, folder) = server_with_folder().await;
    reuse(&server).await;
    execute(
        &server,
        "UPDATE users SET first_name = '<script>\"&';
         UPDATE tenants SET name = E'<b>Box</b> & \u{d6}ffice\\r\\nBcc: eve@example.com'",
    )
    .await;
    run_all_jobs(&server).await;

    let text = folder.only_mail();
    let mail = parse(&text);
    let subject = "You were signed out of <b>Box</b> & \u{d6}ffice Bcc: eve@example.com";
    assert_eq!(mail.subject(), Some(subject));
    assert!(mail.bcc().is_none());
    let [plain, html] = bodies(&mail);
    assert!(plain.contains("Hello <script>\"&,"), "{plain}");
    assert!(!html.contains("<script>") && !html.contains("<b>"), "{html}");
    assert!(html.contains("Hello &#60;script&#62;&#34;&#38;,"), "{html}");
}

#[tokio::test]
async fn a_name_that_a_mail_program_would_make_a_link_of_is_left_out() {
    let (server, folder) = server_with_folder().await;
    reuse(&server).await;
    execute(&server, "UPDATE users SET first_name = 'Prize at evil.example'").await;
    run_all_jobs(&server).await;
    let text = folder.only_mail();
    for body in bodies(&parse(&text)) {
        assert!(body.contains("Hello,") && !body.contains("evil"), "{body}");
    }
}

#[tokio::test]
async fn a_server_without_mail_needs_no_queue_to_end_a_session() {
    let server = server().await;
    reuse(&server).await;
    let ended = "SELECT count(*) FROM sessions WHERE revoked_at IS NOT NULL";
    assert_eq!(count(&server, ended).await, 1);
}
