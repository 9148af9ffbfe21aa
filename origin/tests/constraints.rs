//! Each constraint of the schema, provoked by a statement that breaks it and nothing else.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgConnection};

use crate::common::TestDatabase;

/// Two tenants, a user in each, a session, and a key of each sort.
const ROWS: &str = "
INSERT INTO tenants VALUES ('00000000-0000-0000-0000-00000000000b', 'other', 'Other', 'epoch');
INSERT INTO users (id, tenant_id, email, first_name, last_name, created_at, updated_at) VALUES
    ('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-000000000001', 'ada@example.com', 'A', 'L', 'epoch', 'epoch'),
    ('00000000-0000-0000-0000-0000000000b1', '00000000-0000-0000-0000-00000000000b', 'ada@example.com', 'A', 'L', 'epoch', 'epoch');
INSERT INTO secret_keys VALUES
    ('00000000-0000-0000-0000-0000000000c1', 'refresh_token', 'active', '\\x00', '1', 'epoch');
INSERT INTO tickets VALUES
    ('00000000-0000-0000-0000-0000000000ca', '00000000-0000-0000-0000-000000000001',
     '00000000-0000-0000-0000-0000000000a1', 'verify_email', 'a@example.com', decode(repeat('ab', 32), 'hex'), 'epoch', 'now');
INSERT INTO sign_in_challenges VALUES
    ('00000000-0000-0000-0000-0000000000cc', '00000000-0000-0000-0000-000000000001',
     '00000000-0000-0000-0000-0000000000a1', decode(repeat('ab', 32), 'hex'), decode(repeat('ab', 32), 'hex'),
     '{email_code}', 0, 'epoch', 'now');
INSERT INTO totp_factors VALUES
    ('00000000-0000-0000-0000-0000000000cd', '00000000-0000-0000-0000-000000000001',
     '00000000-0000-0000-0000-0000000000a1', '\\x00', '1', 'epoch', NULL, 'epoch', 1);
INSERT INTO spent_challenges VALUES (decode(repeat('ab', 32), 'hex'), 'epoch');
INSERT INTO backup_codes VALUES
    ('00000000-0000-0000-0000-0000000000cd', '00000000-0000-0000-0000-000000000001',
     '00000000-0000-0000-0000-0000000000a1', decode(repeat('ab', 32), 'hex'), 'epoch');
INSERT INTO login_failures VALUES
    (decode(repeat('ab', 32), 'hex'), 'client', NULL, NULL, '{}', NULL, 'epoch');
INSERT INTO reset_requests VALUES
    ('00000000-0000-0000-0000-0000000000cb', '00000000-0000-0000-0000-000000000001', 'a@example.com', 'epoch');
INSERT INTO signing_keys (kid, state, modulus, exponent, private_sealed, master_key_id, created_at, activated_at)
    VALUES ('first', 'active', decode(repeat('ff', 256), 'hex'), '\\x010001', '\\x00', '1', 'epoch', 'epoch');
INSERT INTO sessions (id, tenant_id, user_id, family_id, mac_key_id, created_at, rotated_at, last_active_at,
                      idle_expires_at, absolute_expires_at, auth_time, amr, acr) VALUES
    ('00000000-0000-0000-0000-0000000000d1', '00000000-0000-0000-0000-000000000001',
     '00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-0000000000e1',
     '00000000-0000-0000-0000-0000000000c1', 'epoch', 'epoch', 'epoch', 'epoch', 'epoch', 'epoch', '{pwd}', 'aal1');
INSERT INTO devices VALUES
    ('00000000-0000-0000-0000-0000000000d2', '00000000-0000-0000-0000-000000000001',
     '00000000-0000-0000-0000-0000000000a1', decode(repeat('cd', 32), 'hex'), NULL, 'epoch', 'epoch');
INSERT INTO device_keys VALUES
    ('00000000-0000-0000-0000-0000000000ce', '00000000-0000-0000-0000-000000000001',
     '00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-0000000000d2', 'telephone', 'ed25519',
     decode(repeat('ab', 32), 'hex'), 'faceId', 'epoch', NULL);
INSERT INTO audit_events (id, type, occurred_at) VALUES ('00000000-0000-0000-0000-0000000000f1', 'logged_in', 'epoch');
INSERT INTO revocations VALUES
    (1, '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-0000000000d1', NULL, NULL, 'epoch');
