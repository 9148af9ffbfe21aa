//! `GET /auth/account/export`: all that is stored about a person, for them.

use std::collections::BTreeSet;

use portcullis_origin::kernel::time::TimeDelta;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};

use crate::common::TestServer;
use crate::fixtures::{
    Person, assert_refused, audit_trail, body_of, count, execute, login, refresh, register, server,
    without_limits,
};

async fn ask(server: &TestServer, access: &str) -> Response {
    server
        .get("/auth/account/export")
        .bearer_auth(access)
        .send()
        .await
        .unwrap()
}

async fn export(server: &TestServer, person: &Person) -> Value {
    body_of(ask(server, &person.access).await, StatusCode::OK).await
}

/// Somebody about whom there is a row in every table that could hold one.
async fn well_known_person(server: &TestServer) -> Person {
    let person = register(server, "ada@example.com").await;
    execute(
        server,
        r#"UPDATE users SET phone = '+441234567', preferences = '{"theme": "dark"}';
           INSERT INTO venue_roles (id, tenant_id, user_id, venue_id, role, granter, granted_by, granted_at)
               SELECT '01890000-0000-7000-8000-000000000041', tenant_id, id,
                      '11111111-1111-7111-8111-111111111111', 'door-staff', 'account', id, created_at FROM users;
           INSERT INTO tickets (id, tenant_id, user_id, purpose, email, digest, issued_at, expires_at)
               SELECT '01890000-0000-7000-8000-000000000042', tenant_id, id, 'reset_password', email,
                      decode(repeat('c5', 32), 'hex'), created_at, created_at + interval '1 hour' FROM users;
           INSERT INTO device_keys (id, tenant_id, user_id, client_device, algorithm, public_key, kind, created_at)
               SELECT '01890000-0000-7000-8000-000000000045', tenant_id, id, 'telephone', 'ed25519',
                      decode(repeat('ca', 32), 'hex'), 'fingerprint', created_at FROM users;
           INSERT INTO totp_factors (id, tenant_id, user_id, sealed, master_key_id, created_at, enabled_at, last_step)
               SELECT '01890000-0000-7000-8000-000000000044', tenant_id, id, decode(repeat('c8', 52), 'hex'), '1', created_at,
                      created_at, 1 FROM users;
           INSERT INTO backup_codes (factor_id, tenant_id, user_id, digest, created_at)
               SELECT '01890000-0000-7000-8000-000000000044', tenant_id, id, decode(repeat('c9', 32), 'hex'), created_at
               FROM users;
           INSERT INTO sign_in_challenges (id, tenant_id, user_id, token_digest, device_digest, methods, issued_at, expires_at)
               SELECT '01890000-0000-7000-8000-000000000043', tenant_id, id, decode(repeat('c6', 32), 'hex'),
                      decode(repeat('c7', 32), 'hex'), '{email_code}',
                      created_at, created_at + interval '5 minutes' FROM users;"#,
    )
    .await;
    person
}

#[tokio::test]
async fn a_person_gets_what_is_stored_about_them() {
    let server = server().await;
    let person = well_known_person(&server).await;
    let answer = ask(&server, &person.access).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(
        answer.headers()["content-disposition"],
        "attachment; filename=\"account.json\""
    );
    assert_eq!(answer.headers()["content-type"], "application/json");
    let body = body_of(answer, StatusCode::OK).await;
    assert_eq!(body["format"], 1);
    assert_eq!(body["account"]["email"], "ada@example.com");
    assert_eq!(body["account"]["firstName"], "Ada");
    assert_eq!(body["account"]["phone"], "+441234567");
    assert_eq!(body["account"]["hasPassword"], true);
    assert_eq!(body["account"]["preferences"], json!({"theme": "dark"}));
    assert_eq!(body["sessions"]["items"][0]["id"], json!(person.session_id));
    assert_eq!(body["sessions"]["items"][0]["ipAddress"], "127.0.0.1");
    assert_eq!(body["sessions"]["complete"], true);
    for side in ["held", "given"] {
        assert_eq!(
            body["venueRoles"][side]["items"][0]["role"], "door-staff",
            "{side}"
        );
    }
    assert_eq!(body["tickets"][0]["purpose"], "reset_password");
    assert_eq!(body["signInChallenges"][0]["methods"], json!(["email_code"]));
    assert_eq!(body["totpFactors"][0]["lastStep"], 1);
    assert_eq!(body["auditEvents"]["items"][0]["ip"], "127.0.0.1");
}

