//! `/auth/*`: everything the origin owns, asked at both doors.

mod account;
mod change_password;
mod cookies;
mod login;
mod logout;
mod me;
mod refresh;
mod register;
mod sessions;
mod tokens;
mod verify;

use portcullis_tests::answer::{Answer, assert_utc, assert_uuid};
use serde_json::{Value, json};

/// Holds `user` to the resource of the contract, for an account that has just registered.
#[track_caller]
fn assert_fresh_user(user: &Value, email: &str) {
    for id in ["id", "tenantId"] {
        assert_uuid(&user[id]);
    }
    assert_utc(&user["createdAt"]);
    if !user["lastLoginAt"].is_null() {
        assert_utc(&user["lastLoginAt"]);
    }
    let told = json!({
        "email": user["email"], "emailVerified": user["emailVerified"], "firstName": user["firstName"],
        "lastName": user["lastName"], "phone": user["phone"], "phoneVerified": user["phoneVerified"],
        "mfaEnabled": user["mfaEnabled"], "role": user["role"],
    });
    let expected = json!({
        "email": email, "emailVerified": false, "firstName": "Ada", "lastName": "Lovelace", "phone": null,
        "phoneVerified": false, "mfaEnabled": false, "role": "customer",
    });
    assert_eq!(told, expected);
    let mut permissions: Vec<_> = user["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    permissions.sort_unstable();
    assert_eq!(
        permissions,
        [
            "profile:update-own",
            "tickets:purchase",
            "tickets:transfer-own",
            "tickets:view-own"
        ]
    );
}

/// Holds `tokens` to the resource of the contract.
#[track_caller]
fn assert_tokens(tokens: &Value) {
    assert_eq!(tokens["tokenType"], "Bearer");
    assert_eq!(tokens["expiresIn"], 900);
    assert_eq!(tokens["refreshExpiresIn"], 30 * 24 * 3600);
    for token in ["accessToken", "refreshToken"] {
        assert!(
            tokens[token].as_str().is_some_and(|token| !token.is_empty()),
            "no {token}"
        );
    }
}

/// Holds an answer of login or registration to the `login result` of the contract.
#[track_caller]
fn assert_login_result(answer: &Answer, email: &str) {
    let result = answer.json();
    assert_fresh_user(&result["user"], email);
    assert_tokens(&result["tokens"]);
    assert_uuid(&result["session"]["id"]);
    assert_utc(&result["session"]["expiresAt"]);
    assert_eq!(result.get("mfaRequired"), None);
    // RFC 6749 §5.1: nobody on the way may keep tokens.
    assert!(
        answer
            .header("cache-control")
            .is_some_and(|value| value.contains("no-store")),
        "{answer:?}"
    );
}