INSERT INTO venue_roles VALUES
    ('00000000-0000-0000-0000-0000000000aa', '00000000-0000-0000-0000-000000000001',
     '00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-0000000000ab', 'venue-owner', 'operator', NULL,
     'epoch', NULL);
INSERT INTO signing_keys (kid, state, modulus, exponent, private_sealed, master_key_id, created_at)
    VALUES ('waiting', 'next', decode(repeat('ff', 256), 'hex'), '\\x010001', '\\x00', '1', 'epoch');
";

const TENANT: &str = "INSERT INTO tenants (id, slug, name, created_at) VALUES";
const USER: &str =
    "INSERT INTO users (id, tenant_id, email, first_name, last_name, created_at, updated_at) VALUES";
const SIGNING_KEY: &str = "INSERT INTO signing_keys
    (kid, state, modulus, exponent, private_sealed, master_key_id, created_at, activated_at) VALUES";
const SECRET_KEY: &str = "INSERT INTO secret_keys VALUES";
const EVENT: &str = "INSERT INTO audit_events (id, type, occurred_at) VALUES";
const SESSION_COPY: &str = "INSERT INTO sessions SELECT";

/// What breaks, and how.
type Case = (&'static str, String);

fn cases() -> Vec<Case> {
    [
        people(),
        keys(),
        sessions(),
        devices(),
        events(),
        revocations(),
        venue_roles(),
        recovery(),
        challenges(),
        factors(),
        device_keys(),
        login_failures(),
    ]
    .concat()
}

/// `login_failures`.
fn login_failures() -> Vec<Case> {
    let failures = |set: &str| format!("UPDATE login_failures SET {set}");
    let of_tenant = |tenant: &str| format!("kind = 'account', account = key, tenant_id = '{tenant}'");
    vec![
        (
            "login_failures_pkey",
            "INSERT INTO login_failures SELECT * FROM login_failures".to_owned(),
        ),
        (
            "login_failures_tenant_id_fkey",
            failures(&of_tenant("00000000-0000-0000-0000-0000000000ff")),
        ),
        ("login_failures_key_length_check", failures("key = '\\x00'")),
        (
            "login_failures_account_length_check",
            failures(&of_tenant("00000000-0000-0000-0000-000000000001").replace("= key", "= '\\x00'")),
        ),
        (
            "login_failures_kind_check",
            failures(&of_tenant("00000000-0000-0000-0000-000000000001").replace("'account'", "'other'")),
        ),
        ("login_failures_owner_check", failures("kind = 'account'")),
        (
            "login_failures_failed_at_check",
            failures("failed_at = array_fill('epoch'::timestamptz, '{1001}')"),
        ),
        (
            "login_failures_locked_until_check",
            failures("locked_until = 'epoch', failed_at = '{epoch}'"),
        ),
    ]
}

/// `tenants` and `users`.
fn people() -> Vec<Case> {
    let users =
        |set: &str| format!("UPDATE users SET {set} WHERE id = '00000000-0000-0000-0000-0000000000a1'");
    vec![
        ("tenants_pkey", format!("{TENANT} ('00000000-0000-0000-0000-000000000001', 'new', 'N', 'epoch')")),
        ("tenants_slug_key", format!("{TENANT} (gen_random_uuid(), 'default', 'N', 'epoch')")),
        ("tenants_slug_format_check", format!("{TENANT} (gen_random_uuid(), 'Not A Label', 'N', 'epoch')")),
        ("tenants_name_length_check", format!("{TENANT} (gen_random_uuid(), 'new', '', 'epoch')")),
        (
            "users_pkey",
            format!(
                "{USER} ('00000000-0000-0000-0000-0000000000a1', '00000000-0000-0000-0000-00000000000b',
                 'new@example.com', 'A', 'L', 'epoch', 'epoch')"
            ),
        ),
        (
            "users_tenant_id_email_key",
            format!(
                "{USER} (gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'ada@example.com', 'A', 'L',
                 'epoch', 'epoch')"
            ),
        ),
        (
            "users_tenant_id_fkey",
            format!("{USER} (gen_random_uuid(), gen_random_uuid(), 'new@example.com', 'A', 'L', 'epoch', 'epoch')"),
        ),
        (
            "users_deleted_by_fkey",
            users("deleted_at = 'epoch', deleted_by = '00000000-0000-0000-0000-0000000000b1'"),
        ),
        ("users_email_format_check", users("email = 'Ada@example.com'")),
        ("users_email_length_check", users("email = 'a@'")),
        ("users_first_name_length_check", users("first_name = ''")),
        ("users_last_name_length_check", users("last_name = repeat('x', 101)")),
        ("users_phone_format_check", users("phone = '0151'")),
        ("users_phone_verified_check", users("phone_verified = true")),
        ("users_role_check", users("role = 'root'")),
        ("users_status_check", users("status = 'sleeping'")),
        ("users_kyc_status_check", users("kyc_status = 'maybe'")),
        ("users_kyc_level_check", users("kyc_level = -1")),
        ("users_preferences_check", users("preferences = '[]'")),
        ("users_version_check", users("version = 0")),
        ("users_deletion_check", users("deletion_reason = 'none'")),
    ]
}

