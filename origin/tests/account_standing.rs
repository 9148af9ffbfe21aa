//! What an operator does to accounts, from the command line.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use futures_util::future::join_all;
use portcullis_origin::access::{self, ChangedStatus};
use portcullis_origin::accounts::{EmailAddress, StatusChange};
use portcullis_origin::audit::Event;
use portcullis_origin::kernel::clock::Clock as _;
use portcullis_origin::kernel::random::SystemEntropy;
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_origin::lockout::Lockout;
use reqwest::StatusCode;

use crate::common::{TestServer, redis_url};
use crate::feed_reader;
use crate::fixtures::{
    DEFAULT_TENANT, PASSWORD, assert_refused, assert_stale, audit_trail, body_of, count, execute, login, me,
    register, register_at, server, text, try_login, try_refresh,
};
use crate::second_factor::{self, Ada};

const KEY: &str = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQBaUe3P0iZ9s=";

/// Runs `portcullis users …` on the server's database.
async fn users(server: &TestServer, arguments: &[&str]) -> Output {
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
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

/// What the command says when it succeeds.
async fn said(server: &TestServer, arguments: &[&str]) -> String {
    let output = users(server, arguments).await;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the command says when it fails.
async fn refused(server: &TestServer, arguments: &[&str]) -> String {
    let output = users(server, arguments).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn whoever_has_lost_their_app_and_codes_is_let_in_again_by_an_operator() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let mfa_token = second_factor::challenged(&server).await;
    assert_eq!(
        said(&server, &["remove-mfa", "ada@example.com"]).await,
        "ada@example.com has no second factor any more; all of its sessions ended\n"
    );
    let late = second_factor::answer(&server, &mfa_token, "totp", &ada.app.code(&server)).await;
    assert_refused(late, 401, "invalid_mfa_token").await;
    assert_eq!(
        count(&server, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL").await,
        0
    );
    login(&server, "ada@example.com").await;
    assert_eq!(
        said(&server, &["remove-mfa", "ada@example.com"]).await,
        "ada@example.com has no second factor\n"
    );
    assert!(
        refused(&server, &["remove-mfa", "nobody@example.com"])
            .await
            .contains("no such account")
    );
}

#[tokio::test]
async fn a_locked_account_is_signed_out_everywhere_until_it_is_unlocked() {
    let server = feed_reader::server().await;
    let first = register(&server, "ada@example.com").await;
    let second = login(&server, "ada@example.com").await;
    let stranger = register(&server, "eve@example.com").await;
    assert_eq!(
        said(&server, &["lock", "Ada@example.com"]).await,
        "ada@example.com is locked; 2 sessions ended\n"
    );
    for person in [&first, &second] {
        assert_refused(me(&server, &person.access).await, 401, "invalid_token").await;
        assert_refused(
            try_refresh(&server, &person.refresh).await,
            401,
            "invalid_refresh_token",
        )
        .await;
    }
    assert_eq!(me(&server, &stranger.access).await.status(), StatusCode::OK);
    assert_refused(
        try_login(&server, "ada@example.com", PASSWORD).await,
        429,
        "account_locked",
    )
    .await;
    // The command goes by the machine's clock, which is a moment ahead of the test's.
    server.clock.advance(TimeDelta::seconds(30));
    let told = feed_reader::read(&server, None).await.sessions;
    assert_eq!(
        told.into_iter().collect::<BTreeSet<_>>(),
        [&first, &second]
            .map(|person| feed_reader::uuid(&person.session_id))
            .into()
    );
    assert_eq!(
        said(&server, &["lock", "ada@example.com"]).await,
        "ada@example.com is locked already\n"
    );

    assert_eq!(
        said(&server, &["unlock", "ada@example.com"]).await,
        "ada@example.com is active\n"
    );
    assert_eq!(
        try_login(&server, "ada@example.com", PASSWORD).await.status(),
        StatusCode::OK
    );
    assert_refused(
        try_refresh(&server, &first.refresh).await,
        401,
        "invalid_refresh_token",
    )
    .await;
    let events = "SELECT count(*) FROM audit_events WHERE actor_id IS NULL AND ip_address IS NULL
                  AND subject_id IS NOT NULL AND tenant_id IS NOT NULL
                  AND (type IN ('account_locked', 'account_unlocked')
                       OR (type = 'sessions_revoked' AND detail = '{\"reason\": \"account_locked\", \"sessions\": 2}'))";
    assert_eq!(count(&server, events).await, 3);
}

#[tokio::test]
async fn a_disabled_account_stays_so_until_it_is_enabled() {
    let server = server().await;
    register(&server, "ada@example.com").await;
    said(&server, &["lock", "ada@example.com"]).await;
    assert_eq!(
        said(&server, &["disable", "ada@example.com"]).await,
        "ada@example.com is disabled; 0 sessions ended\n"
    );
    assert_refused(
        try_login(&server, "ada@example.com", PASSWORD).await,
        403,
        "account_disabled",
    )
    .await;
    for command in ["lock", "unlock"] {
        let errors = refused(&server, &[command, "ada@example.com"]).await;
        assert!(errors.contains("the account is disabled"), "{errors}");
    }
    assert_eq!(
        said(&server, &["enable", "ada@example.com"]).await,
        "ada@example.com is active\n"
    );
    assert_eq!(
        try_login(&server, "ada@example.com", PASSWORD).await.status(),
        StatusCode::OK
    );
    assert_eq!(
        audit_trail(&server).await[2..7],
        [
            "account_locked",
            "sessions_revoked",
            "account_disabled",
            "login_failed",
            "account_enabled"
        ]
    );
}

#[tokio::test]
async fn another_role_makes_older_tokens_stale_and_keeps_the_session() {
    let server = feed_reader::server().await;
    let person = register(&server, "ada@example.com").await;
    // The command goes by the machine's clock; that of the server stands where it was, a moment before.
    let answer = said(&server, &["role", "ada@example.com", "admin"]).await;
    assert_eq!(answer, "ada@example.com has the role admin; it was customer\n");
    assert_stale(me(&server, &person.access).await).await;
    let body = body_of(try_refresh(&server, &person.refresh).await, StatusCode::OK).await;
    assert_eq!(body["user"]["role"], "admin");
    server.clock.advance(TimeDelta::seconds(30));
    assert_eq!(
        me(&server, &text(&body, "/tokens/accessToken")).await.status(),
        StatusCode::OK
    );
    let feed = feed_reader::read(&server, None).await;
    assert!(feed.sessions.is_empty());
    let stored = "SELECT extract(epoch FROM tokens_not_before)::bigint FROM users";
    let not_before = count(&server, stored).await;
    assert_eq!(
        feed.subjects,
        [(feed_reader::uuid(&person.user_id), not_before)].into()
    );
    let event = "SELECT count(*) FROM audit_events WHERE type = 'role_changed'
                 AND detail = '{\"from\": \"customer\", \"to\": \"admin\"}' AND actor_id IS NULL";
    assert_eq!(count(&server, event).await, 1);
    assert_eq!(
        said(&server, &["role", "ada@example.com", "admin"]).await,
        "ada@example.com has the role admin already\n"
    );
    assert_eq!(count(&server, "SELECT count(*) FROM revocations").await, 1);
}

#[tokio::test]
async fn only_the_account_of_the_named_tenant_is_meant() {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES (gen_random_uuid(), 'other', 'Other', 'epoch')",
    )
    .await;
    let here = register(&server, "ada@example.com").await;
    let there = register_at(&server, Some("other"), "ada@example.com").await;
    said(&server, &["disable", "ada@example.com", "--tenant", "other"]).await;
    assert_eq!(me(&server, &here.access).await.status(), StatusCode::OK);
    assert_refused(me(&server, &there.access).await, 401, "invalid_token").await;
}

#[tokio::test]
async fn whoever_is_not_there_is_named_as_the_reason() {
    let server = server().await;
    for (arguments, reason) in [
        (&["lock", "nobody@example.com"][..], "there is no such account"),
        (
            &["role", "nobody@example.com", "admin"],
            "there is no such account",
        ),
        (
            &["lock", "ada@example.com", "--tenant", "none"],
            "there is no such tenant",
        ),
        (&["lock", "no address"], "the address is not one"),
    ] {
        let errors = refused(&server, arguments).await;
        assert!(errors.contains(reason), "{errors}");
    }
    let usage = users(&server, &["role", "ada@example.com", "root"]).await;
    assert_eq!(usage.status.code(), Some(2));
}

#[tokio::test]
async fn no_session_is_opened_or_kept_for_an_account_that_is_being_locked() {
    let server = server().await;
    let lockout = Lockout::new(server.app.core().config()).unwrap();
    for round in 0..8 {
        let email = format!("person-{round}@example.com");
        let person = register(&server, &email).await;
        let address = EmailAddress::parse(&email).unwrap();
        let now = server.clock.now();
        let lock = access::change_status(
            server.app.core().pool(),
            &lockout,
            DEFAULT_TENANT.parse().unwrap(),
            &address,
            StatusChange::Lock,
            |kind| Event::of_operator(now, &SystemEntropy, kind),
            now,
        );
        let logins = join_all((0..3).map(|_| try_login(&server, &email, PASSWORD)));
        let refreshes = join_all((0..3).map(|_| try_refresh(&server, &person.refresh)));
        let (locked, logins, refreshes) = tokio::join!(lock, logins, refreshes);
        assert!(matches!(locked, Ok(ChangedStatus::Changed { .. })));
        for answer in logins.into_iter().chain(refreshes) {
            if answer.status() == StatusCode::OK {
                let body = body_of(answer, StatusCode::OK).await;
                let (access, refresh) = (
                    text(&body, "/tokens/accessToken"),
                    text(&body, "/tokens/refreshToken"),
                );
                assert_refused(me(&server, &access).await, 401, "invalid_token").await;
                assert_refused(try_refresh(&server, &refresh).await, 401, "invalid_refresh_token").await;
            }
        }
        let live = "SELECT count(*) FROM sessions WHERE revoked_at IS NULL";
        assert_eq!(count(&server, live).await, 0);
    }
}
