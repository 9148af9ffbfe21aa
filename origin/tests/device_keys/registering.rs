//! Which keys are taken, and what ends them.

use super::*;

#[tokio::test]
async fn a_key_is_registered_listed_and_removed_and_its_holder_is_told() {
    let (server, folder) = server_with_folder().await;
    let ada = register(&server, ADA).await;
    mails(&server, &folder).await;
    let answer = registering(&server, &ada.access, &pem(&Key::p256().der())).await;
    let body = body_of(answer, StatusCode::CREATED).await;
    assert_eq!(body["type"], "faceId");
    let credential = text(&body, "/credentialId");
    let listed = list(&server, &ada.access).await;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (
            &listed[0]["credentialId"],
            &listed[0]["deviceId"],
            &listed[0]["lastUsedAt"]
        ),
        (&json!(credential), &json!(PHONE), &Value::Null)
    );
    only(
        &mails(&server, &folder).await,
        "A device can sign in to your account with Default by itself",
    );

    assert_eq!(
        remove(&server, &ada.access, &credential).await.status(),
        StatusCode::NO_CONTENT
    );
    assert_refused(remove(&server, &ada.access, &credential).await, 404, "not_found").await;
    assert!(list(&server, &ada.access).await.is_empty());
    only(
        &mails(&server, &folder).await,
        "A device can no longer sign in to your account with Default by itself",
    );
    assert_eq!(
        audit_trail(&server).await[2..],
        ["device_key_added", "device_key_removed"]
    );
}

#[tokio::test]
async fn keys_of_other_kinds_and_forms_are_refused_with_the_reason() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    let good = Key::p256().der();
    let point = &good[26..];
    let spki =
        |prefix: &str, key: &[u8]| Base64::encode_string(&[&hex::decode(prefix).unwrap()[..], key].concat());
    let compressed = [&[2 + (point[64] & 1)][..], &point[1..33]].concat();
    let mut off_curve = point.to_vec();
    off_curve[64] ^= 1;
    let two = format!("{}{}", pem(&good), pem(&Key::ed25519().der()));
    let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----";
    let secp256k1 = "3056301006072a8648ce3d020106052b8104000a034200";
    let p384 = "3076301006072a8648ce3d020106052b81040022036200";
    for (key, reason) in [
        (String::new(), "SubjectPublicKeyInfo"),
        ("no key at all".to_owned(), "SubjectPublicKeyInfo"),
        (Base64::encode_string(point), "SubjectPublicKeyInfo"),
        (
            Base64::encode_string(&[&good[..], &[0]].concat()),
            "SubjectPublicKeyInfo",
        ),
        (
            spki(
                "3039301306072a8648ce3d020106082a8648ce3d030107032200",
                &compressed,
            ),
            "uncompressed",
        ),
        (spki(P256_SPKI, &off_curve), "not a point"),
        (spki(secp256k1, point), "P-256"),
        (spki(p384, &[4; 97]), "P-256"),
        (two, "one key"),
        (private.to_owned(), "PUBLIC KEY"),
        (pem(&good).replace("PUBLIC KEY", "CERTIFICATE"), "PUBLIC KEY"),
        ("A".repeat(50_000), "SubjectPublicKeyInfo"),
    ] {
        let problem = assert_refused(
            registering(&server, &ada.access, &key).await,
            400,
            "validation_failed",
        )
        .await;
        assert_eq!(problem["errors"][0]["field"], "publicKey", "{key:.80}");
        let message = problem["errors"][0]["message"].as_str().unwrap();
        assert!(message.contains(reason), "{key:.80}: {message}");
    }
    let body =
        json!({"deviceId": "x".repeat(129), "publicKey": Base64::encode_string(&good), "type": "voice"});
    let request = server
        .post("/auth/biometric/register")
        .bearer_auth(&ada.access)
        .json(&body);
    let problem = assert_refused(request.send().await.unwrap(), 400, "validation_failed").await;
    assert_eq!(problem["errors"].as_array().unwrap().len(), 2, "{problem}");
    assert!(list(&server, &ada.access).await.is_empty());
}

#[tokio::test]
async fn adding_a_key_takes_a_recent_sign_in() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    server.clock.advance(TimeDelta::seconds(301));
    let refused = registering(&server, &ada.access, &pem(&Key::p256().der())).await;
    assert_refused(refused, 401, "step_up_required").await;
}

#[tokio::test]
async fn an_account_has_twenty_keys_at_most() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    let key = Base64::encode_string(&Key::ed25519().der());
    for _ in 0..20 {
        let answer = registering(&server, &ada.access, &key).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
    }
    let refused = registering(&server, &ada.access, &key).await;
    assert_refused(refused, 409, "too_many_credentials").await;
}

#[tokio::test]
async fn nobody_sees_or_removes_anothers_key() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    let eve = register(&server, "eve@example.com").await;
    let credential = registered(&server, &ada.access, &Key::p256()).await;
    assert!(list(&server, &eve.access).await.is_empty());
    assert_refused(remove(&server, &eve.access, &credential).await, 404, "not_found").await;
    assert_refused(remove(&server, &eve.access, "nonsense").await, 404, "not_found").await;
    assert_eq!(list(&server, &ada.access).await.len(), 1);
}

#[tokio::test]
async fn a_key_goes_with_its_device() {
    let server = server().await;
    let ada = register(&server, ADA).await;
    let key = Key::p256();
    let credential = registered(&server, &ada.access, &key).await;
    let other = login(&server, ADA).await;
    let devices = body_of(
        server
            .get("/auth/devices")
            .bearer_auth(&ada.access)
            .send()
            .await
            .unwrap(),
        StatusCode::OK,
    )
    .await;
    let devices = devices["devices"].as_array().unwrap();
    let own = devices.iter().find(|device| device["current"] == true).unwrap();
    let forgotten = server
        .request(
            Method::DELETE,
            &format!("/auth/devices/{}", own["id"].as_str().unwrap()),
        )
        .bearer_auth(&other.access)
        .send()
        .await
        .unwrap();
    assert_eq!(forgotten.status(), StatusCode::NO_CONTENT);
    assert!(list(&server, &other.access).await.is_empty());
    let text = challenge(&server, &credential).await;
    assert_not_signed(&server, &signed(&credential, &key, &text)).await;
}