/// `secret_keys`, `signing_keys` and `key_set`.
fn keys() -> Vec<Case> {
    let signing_keys = |set: &str| format!("UPDATE signing_keys SET {set} WHERE kid = 'first'");
    let key_set = |set: &str| format!("UPDATE key_set SET {set}");
    vec![
        (
            "secret_keys_pkey",
            format!(
                "{SECRET_KEY} ('00000000-0000-0000-0000-0000000000c1', 'refresh_token', 'retired', '', '1', 'epoch')"
            ),
        ),
        (
            "secret_keys_active_key",
            format!("{SECRET_KEY} (gen_random_uuid(), 'refresh_token', 'active', '', '1', 'epoch')"),
        ),
        (
            "secret_keys_purpose_check",
            format!("{SECRET_KEY} (gen_random_uuid(), 'other', 'retired', '', '1', 'epoch')"),
        ),
        (
            "secret_keys_state_check",
            format!("{SECRET_KEY} (gen_random_uuid(), 'refresh_token', 'new', '', '1', 'epoch')"),
        ),
        (
            "secret_keys_master_key_id_check",
            format!("{SECRET_KEY} (gen_random_uuid(), 'refresh_token', 'retired', '', '', 'epoch')"),
        ),
        (
            "signing_keys_pkey",
            format!(
                "{SIGNING_KEY} ('first', 'next', decode(repeat('ff', 256), 'hex'), '\\x010001', '', '1', 'epoch', NULL)"
            ),
        ),
        (
            "signing_keys_active_key",
            format!(
                "{SIGNING_KEY} ('second', 'active', decode(repeat('ff', 256), 'hex'), '\\x010001', '', '1', 'epoch', 'epoch')"
            ),
        ),
        (
            "signing_keys_next_key",
            format!(
                "{SIGNING_KEY} ('second', 'next', decode(repeat('ff', 256), 'hex'), '\\x010001', '', '1', 'epoch', NULL)"
            ),
        ),
        (
            "key_set_pkey",
            "INSERT INTO key_set (version, minimum_version) VALUES (1, 0)".to_owned(),
        ),
        (
            "key_set_id_check",
            "INSERT INTO key_set VALUES (2, 1, 0)".to_owned(),
        ),
        ("key_set_version_check", key_set("version = 0")),
        (
            "key_set_minimum_version_check",
            key_set("minimum_version = version + 1"),
        ),
        ("signing_keys_kid_format_check", signing_keys("kid = 'a b'")),
        (
            "signing_keys_state_check",
            signing_keys("state = 'lost', retired_at = 'epoch'"),
        ),
        ("signing_keys_modulus_check", signing_keys("modulus = '\\xff'")),
        ("signing_keys_exponent_check", signing_keys("exponent = '\\x03'")),
        (
            "signing_keys_private_check",
            signing_keys("private_sealed = NULL, master_key_id = NULL"),
        ),
        (
            "signing_keys_master_key_id_check",
            signing_keys("master_key_id = NULL"),
        ),
        (
            "signing_keys_activated_at_check",
            signing_keys("activated_at = NULL"),
        ),
        (
            "signing_keys_retired_at_check",
            signing_keys("retired_at = 'epoch'"),
        ),
        ("signing_keys_retired_check", signing_keys("state = 'retired'")),
        (
            "signing_keys_publish_until_check",
            signing_keys("publish_until = 'epoch'"),
        ),
        (
            "signing_keys_removed_at_check",
            signing_keys("removed_at = 'epoch'"),
        ),
    ]
}

