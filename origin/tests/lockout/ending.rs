//! What ends a lock before its time, and what is left of it.

use std::process::Command;

use portcullis_origin::jobs;
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_origin::lockout;
use reqwest::StatusCode;
use serde_json::json;

use super::{ADA, HOME, assert_locked_out, assert_signs_in, attempt, guess, locks, server, settings};
use crate::common::{TestServer, redis_url};
use crate::fixtures::{audit_trail, count, register};
use crate::mail::{run_all_jobs, server_with_folder_and};

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQBaUe3P0iZ9s=";

/// Runs `portcullis users unlock`, with the master key of the server.
async fn unlock(server: &TestServer) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command
        .args(["users", "unlock", ADA])
        .env_clear()
        .env("DATABASE_URL", server.database.as_ref().unwrap().url())
        .env("REDIS_URL", redis_url())
        .env("PORTCULLIS__TOKENS__ISSUER", "https://auth.example.com")
        .env("PORTCULLIS__TOKENS__AUDIENCE", "example")
        .env("PORTCULLIS__SECRETS__MASTER_KEY", KEY)
        .current_dir(std::env::temp_dir());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn an_operator_ends_a_lock() {
    let server = TestServer::start_with(|all| {
        settings(all);
        all.insert("PORTCULLIS__SECRETS__MASTER_KEY".into(), KEY.into());
    })
    .await;
    register(&server, ADA).await;
    assert_eq!(unlock(&server).await, "ada@example.com is active already\n");
    guess(&server, HOME, ADA, 5).await;
    assert_locked_out(&server, HOME, ADA, "900").await;
    assert_eq!(unlock(&server).await, "ada@example.com may sign in again\n");
    assert_eq!(audit_trail(&server).await.last().unwrap(), "sign_in_unlocked");
    assert_signs_in(&server, HOME, ADA).await;
}

#[tokio::test]
async fn a_new_password_by_mail_ends_a_lock() {
    let (server, folder) = server_with_folder_and(settings).await;
    register(&server, ADA).await;
    run_all_jobs(&server).await;
    for file in folder.files() {
        std::fs::remove_file(file).unwrap();
    }
    let body = json!({"email": ADA});
    server
        .post("/auth/forgot-password")
        .json(&body)
        .send()
        .await
        .unwrap();
    run_all_jobs(&server).await;
    let mail = std::fs::read_to_string(&folder.files()[0]).unwrap();
    let (_, link) = mail.split_once("token=").unwrap();
    let token: String = link.chars().take_while(|c| !c.is_whitespace()).collect();

    guess(&server, HOME, ADA, 5).await;
    assert_locked_out(&server, HOME, ADA, "900").await;
    let new = "violet anchors drift at noon";
    let body = json!({"token": token, "newPassword": new});
    let answer = server
        .post("/auth/reset-password")
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let answer = attempt(&server, HOME, ADA, new).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(
        audit_trail(&server)
            .await
            .contains(&"sign_in_unlocked".to_owned())
    );
}

#[tokio::test]
async fn what_says_nothing_any_more_is_purged() {
    let server = server().await;
    jobs::migrate(server.pool()).await.unwrap();
    guess(&server, HOME, ADA, 5).await;
    guess(&server, HOME, "nobody@example.com", 1).await;
    let purge = async || {
        let now = server.app.core().clock().now();
        let mut connection = server.app.core().pool().acquire().await.unwrap();
        lockout::purge(&mut connection, now).await.unwrap()
    };
    assert_eq!(purge().await, 0);
    server.clock.advance(TimeDelta::seconds(899));
    assert_eq!(purge().await, 0);
    assert_eq!(locks(&server).await, 1);
    server.clock.advance(TimeDelta::seconds(1));
    assert_eq!(purge().await, 3);
    assert_eq!(count(&server, "SELECT count(*) FROM login_failures").await, 0);
}

#[tokio::test]
async fn nobody_is_named_in_a_row() {
    let server = server().await;
    guess(&server, HOME, ADA, 2).await;
    let rows: Vec<String> = sqlx::query_scalar("SELECT login_failures::text FROM login_failures")
        .fetch_all(server.pool())
        .await
        .unwrap();
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert!(!row.contains("ada") && !row.contains(HOME), "{row}");
    }
}
