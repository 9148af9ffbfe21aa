//! What a signature opens.

use futures_util::future::join_all;

use super::*;
use crate::fixtures::{PASSWORD, replicas};

async fn ada_with(server: &TestServer, key: &Key) -> (Person, String) {
    let ada = register(server, ADA).await;
    let credential = registered(server, &ada.access, key).await;
    (ada, credential)
}

async fn claims(server: &TestServer, access: &str) -> Value {
    let request = server.get("/auth/verify").bearer_auth(access);
    body_of(request.send().await.unwrap(), StatusCode::OK).await["claims"].clone()
}

#[tokio::test]
async fn a_signature_over_a_challenge_opens_a_session_once() {
    for key in [Key::p256(), Key::ed25519()] {
        let server = server().await;
        let (ada, credential) = ada_with(&server, &key).await;
        let text = challenge(&server, &credential).await;
        let body = signed(&credential, &key, &text);
        let person = Person::of(body_of(sign_in(&server, &body).await, StatusCode::OK).await);
        assert_eq!(person.user_id, ada.user_id);
        assert_eq!(me(&server, &person.access).await.status(), StatusCode::OK);
        let claims = claims(&server, &person.access).await;
        assert_eq!(
            (&claims["amr"], &claims["acr"]),
            (&json!(["swk"]), &json!("aal1"))
        );
        assert_not_signed(&server, &body).await;
        assert!(list(&server, &ada.access).await[0]["lastUsedAt"].is_string());
        assert_eq!(audit_trail(&server).await.last().unwrap(), "logged_in");
    }
}

#[tokio::test]
async fn anything_else_is_refused_alike_whatever_is_wrong() {
    let server = server().await;
    let (key, other_key) = (Key::p256(), Key::ed25519());
    let (ada, credential) = ada_with(&server, &key).await;
    let eve = register(&server, "eve@example.com").await;
    let eves = registered(&server, &eve.access, &other_key).await;
    let nobodys = "01890000-0000-7000-8000-000000000001";
    let text = challenge(&server, &credential).await;
    let good = signed(&credential, &key, &text);
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let for_step_up = body_of(
        server
            .get("/auth/biometric/challenge")
            .bearer_auth(&ada.access)
            .send()
            .await
            .unwrap(),
        StatusCode::OK,
    )
    .await;
    for bad in [
        with("signature", json!("")),
        with("signature", json!("!!")),
        with(
            "signature",
            json!(other_key.sign(&format!("portcullis-biometric-v1\n{text}"))),
        ),
        with("signature", json!(key.sign(&text))),
        with(
            "signature",
            json!(key.sign(&format!("portcullis-biometric-v1\n{text}\n"))),
        ),
        with("deviceId", json!("another telephone")),
        with("credentialId", json!(eves)),
        with("credentialId", json!(nobodys)),
        with("credentialId", json!("nonsense")),
        with("challenge", json!("nonsense")),
        signed(&credential, &key, &challenge(&server, &eves).await),
        signed(&credential, &key, &challenge(&server, nobodys).await),
        signed(&credential, &key, for_step_up["challenge"].as_str().unwrap()),
    ] {
        assert_not_signed(&server, &bad).await;
    }
    body_of(sign_in(&server, &good).await, StatusCode::OK).await;
    for name in ["credentialId", "deviceId", "challenge", "signature"] {
        let problem = assert_refused(
            sign_in(&server, &with(name, Value::Null)).await,
            400,
            "validation_failed",
        )
        .await;
        assert_eq!(problem["errors"][0]["field"], name);
    }
}

#[tokio::test]
async fn asking_for_a_challenge_leaves_nothing_and_tells_nothing() {
    let server = server().await;
    let (_, credential) = ada_with(&server, &Key::p256()).await;
    let mut lengths = Vec::new();
    for name in [
        credential.as_str(),
        "01890000-0000-7000-8000-000000000001",
        "nonsense",
    ] {
        lengths.push(challenge(&server, name).await.len());
    }
    assert!(lengths.iter().all(|length| *length == lengths[0]));
    assert_eq!(count(&server, "SELECT count(*) FROM spent_challenges").await, 0);
}

#[tokio::test]
async fn a_challenge_is_good_for_five_minutes_and_several_may_wait() {
    let server = server().await;
    let key = Key::ed25519();
    let (_, credential) = ada_with(&server, &key).await;
    let texts = [
        challenge(&server, &credential).await,
        challenge(&server, &credential).await,
    ];
    for text in &texts {
        body_of(
            sign_in(&server, &signed(&credential, &key, text)).await,
            StatusCode::OK,
        )
        .await;
    }
    let late = challenge(&server, &credential).await;
    server.clock.advance(TimeDelta::minutes(5));
    assert_not_signed(&server, &signed(&credential, &key, &late)).await;
    let mut connection = server.app.core().pool().acquire().await.unwrap();
    let now = server.clock.now();
    assert_eq!(
        portcullis_origin::device_keys::purge_spent(&mut connection, now)
            .await
            .unwrap(),
        2
    );
}