/// `sessions`.
fn sessions() -> Vec<Case> {
    let sessions = |set: &str| format!("UPDATE sessions SET {set}");
    let session_copy = |id: &str, family: &str| {
        format!(
            "{SESSION_COPY} '{id}', tenant_id, user_id, '{family}', generation, mac_key_id, created_at, rotated_at,
             last_active_at, idle_expires_at, absolute_expires_at, revoked_at, revoked_reason, auth_time, amr, acr
             FROM sessions"
        )
    };
    vec![
        (
            "sessions_pkey",
            session_copy(
                "00000000-0000-0000-0000-0000000000d1",
                "00000000-0000-0000-0000-0000000000e2",
            ),
        ),
        (
            "sessions_family_id_key",
            session_copy(
                "00000000-0000-0000-0000-0000000000d2",
                "00000000-0000-0000-0000-0000000000e1",
            ),
        ),
        (
            "sessions_user_id_fkey",
            sessions("user_id = '00000000-0000-0000-0000-0000000000b1'"),
        ),
        (
            "sessions_mac_key_id_fkey",
            sessions("mac_key_id = gen_random_uuid()"),
        ),
        ("sessions_generation_check", sessions("generation = -1")),
        (
            "sessions_idle_expiry_check",
            sessions("idle_expires_at = absolute_expires_at + interval '1 second'"),
        ),
        ("sessions_revoked_check", sessions("revoked_at = 'epoch'")),
        (
            "sessions_revoked_reason_check",
            sessions("revoked_at = 'epoch', revoked_reason = 'whim'"),
        ),
        ("sessions_amr_check", sessions("amr = '{}'")),
        ("sessions_acr_check", sessions("acr = 'aal9'")),
        (
            "sessions_user_agent_length_check",
            sessions("user_agent = repeat('x', 513)"),
        ),
        ("sessions_device_name_length_check", sessions("device_name = ''")),
    ]
}

/// `audit_events`, `audit_chains` and `audit_links`.
fn events() -> Vec<Case> {
    vec![
        (
            "audit_events_pkey",
            format!("{EVENT} ('00000000-0000-0000-0000-0000000000f1', 'logged_in', 'epoch')"),
        ),
        (
            "audit_events_tenant_id_fkey",
            "INSERT INTO audit_events (id, tenant_id, type, occurred_at)
             VALUES (gen_random_uuid(), gen_random_uuid(), 'logged_in', 'epoch')"
                .to_owned(),
        ),
        (
            "audit_events_type_check",
            format!("{EVENT} (gen_random_uuid(), 'Logged In', 'epoch')"),
        ),
        (
            "audit_events_user_agent_length_check",
            "INSERT INTO audit_events (id, user_agent, type, occurred_at)
             VALUES (gen_random_uuid(), repeat('x', 513), 'logged_in', 'epoch')"
                .to_owned(),
        ),
        (
            "audit_events_request_id_length_check",
            "INSERT INTO audit_events (id, request_id, type, occurred_at)
             VALUES (gen_random_uuid(), repeat('x', 65), 'logged_in', 'epoch')"
                .to_owned(),
        ),
        (
            "audit_events_detail_check",
            "INSERT INTO audit_events (id, detail, type, occurred_at)
             VALUES (gen_random_uuid(), '[]', 'logged_in', 'epoch')"
                .to_owned(),
        ),
        (
            "audit_chains_pkey",
            "INSERT INTO audit_chains SELECT * FROM audit_chains".to_owned(),
        ),
        (
            "audit_chains_tenant_id_fkey",
            "INSERT INTO audit_chains (id, tenant_id) SELECT id, id FROM gen_random_uuid() AS id".to_owned(),
        ),
        (
            "audit_chains_id_check",
            "INSERT INTO audit_chains (id) VALUES (gen_random_uuid())".to_owned(),
        ),
        (
            "audit_chains_position_check",
            "UPDATE audit_chains SET removed_position = position + 1".to_owned(),
        ),
        (
            "audit_links_pkey",
            "INSERT INTO audit_links SELECT * FROM audit_links".to_owned(),
        ),
        (
            "audit_links_position_check",
            "INSERT INTO audit_links
             SELECT chain_id, 0, event_id, occurred_at, linked_at, digest, prev_hash, hash FROM audit_links"
                .to_owned(),
        ),
    ]
}

