//! What the account's holder and the log are told of a lock.

use mail_parser::MessageParser;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ADA, AWAY, HOME, WRONG, assert_locked_out, attempt, guess, letters, settings};
use crate::common::TestServer;
use crate::fixtures::{count, execute, register};
use crate::mail::{Folder, run_all_jobs, server_with_folder_and};

/// The texts of all mails about locks, which are taken out of the folder.
async fn told(server: &TestServer, folder: &Folder) -> Vec<String> {
    run_all_jobs(server).await;
    let mut texts = Vec::new();
    for file in folder.files() {
        let bytes = std::fs::read(&file).unwrap();
        std::fs::remove_file(&file).unwrap();
        let mail = MessageParser::default().parse(&bytes).unwrap();
        if mail.subject() == Some("Too many wrong passwords for Default") {
            texts.push(
                mail.body_text(0)
                    .unwrap()
                    .split_whitespace()
                    .collect::<Vec<_>>()
                    .join(" "),
            );
        }
    }
    texts
}

#[tokio::test]
async fn the_holder_is_told_once_for_each_lock() {
    let (server, folder) = server_with_folder_and(settings).await;
    register(&server, ADA).await;
    for _ in 0..2 {
        guess(&server, HOME, ADA, 5).await;
        for _ in 0..5 {
            assert_locked_out(&server, HOME, ADA, "900").await;
        }
        let until = server.app.core().clock().now() + TimeDelta::minutes(15) + TimeDelta::seconds(59);
        let until = until.format("%-d %B %Y, %H:%M UTC").to_string();
        let texts = told(&server, &folder).await;
        let [text] = texts.as_slice() else {
            panic!("{texts:?}")
        };
        for expected in [
            "Hello Ada,",
            HOME,
            &until,
            "from a device that the account does not know",
        ] {
            assert!(text.contains(expected), "{expected}: {text}");
        }
        server.clock.advance(TimeDelta::minutes(15));
        server.clock.advance(TimeDelta::minutes(15));
    }
}

#[tokio::test]
async fn nobody_is_written_to_where_there_is_no_account() {
    let (server, folder) = server_with_folder_and(settings).await;
    guess(&server, HOME, ADA, 5).await;
    assert_eq!(letters(&server).await, 1, "as many jobs as for an account");
    assert!(told(&server, &folder).await.is_empty());
}

#[tokio::test]
async fn a_client_that_is_locked_out_is_nobodys_letter() {
    let (server, _folder) = server_with_folder_and(settings).await;
    register(&server, ADA).await;
    for email in [ADA, "eve@example.com", "joe@example.com"] {
        guess(&server, HOME, email, if email == ADA { 2 } else { 4 }).await;
    }
    assert_eq!(letters(&server).await, 0);
    let event = "SELECT count(*) FROM audit_events WHERE type = 'sign_in_locked' AND subject_id IS NULL
                 AND detail ->> 'of' = 'client' AND ip_address = '192.0.2.1'";
    assert_eq!(count(&server, event).await, 1);
}

#[tokio::test]
async fn the_log_says_what_was_locked_and_until_when() {
    let (server, _folder) = server_with_folder_and(settings).await;
    register(&server, ADA).await;
    guess(&server, HOME, ADA, 5).await;
    attempt(&server, AWAY, ADA, WRONG).await;
    let detail: Value = sqlx::query_scalar(
        "SELECT detail FROM audit_events WHERE type = 'sign_in_locked' AND subject_id IS NOT NULL",
    )
    .fetch_one(server.pool())
    .await
    .unwrap();
    let until = server.app.core().clock().now() + TimeDelta::minutes(15);
    let until = portcullis_origin::kernel::time::rfc3339(until);
    assert_eq!(detail, json!({"of": "account", "until": until}));
    let refused =
        "SELECT count(*) FROM audit_events WHERE type = 'login_failed' AND ip_address = '198.51.100.1'
                   AND detail ->> 'reason' = 'too many failures of this account'";
    assert_eq!(count(&server, refused).await, 1);
}

#[tokio::test]
async fn who_guesses_with_a_stolen_token_is_told_on() {
    let (server, folder) = server_with_folder_and(settings).await;
    let ada = register(&server, ADA).await;
    for _ in 0..6 {
        let body = json!({"currentPassword": WRONG, "newPassword": "violet anchors drift at noon"});
        let request = server
            .request(Method::PUT, "/auth/change-password")
            .bearer_auth(&ada.access);
        request.json(&body).send().await.unwrap();
    }
    let texts = told(&server, &folder).await;
    let [text] = texts.as_slice() else {
        panic!("{texts:?}")
    };
    assert!(
        text.contains("Somebody who is signed in to your account"),
        "{text}"
    );
}

#[tokio::test]
async fn a_failure_is_not_counted_that_nobody_can_be_told_of() {
    let (server, _folder) = server_with_folder_and(settings).await;
    register(&server, ADA).await;
    guess(&server, HOME, ADA, 4).await;
    execute(&server, "DROP SCHEMA graphile_worker CASCADE").await;
    let answer = attempt(&server, HOME, ADA, WRONG).await;
    assert_eq!(answer.status().as_u16(), 500);
    let rows = "SELECT count(*) FROM login_failures WHERE kind = 'account' AND cardinality(failed_at) = 4";
    assert_eq!(count(&server, rows).await, 1);
}
