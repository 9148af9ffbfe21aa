//! RFC 7662: what a service client is told about a token.

use portcullis_origin::kernel::secret_digest::SecretDigest;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::clients::{CLIENT, SECRET, ask, introspect, server};
use crate::common::TestServer;
use crate::fixtures::{
    DEFAULT_TENANT, Person, assert_refused, audit_trail, body_of, count, execute, me, refresh, register,
    try_refresh,
};

fn inactive() -> Value {
    json!({"active": false})
}

/// The token with each bit of one of its characters turned, where what comes of it is still text.
fn with_flipped_bits(token: &str) -> Vec<String> {
    (0..token.len())
        .step_by(7)
        .map(|at| {
            let mut bytes = token.as_bytes().to_vec();
            bytes[at] ^= 1 << (at % 6);
            String::from_utf8(bytes).unwrap()
        })
        .collect()
}

async fn introspect_at(server: &TestServer, tenant: &str, token: &str) -> Value {
    let answer = server
        .post("/oauth2/introspect")
        .header("x-tenant", tenant)
        .form(&[("client_id", CLIENT), ("client_secret", SECRET), ("token", token)])
        .send()
        .await
        .unwrap();
    body_of(answer, StatusCode::OK).await
}

#[tokio::test]
async fn a_good_access_token_is_active_with_its_claims() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let answer = ask(&server, "/oauth2/introspect", &person.access).await;
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let told = body_of(answer, StatusCode::OK).await;
    let verified = server
        .get("/auth/verify")
        .bearer_auth(&person.access)
        .send()
        .await
        .unwrap();
    let mut expected = body_of(verified, StatusCode::OK).await["claims"].clone();
    expected["active"] = json!(true);
    expected["token_type"] = json!("Bearer");
    assert_eq!(told, expected);
    assert_eq!(told["sub"], person.user_id);
    assert!(!told.to_string().contains("ada@example.com"));
}

#[tokio::test]
async fn an_active_refresh_token_says_whose_it_is_and_until_when() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let told = introspect(&server, &person.refresh).await;
    let issued = told["iat"].as_i64().unwrap();
    assert_eq!(
        told,
        json!({
            "active": true, "token_type": "refresh_token", "iss": "https://auth.example.com", "sub": person.user_id,
            "sid": person.session_id, "tenant_id": DEFAULT_TENANT, "client_id": "portcullis", "iat": issued,
            "exp": issued + 30 * 24 * 3600,
        })
    );
}

#[tokio::test]
async fn the_hint_is_only_a_hint() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    for token in [&person.access, &person.refresh] {
        for hint in ["access_token", "refresh_token", "saml2", ""] {
            let parameters = [
                ("client_id", CLIENT),
                ("client_secret", SECRET),
                ("token", token),
                ("token_type_hint", hint),
            ];
            let answer = server
                .post("/oauth2/introspect")
                .form(&parameters)
                .send()
                .await
                .unwrap();
            assert_eq!(body_of(answer, StatusCode::OK).await["active"], true, "{hint}");
        }
    }
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_inactive_and_nothing_else() {
    let (ours, theirs) = (server().await, server().await);
    let person = register(&ours, "ada@example.com").await;
    let stranger = register(&theirs, "ada@example.com").await;
    let mut bad: Vec<String> = [
        "x",
        "pcr_",
        "pcr_.0.",
        "a.b.c",
        "..",
        "eyJhbGciOiJub25lIn0.e30.",
        &"x".repeat(9_000),
    ]
    .map(str::to_owned)
    .into();
    for token in [&person.access, &person.refresh] {
        bad.extend(with_flipped_bits(token));
        bad.extend(
            (1..token.len())
                .step_by(13)
                .map(|length| token[..length].to_owned()),
        );
        bad.push(format!("{token}="));
        bad.push(format!(" {token}"));
    }
    bad.extend([stranger.access, stranger.refresh]);
    for token in bad {
        assert_eq!(introspect(&ours, &token).await, inactive(), "{token}");
    }
    for token in [&person.access, &person.refresh] {
        assert_eq!(introspect(&ours, token).await["active"], true);
    }
}

#[tokio::test]
async fn tokens_are_inactive_as_soon_as_they_are_good_for_nothing() {
    for end in [
        "UPDATE sessions SET revoked_at = now(), revoked_reason = 'logout'",
        "UPDATE users SET status = 'disabled'",
        "UPDATE users SET status = 'locked'",
        "UPDATE users SET deleted_at = now()",
        "DELETE FROM sessions",
    ] {
        let server = server().await;
        let person = register(&server, "ada@example.com").await;
        execute(&server, end).await;
        for token in [&person.access, &person.refresh] {
            assert_eq!(introspect(&server, token).await, inactive(), "{end}");
        }
    }
}

#[tokio::test]
async fn tokens_that_have_run_out_are_inactive() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::seconds(900 + 5));
    assert_eq!(introspect(&server, &person.access).await, inactive());
    assert_eq!(introspect(&server, &person.refresh).await["active"], true);
    server.clock.advance(TimeDelta::days(30));
    assert_eq!(introspect(&server, &person.refresh).await, inactive());
}