/// `revocation_state` and `revocations`.
fn revocations() -> Vec<Case> {
    let revocations = |set: &str| format!("UPDATE revocations SET {set}");
    let state = |set: &str| format!("UPDATE revocation_state SET {set}");
    vec![
        (
            "revocation_state_pkey",
            "INSERT INTO revocation_state (epoch, seq) VALUES (1, 0)".to_owned(),
        ),
        ("revocation_state_singleton_check", state("singleton = false")),
        ("revocation_state_epoch_check", state("epoch = -1")),
        ("revocation_state_seq_check", state("seq = -1")),
        (
            "revocations_pkey",
            "INSERT INTO revocations SELECT * FROM revocations".to_owned(),
        ),
        (
            "revocations_tenant_id_fkey",
            revocations("tenant_id = gen_random_uuid()"),
        ),
        ("revocations_seq_check", revocations("seq = 0")),
        ("revocations_about_check", revocations("session_id = NULL")),
        (
            "revocations_not_before_check",
            revocations("not_before = 'epoch'"),
        ),
    ]
}

/// `devices`.
fn devices() -> Vec<Case> {
    let devices = |set: &str| format!("UPDATE devices SET {set}");
    let other = "'00000000-0000-0000-0000-0000000000d3'";
    let copy = |id: &str, digest: &str| {
        format!(
            "INSERT INTO devices SELECT {id}, tenant_id, user_id, {digest}, kind, first_seen_at, last_seen_at
             FROM devices"
        )
    };
    vec![
        ("devices_pkey", copy("id", "sha256('')")),
        (
            "devices_tenant_id_token_digest_user_id_key",
            copy(other, "token_digest"),
        ),
        (
            "devices_user_id_fkey",
            format!(
                "DELETE FROM device_keys; {}",
                devices("user_id = '00000000-0000-0000-0000-0000000000b1'")
            ),
        ),
        (
            "devices_token_digest_length_check",
            devices("token_digest = '\\x00'"),
        ),
        ("devices_kind_length_check", devices("kind = ''")),
        ("devices_last_seen_at_check", devices("first_seen_at = 'now'")),
        (
            "sessions_device_id_fkey",
            "UPDATE sessions SET device_id = gen_random_uuid()".to_owned(),
        ),
    ]
}

/// `venue_roles`.
fn venue_roles() -> Vec<Case> {
    let roles = |set: &str| format!("UPDATE venue_roles SET {set}");
    let of_another_tenant = "'00000000-0000-0000-0000-0000000000b1'";
    vec![
        (
            "venue_roles_pkey",
            "INSERT INTO venue_roles SELECT id, tenant_id, user_id, gen_random_uuid(), role, granter, granted_by,
                                            granted_at FROM venue_roles"
                .to_owned(),
        ),
        (
            "venue_roles_tenant_id_user_id_venue_id_role_key",
            "INSERT INTO venue_roles SELECT gen_random_uuid(), tenant_id, user_id, venue_id, role, granter, granted_by,
                                            granted_at FROM venue_roles"
                .to_owned(),
        ),
        (
            "venue_roles_user_id_fkey",
            roles(&format!("user_id = {of_another_tenant}")),
        ),
        (
            "venue_roles_granted_by_fkey",
            roles(&format!("granter = 'account', granted_by = {of_another_tenant}")),
        ),
        ("venue_roles_role_check", roles("role = 'customer'")),
        ("venue_roles_granter_check", roles("granter = 'nobody'")),
        (
            "venue_roles_granted_by_check",
            roles("granted_by = user_id"),
        ),
        ("venue_roles_expires_at_check", roles("expires_at = granted_at")),
    ]
}

/// `tickets` and `reset_requests`.
fn recovery() -> Vec<Case> {
    let tickets = |set: &str| format!("UPDATE tickets SET {set}");
    let other = |columns: &str| {
        format!("INSERT INTO tickets SELECT {columns}, email, digest, issued_at, expires_at FROM tickets")
    };
    vec![
        ("tickets_pkey", other("id, tenant_id, user_id, 'reset_password'")),
        (
            "tickets_tenant_id_user_id_purpose_key",
            other("gen_random_uuid(), tenant_id, user_id, purpose"),
        ),
        (
            "tickets_digest_key",
            other("gen_random_uuid(), tenant_id, user_id, 'reset_password'"),
        ),
        (
            "tickets_user_id_fkey",
            tickets("user_id = '00000000-0000-0000-0000-0000000000b1'"),
        ),
        ("tickets_purpose_check", tickets("purpose = 'login'")),
        ("tickets_digest_length_check", tickets("digest = '\\x00'")),
        ("tickets_expires_at_check", tickets("expires_at = issued_at")),
        (
            "reset_requests_pkey",
            "INSERT INTO reset_requests SELECT * FROM reset_requests".to_owned(),
        ),
        (
            "reset_requests_tenant_id_fkey",
            "UPDATE reset_requests SET tenant_id = gen_random_uuid()".to_owned(),
        ),
        (
            "reset_requests_email_length_check",
            "UPDATE reset_requests SET email = 'a@'".to_owned(),
        ),
    ]
}