#[tokio::test]
async fn nothing_in_it_opens_anything() {
    let server = server().await;
    let person = well_known_person(&server).await;
    let text = export(&server, &person).await.to_string();
    let pool = server.pool();
    let secrets: Vec<String> = sqlx::query_scalar(
        "SELECT password_hash FROM users
         UNION ALL SELECT family_id::text FROM sessions UNION ALL SELECT mac_key_id::text FROM sessions
         UNION ALL SELECT encode(digest, 'hex') FROM tickets UNION ALL SELECT encode(digest, 'base64') FROM tickets
         UNION ALL SELECT encode(token_digest, 'hex') FROM devices
         UNION ALL SELECT encode(token_digest, 'hex') FROM sign_in_challenges
         UNION ALL SELECT encode(sealed, 'hex') FROM totp_factors
         UNION ALL SELECT encode(digest, 'hex') FROM backup_codes
         UNION ALL SELECT encode(device_digest, 'hex') FROM sign_in_challenges",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert_eq!(secrets.len(), 10);
    for secret in secrets {
        assert!(!text.contains(secret.trim()), "{secret}");
    }
    assert!(!text.contains("argon2") && !text.contains("pcr_"), "{text}");
}

/// Tables with nothing to hand out, and why.
const NOT_ABOUT_A_PERSON: &[(&str, &str)] = &[
    ("tenants", "about whole populations"),
    ("secret_keys", "keys of the installation"),
    ("signing_keys", "keys of the installation"),
    ("key_set", "a counter"),
    ("revocation_state", "a counter"),
    ("audit_chains", "hashes over everybody's events"),
    ("audit_links", "hashes of events, which are handed out themselves"),
    (
        "revocations",
        "identifiers alone, for the life of an access token; what led there is among the events",
    ),
    (
        "spent_challenges",
        "names nobody, for five minutes; what was signed is among the events",
    ),
    (
        "login_failures",
        "names nobody, for a window or a lock; what led there is among the events",
    ),
    (
        "reset_requests",
        "gone as soon as a job has looked whose address it is; until then it is nobody's",
    ),
];

/// Where in an export a row of each table is.
const HANDED_OUT: &[(&str, &str)] = &[
    ("users", "/account"),
    ("sessions", "/sessions/items/0"),
    ("venue_roles", "/venueRoles/held/items/0"),
    ("devices", "/devices/0"),
    ("tickets", "/tickets/0"),
    ("sign_in_challenges", "/signInChallenges/0"),
    ("device_keys", "/deviceKeys/0"),
    ("totp_factors", "/totpFactors/0"),
    ("backup_codes", "/backupCodes/0"),
    ("audit_events", "/auditEvents/items/0"),
];

/// Columns that have another name in an export.
const RENAMED: &[(&str, &str)] = &[
    ("users.password_hash", "hasPassword"),
    ("audit_events.occurred_at", "at"),
    ("audit_events.actor_id", "actor"),
    ("audit_events.subject_id", "subject"),
    ("audit_events.ip_address", "ip"),
];

/// Columns that are left out, and why.
const LEFT_OUT: &[(&str, &str)] = &[
    ("users.deleted_at", "only of accounts that can ask for nothing"),
    ("users.deleted_by", "only of accounts that can ask for nothing"),
    (
        "users.deletion_reason",
        "only of accounts that can ask for nothing",
    ),
    ("sessions.tenant_id", "the account's"),
    ("sessions.user_id", "the account's"),
    ("sessions.family_id", "part of every refresh token"),
    ("sessions.generation", "part of every refresh token"),
    ("sessions.mac_key_id", "names a key"),
    ("devices.tenant_id", "the account's"),
    ("devices.user_id", "the account's"),
    ("devices.token_digest", "of a secret"),
    ("venue_roles.tenant_id", "the account's"),
    ("tickets.tenant_id", "the account's"),
    ("tickets.user_id", "the account's"),
    ("tickets.digest", "of a secret"),
    ("device_keys.tenant_id", "the account's"),
    ("device_keys.user_id", "the account's"),
    ("totp_factors.tenant_id", "the account's"),
    ("totp_factors.user_id", "the account's"),
    ("totp_factors.sealed", "secrets"),
    ("totp_factors.master_key_id", "names a key"),
    ("backup_codes.tenant_id", "the account's"),
    ("backup_codes.user_id", "the account's"),
    ("backup_codes.digest", "of a secret"),
    ("sign_in_challenges.tenant_id", "the account's"),
    ("sign_in_challenges.user_id", "the account's"),
    ("sign_in_challenges.token_digest", "of a secret"),
    ("sign_in_challenges.device_digest", "of a secret"),
    ("audit_events.seq", "counts everybody's events"),
    ("audit_events.salt", "random"),
    ("audit_events.origin", "a hash of what is handed out"),
];

fn camel_case(column: &str) -> String {
    let mut words = column.split('_');
    let first = words.next().unwrap().to_owned();
    words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
}

#[tokio::test]
async fn every_column_is_handed_out_or_left_out_for_a_reason() {
    let server = server().await;
    let person = well_known_person(&server).await;
    let export = export(&server, &person).await;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT table_name::text, column_name::text FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> '_sqlx_migrations'",
    )
    .fetch_all(server.pool())
    .await
    .unwrap();
    let value_of = |list: &[(&str, &'static str)], name: &str| {
        list.iter()
            .find(|(entry, _)| *entry == name)
            .map(|(_, value)| *value)
    };
    let mut forgotten = Vec::new();
    let mut seen = BTreeSet::new();
    for (table, column) in &columns {
        let name = format!("{table}.{column}");
        seen.extend([table.clone(), name.clone()]);
        let is_excused = value_of(NOT_ABOUT_A_PERSON, table)
            .or(value_of(LEFT_OUT, &name))
            .is_some();
        let member = value_of(RENAMED, &name).map_or_else(|| camel_case(column), str::to_owned);
        let is_there = value_of(HANDED_OUT, table)
            .map(|place| {
                export
                    .pointer(place)
                    .unwrap_or_else(|| panic!("{place} is empty"))
            })
            .is_some_and(|row| row.get(&member).is_some());
        if is_excused == is_there {
            forgotten.push(name);
        }
    }
    assert!(
        forgotten.is_empty(),
        "neither handed out nor left out, or both: {forgotten:?}"
    );
    let listed = [NOT_ABOUT_A_PERSON, HANDED_OUT, RENAMED, LEFT_OUT].concat();
    let gone: Vec<&str> = listed
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| !seen.contains(*name))
        .collect();
    assert!(gone.is_empty(), "listed, but not in the database: {gone:?}");
}