#[tokio::test]
async fn a_token_is_inactive_where_another_tenant_is_meant() {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES ('00000000-0000-0000-0000-00000000000b', 'other', 'Other', 'epoch')",
    )
    .await;
    let person = register(&server, "ada@example.com").await;
    for token in [&person.access, &person.refresh] {
        assert_eq!(introspect_at(&server, "default", token).await["active"], true);
        for tenant in ["other", "nowhere"] {
            assert_eq!(introspect_at(&server, tenant, token).await, inactive());
        }
    }
}

#[tokio::test]
async fn a_refresh_token_fits_the_chain_of_no_other_session() {
    // The rows of two sessions exchange their chains, as a mistake of an operator might: no token fits any more.
    let server = server().await;
    let (one, two) = (
        register(&server, "ada@example.com").await,
        register(&server, "bob@example.com").await,
    );
    execute(
        &server,
        "CREATE TEMPORARY TABLE swapped AS SELECT id, family_id FROM sessions;
         UPDATE sessions SET family_id = gen_random_uuid();
         UPDATE sessions SET family_id = swapped.family_id FROM swapped WHERE swapped.id <> sessions.id;",
    )
    .await;
    for person in [one, two] {
        assert_eq!(introspect(&server, &person.refresh).await, inactive());
    }
}

#[tokio::test]
async fn a_generation_that_was_never_given_out_is_inactive() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let successor = refresh(&server, &person.refresh).await;
    execute(&server, "UPDATE sessions SET generation = 0").await;
    assert_eq!(introspect(&server, &successor).await, inactive());
    assert_eq!(introspect(&server, &person.refresh).await["active"], true);
}

/// The chain of the only session, and whether it has ended.
async fn chain(server: &TestServer) -> (i64, bool) {
    sqlx::query_as("SELECT generation, revoked_at IS NOT NULL FROM sessions")
        .fetch_one(server.pool())
        .await
        .unwrap()
}

#[tokio::test]
async fn the_predecessor_is_active_for_as_long_as_it_would_be_answered() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let current = refresh(&server, &person.refresh).await;
    let told = introspect(&server, &person.refresh).await;
    assert_eq!(told["active"], true);
    assert_eq!(told.get("iat"), None);
    let rotated = introspect(&server, &current).await["iat"].as_i64().unwrap();
    assert_eq!(told["exp"], rotated + 60);
    server.clock.advance(TimeDelta::seconds(60));
    assert_eq!(introspect(&server, &person.refresh).await, inactive());
    assert_eq!(introspect(&server, &current).await["active"], true);
}

#[tokio::test]
async fn asking_about_an_old_generation_does_not_end_the_session() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let second = refresh(&server, &person.refresh).await;
    let third = refresh(&server, &second).await;
    let before = audit_trail(&server).await;
    for _ in 0..3 {
        assert_eq!(introspect(&server, &person.refresh).await, inactive());
    }
    assert_eq!(chain(&server).await, (2, false));
    assert_eq!(audit_trail(&server).await, before);
    assert_eq!(introspect(&server, &third).await["active"], true);
    refresh(&server, &third).await;
    // Presenting it is another matter.
    assert_refused(
        try_refresh(&server, &person.refresh).await,
        401,
        "refresh_token_reused",
    )
    .await;
}

#[tokio::test]
async fn asking_waits_for_no_lock() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let mut refreshing = server.app.core().pool().begin().await.unwrap();
    sqlx::query("SELECT id FROM sessions FOR UPDATE")
        .fetch_all(&mut *refreshing)
        .await
        .unwrap();
    for token in [&person.access, &person.refresh] {
        assert_eq!(introspect(&server, token).await["active"], true);
    }
    refreshing.rollback().await.unwrap();
}

#[tokio::test]
async fn asking_while_it_is_refreshed_sees_one_chain() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let asked = async {
        for _ in 0..20 {
            assert_eq!(introspect(&server, &person.refresh).await["active"], true);
        }
    };
    let refreshed = async {
        for _ in 0..20 {
            assert_eq!(
                try_refresh(&server, &person.refresh).await.status(),
                StatusCode::OK
            );
        }
    };
    tokio::join!(asked, refreshed);
    assert_eq!(chain(&server).await, (1, false));
}

#[tokio::test]
async fn asking_leaves_no_trace() {
    let server = server().await;
    let Person { access, refresh, .. } = register(&server, "ada@example.com").await;
    let before = count(&server, "SELECT count(*) FROM audit_events").await;
    for token in [access.as_str(), refresh.as_str(), "x"] {
        introspect(&server, token).await;
    }
    assert_eq!(count(&server, "SELECT count(*) FROM audit_events").await, before);
    assert_eq!(me(&server, &access).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn without_a_database_nothing_is_called_inactive() {
    let server = TestServer::start_on("postgres://nobody@127.0.0.1:1/nothing", |settings| {
        settings.insert(
            "PORTCULLIS__CLIENTS__API".into(),
            json!({"secret_sha256": SecretDigest::of(&SECRET.into()).to_hex()}).to_string(),
        );
    })
    .await;
    let token = "pcr_AAAAAAAAAAAAAAAAAAAAAA.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_refused(
        ask(&server, "/oauth2/introspect", token).await,
        503,
        "unavailable",
    )
    .await;
}