/// `sign_in_challenges`.
fn challenges() -> Vec<Case> {
    let challenges = |set: &str| format!("UPDATE sign_in_challenges SET {set}");
    let other = |columns: &str| {
        format!(
            "INSERT INTO sign_in_challenges
             SELECT {columns}, device_digest, methods, failures, issued_at, expires_at, amr FROM sign_in_challenges"
        )
    };
    vec![
        (
            "sign_in_challenges_pkey",
            other("id, tenant_id, user_id, decode(repeat('cd', 32), 'hex')"),
        ),
        (
            "sign_in_challenges_token_digest_key",
            other("gen_random_uuid(), tenant_id, user_id, token_digest"),
        ),
        (
            "sign_in_challenges_user_id_fkey",
            challenges("user_id = '00000000-0000-0000-0000-0000000000b1'"),
        ),
        (
            "sign_in_challenges_token_digest_length_check",
            challenges("token_digest = '\\x00'"),
        ),
        (
            "sign_in_challenges_device_digest_length_check",
            challenges("device_digest = '\\x00'"),
        ),
        (
            "sign_in_challenges_methods_check",
            challenges("methods = '{smoke}'"),
        ),
        ("sign_in_challenges_methods_check", challenges("methods = '{}'")),
        ("sign_in_challenges_failures_check", challenges("failures = 5")),
        (
            "sign_in_challenges_expires_at_check",
            challenges("expires_at = issued_at"),
        ),
    ]
}

/// `totp_factors` and `backup_codes`.
fn factors() -> Vec<Case> {
    let factors = |set: &str| format!("UPDATE totp_factors SET {set}");
    let other = |columns: &str| {
        format!(
            "INSERT INTO totp_factors
             SELECT {columns}, sealed, master_key_id, created_at, pending_until, enabled_at, last_step FROM totp_factors"
        )
    };
    vec![
        (
            "totp_factors_pkey",
            other("id, '00000000-0000-0000-0000-00000000000b', '00000000-0000-0000-0000-0000000000b1'"),
        ),
        (
            "totp_factors_tenant_id_user_id_key",
            other("gen_random_uuid(), tenant_id, user_id"),
        ),
        (
            "totp_factors_user_id_fkey",
            "DELETE FROM backup_codes; UPDATE totp_factors SET user_id = '00000000-0000-0000-0000-0000000000b1'".to_owned(),
        ),
        ("totp_factors_state_check", factors("pending_until = 'epoch'")),
        ("totp_factors_state_check", factors("enabled_at = NULL")),
        (
            "backup_codes_pkey",
            "INSERT INTO backup_codes SELECT * FROM backup_codes".to_owned(),
        ),
        (
            "backup_codes_factor_id_fkey",
            "UPDATE backup_codes SET user_id = '00000000-0000-0000-0000-0000000000b1'".to_owned(),
        ),
        (
            "backup_codes_digest_length_check",
            "UPDATE backup_codes SET digest = '\\x00'".to_owned(),
        ),
    ]
}

/// `device_keys` and `spent_challenges`.
fn device_keys() -> Vec<Case> {
    let keys = |set: &str| format!("UPDATE device_keys SET {set}");
    vec![
        (
            "device_keys_pkey",
            "INSERT INTO device_keys SELECT * FROM device_keys".to_owned(),
        ),
        (
            "device_keys_user_id_fkey",
            keys("device_id = NULL, user_id = '00000000-0000-0000-0000-0000000000b1'"),
        ),
        (
            "device_keys_device_id_fkey",
            keys("device_id = gen_random_uuid()"),
        ),
        (
            "device_keys_client_device_length_check",
            keys("client_device = ''"),
        ),
        ("device_keys_public_key_check", keys("algorithm = 'p256'")),
        ("device_keys_public_key_check", keys("algorithm = 'rsa'")),
        ("device_keys_kind_check", keys("kind = 'voice'")),
        (
            "spent_challenges_pkey",
            "INSERT INTO spent_challenges SELECT * FROM spent_challenges".to_owned(),
        ),
        (
            "spent_challenges_digest_length_check",
            "UPDATE spent_challenges SET digest = '\\x00'".to_owned(),
        ),
    ]
}