#[tokio::test]
async fn nobody_gets_what_is_about_somebody_else() {
    let server = server().await;
    well_known_person(&server).await;
    let other = register(&server, "eve@example.com").await;
    let text = export(&server, &other).await;
    assert_eq!(text["sessions"]["items"].as_array().unwrap().len(), 1);
    assert_eq!(text["venueRoles"]["held"]["items"], json!([]));
    assert_eq!(text["venueRoles"]["given"]["items"], json!([]));
    assert_eq!(text["devices"].as_array().unwrap().len(), 1);
    assert_eq!(text["tickets"], json!([]));
    assert_eq!(text["signInChallenges"], json!([]));
    assert_eq!(text["totpFactors"], json!([]));
    assert_eq!(text["deviceKeys"], json!([]));
    assert_eq!(text["backupCodes"], json!([]));
    assert!(!text.to_string().contains("ada@example.com"));
}

#[tokio::test]
async fn where_another_account_acted_from_stays_unsaid() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    execute(
        &server,
        "INSERT INTO audit_events (id, tenant_id, type, actor_id, subject_id, ip_address, user_agent, occurred_at)
             SELECT '01890000-0000-7000-8000-000000000043', tenant_id, 'venue_role_granted',
                    '01890000-0000-7000-8000-000000000044', id, '192.0.2.1', 'a program', created_at FROM users;
         INSERT INTO audit_events (id, tenant_id, type, subject_id, ip_address, user_agent, occurred_at)
             SELECT '01890000-0000-7000-8000-000000000045', tenant_id, 'login_failed',
                    id, '192.0.2.2', 'a guesser', created_at FROM users;",
    )
    .await;
    let export = export(&server, &person).await;
    let [failed, granted] = [0, 1].map(|at| &export["auditEvents"]["items"][at]);
    assert_eq!(granted["type"], "venue_role_granted");
    assert_eq!(granted["actor"], "01890000-0000-7000-8000-000000000044");
    assert_eq!([&granted["ip"], &granted["userAgent"]], [&Value::Null; 2]);
    assert_eq!(failed["type"], "login_failed");
    assert_eq!(
        failed["ip"], "192.0.2.2",
        "who tries to get in is its holder's business"
    );
}