#[tokio::test]
async fn another_tenant_knows_no_such_key() {
    let server = server().await;
    execute(
        &server,
        "INSERT INTO tenants VALUES (gen_random_uuid(), 'other', 'Other', 'epoch')",
    )
    .await;
    let key = Key::p256();
    let (_, credential) = ada_with(&server, &key).await;
    let body = signed(&credential, &key, &challenge(&server, &credential).await);
    let request = server
        .post("/auth/biometric/login")
        .header("x-tenant", "other")
        .json(&body);
    assert_refused(request.send().await.unwrap(), 401, "invalid_signature").await;
    body_of(sign_in(&server, &body).await, StatusCode::OK).await;
}

#[tokio::test]
async fn an_account_that_may_not_sign_in_is_not_let_in_by_its_key() {
    let server = server().await;
    let key = Key::p256();
    let (_, credential) = ada_with(&server, &key).await;
    for (status, answered, code) in [
        ("UPDATE users SET status = 'locked'", 429, "account_locked"),
        ("UPDATE users SET status = 'disabled'", 403, "account_disabled"),
    ] {
        execute(&server, status).await;
        let body = signed(&credential, &key, &challenge(&server, &credential).await);
        assert_refused(sign_in(&server, &body).await, answered, code).await;
    }
}

#[tokio::test]
async fn a_second_factor_is_asked_as_after_a_password() {
    let server = server().await;
    let ada = Ada::with_app(&server).await;
    let fresh = second_factor::login_with(&server, &ada.app).await;
    let key = Key::p256();
    let credential = registered(&server, &fresh.access, &key).await;
    let body = signed(&credential, &key, &challenge(&server, &credential).await);
    let body = body_of(sign_in(&server, &body).await, StatusCode::OK).await;
    assert_eq!(body["methods"], json!(["totp", "backup_code"]));
    let token = text(&body, "/mfaToken");
    let answered = second_factor::answer(&server, &token, "backup_code", &ada.backup_codes[0]).await;
    let person = Person::of(body_of(answered, StatusCode::OK).await);
    let claims = claims(&server, &person.access).await;
    assert_eq!(
        (&claims["amr"], &claims["acr"]),
        (&json!(["swk", "otp", "mfa"]), &json!("aal2"))
    );
}

#[tokio::test]
async fn a_signature_makes_a_session_fresh_that_has_no_second_factor_to_show() {
    let server = server().await;
    let key = Key::ed25519();
    let (ada, credential) = ada_with(&server, &key).await;
    server.clock.advance(TimeDelta::minutes(6));
    let step_up = async |person: &Person| {
        let request = server
            .get("/auth/biometric/challenge")
            .bearer_auth(&person.access);
        let text = text(
            &body_of(request.send().await.unwrap(), StatusCode::OK).await,
            "/challenge",
        );
        let mut body = signed(&credential, &key, &text);
        body["method"] = json!("biometric");
        body
    };
    let post = async |person: &Person, body: &Value| {
        let request = server
            .post("/auth/mfa/step-up")
            .bearer_auth(&person.access)
            .json(body);
        request.send().await.unwrap()
    };
    let proof = step_up(&ada).await;
    let other = login(&server, ADA).await;
    assert_refused(post(&other, &proof).await, 401, "invalid_signature").await;
    let stepped = body_of(post(&ada, &proof).await, StatusCode::OK).await;
    let claims = claims(&server, &text(&stepped, "/tokens/accessToken")).await;
    assert_eq!(
        (&claims["amr"], &claims["acr"]),
        (&json!(["pwd", "swk"]), &json!("aal1"))
    );
    assert_eq!(claims["auth_time"], server.clock.now().timestamp());
    assert_refused(post(&ada, &proof).await, 401, "invalid_signature").await;

    let eve = register(&server, "eve@example.com").await;
    let stolen = step_up(&eve).await;
    assert_refused(post(&eve, &stolen).await, 401, "invalid_signature").await;
    execute(&server, "UPDATE users SET mfa_enabled = true").await;
    let refused = post(&ada, &step_up(&ada).await).await;
    assert_refused(refused, 400, "validation_failed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_use_one_signature_at_once_one_gets_in() {
    let servers = replicas().await;
    let key = Key::p256();
    let (_, credential) = ada_with(&servers[0], &key).await;
    let body = signed(&credential, &key, &challenge(&servers[0], &credential).await);
    let answers = join_all((0..50).map(|number| sign_in(&servers[number % 2], &body))).await;
    let inside = answers
        .iter()
        .filter(|answer| answer.status() == StatusCode::OK)
        .count();
    println!("a device key: of 50 at once at two servers {inside} got in");
    assert_eq!(inside, 1);
    let password = json!({"email": ADA, "password": PASSWORD});
    let request = servers[0].post("/auth/login").json(&password);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
}