/// What no statement can break alone: `(tenant_id, id)` is unique because `id` is. They are what foreign keys
/// point to, and the tests of those keys fail without them.
const IMPLIED: [&str; 4] = [
    "users_tenant_id_id_key",
    "sessions_tenant_id_id_key",
    "devices_tenant_id_user_id_id_key",
    "totp_factors_tenant_id_user_id_id_key",
];

/// The name of the constraint that refuses `sql`.
async fn refusal(connection: &mut PgConnection, sql: String) -> Option<String> {
    let mut transaction = connection.begin().await.unwrap();
    let outcome = sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
        .execute(&mut *transaction)
        .await;
    transaction.rollback().await.unwrap();
    outcome.err()?.as_database_error()?.constraint().map(of_parent)
}

/// A partition's key is called after the partition.
fn of_parent(constraint: &str) -> String {
    constraint
        .replace("events_earlier_", "audit_events_")
        .replace("links_earlier_", "audit_links_")
}

#[tokio::test]
async fn each_constraint_refuses_what_it_is_there_for() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool().acquire().await.unwrap();
    sqlx::raw_sql(ROWS).execute(&mut *connection).await.unwrap();
    for (constraint, sql) in cases() {
        assert_eq!(
            refusal(&mut connection, sql.clone()).await.as_deref(),
            Some(constraint),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn no_constraint_is_without_such_a_case() {
    let database = TestDatabase::create().await;
    let named = sqlx::query_scalar::<_, String>(
        "SELECT conname::text FROM pg_constraint
         WHERE connamespace = 'public'::regnamespace AND conrelid <> '_sqlx_migrations'::regclass
           AND contype IN ('p', 'u', 'f', 'c')
         UNION SELECT indexrelid::regclass::text FROM pg_index
         WHERE indisunique AND indpred IS NOT NULL
           AND indrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)",
    );
    let named: BTreeSet<String> = named
        .fetch_all(database.pool())
        .await
        .unwrap()
        .into_iter()
        .collect();
    let tested = cases()
        .into_iter()
        .map(|(name, _)| name)
        .chain(IMPLIED)
        .map(str::to_owned)
        .collect();
    assert_eq!(named, tested);
}

#[tokio::test]
async fn audit_events_can_be_neither_changed_nor_deleted() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool().acquire().await.unwrap();
    sqlx::raw_sql(ROWS).execute(&mut *connection).await.unwrap();
    for sql in [
        "UPDATE audit_events SET type = 'logged_out'",
        "DELETE FROM audit_events",
        "TRUNCATE audit_events",
        "UPDATE audit_events SET type = 'logged_out' WHERE false",
    ] {
        let constraint = refusal(&mut connection, sql.to_owned()).await;
        assert_eq!(constraint.as_deref(), Some("audit_events_append_only"), "{sql}");
    }
}

#[tokio::test]
async fn what_happened_outlives_the_account_it_happened_to() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool().acquire().await.unwrap();
    sqlx::raw_sql(ROWS).execute(&mut *connection).await.unwrap();
    let sql = "INSERT INTO audit_events (id, tenant_id, type, subject_id, session_id, occurred_at)
               SELECT gen_random_uuid(), tenant_id, 'logged_in', user_id, id, 'epoch' FROM sessions";
    sqlx::raw_sql(sql).execute(&mut *connection).await.unwrap();
    sqlx::raw_sql("DELETE FROM users")
        .execute(&mut *connection)
        .await
        .unwrap();
    let left = |sql: &'static str| sqlx::query_scalar::<_, i64>(sql);
    assert_eq!(
        left("SELECT count(*) FROM sessions")
            .fetch_one(&mut *connection)
            .await
            .unwrap(),
        0
    );
    assert_eq!(
        left("SELECT count(*) FROM audit_events")
            .fetch_one(&mut *connection)
            .await
            .unwrap(),
        2
    );
}