#[tokio::test]
async fn an_export_wants_a_sign_in_within_five_minutes() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::seconds(299));
    export(&server, &person).await;
    server.clock.advance(TimeDelta::seconds(2));
    let answer = ask(&server, &person.access).await;
    assert_eq!(
        answer.headers()["www-authenticate"],
        "Bearer error=\"insufficient_user_authentication\", max_age=300"
    );
    assert_refused(answer, 401, "step_up_required").await;

    // A refresh proves nothing anew.
    let answer = server
        .post("/auth/refresh")
        .json(&json!({"refreshToken": person.refresh}))
        .send()
        .await
        .unwrap();
    let refreshed = body_of(answer, StatusCode::OK).await;
    let access = refreshed["tokens"]["accessToken"].as_str().unwrap();
    assert_refused(ask(&server, access).await, 401, "step_up_required").await;

    export(&server, &login(&server, "ada@example.com").await).await;
}

#[tokio::test]
async fn who_is_not_signed_in_gets_nothing() {
    let server = server().await;
    let answer = server.get("/auth/account/export").send().await.unwrap();
    assert_refused(answer, 401, "invalid_token").await;
    let person = register(&server, "ada@example.com").await;
    execute(&server, "UPDATE users SET deleted_at = now()").await;
    assert_refused(ask(&server, &person.access).await, 401, "invalid_token").await;
}

#[tokio::test]
async fn the_fourth_export_in_an_hour_has_to_wait() {
    let server = TestServer::start_with(|settings| {
        without_limits(settings);
        settings.remove("PORTCULLIS__LIMITS__ACCOUNT_EXPORTS_PER_HOUR");
    })
    .await;
    let person = register(&server, "ada@example.com").await;
    for _ in 0..3 {
        export(&server, &person).await;
    }
    let answer = ask(&server, &person.access).await;
    assert!(answer.headers().contains_key("retry-after"));
    assert_refused(answer, 429, "rate_limited").await;
    export(&server, &register(&server, "eve@example.com").await).await;
}

#[tokio::test]
async fn the_log_tells_of_each_export() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    let first = export(&server, &person).await;
    assert!(!first.to_string().contains("account_exported"));
    assert_eq!(audit_trail(&server).await.last().unwrap(), "account_exported");
    let second = export(&server, &person).await;
    let event = &second["auditEvents"]["items"][0];
    assert_eq!(event["type"], "account_exported");
    assert_eq!(event["actor"], json!(person.user_id));
    assert_eq!(event["sessionId"], json!(person.session_id));
}

#[tokio::test]
async fn nothing_is_handed_out_that_the_log_cannot_tell_of() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    execute(
        &server,
        "ALTER TABLE audit_events ADD CONSTRAINT audit_events_full_check CHECK (type <> 'account_exported')",
    )
    .await;
    let body = assert_refused(ask(&server, &person.access).await, 500, "internal_error").await;
    assert!(!body.to_string().contains("ada@example.com"));
}

#[tokio::test]
async fn a_list_that_is_too_long_is_cut_and_says_so() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    execute(
        &server,
        "INSERT INTO audit_events (id, tenant_id, type, subject_id, occurred_at)
             SELECT gen_random_uuid(), tenant_id, 'login_failed', id, created_at FROM users, generate_series(1, 5000)",
    )
    .await;
    let export = export(&server, &person).await;
    assert_eq!(export["auditEvents"]["items"].as_array().unwrap().len(), 5000);
    assert_eq!(export["auditEvents"]["complete"], false);
    assert_eq!(export["sessions"]["complete"], true);
}

#[tokio::test]
async fn sessions_that_have_ended_are_part_of_it() {
    let server = server().await;
    let person = register(&server, "ada@example.com").await;
    server.clock.advance(TimeDelta::seconds(1));
    let current = login(&server, "ada@example.com").await;
    refresh(&server, &person.refresh).await;
    let answer = server
        .post("/auth/logout")
        .bearer_auth(&person.access)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    let export = export(&server, &current).await;
    let sessions = &export["sessions"]["items"];
    assert_eq!(sessions[0]["revokedAt"], Value::Null);
    assert_eq!(sessions[1]["revokedReason"], "logout");
    assert_eq!(count(&server, "SELECT count(*) FROM sessions").await, 2);
}
