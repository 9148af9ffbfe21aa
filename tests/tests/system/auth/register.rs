//! `POST /auth/register`.

use portcullis_tests::account::{Account, fresh_email, fresh_password, registration};
use portcullis_tests::world::Door;
use serde_json::json;

use super::assert_login_result;

#[tokio::test]
async fn a_registration_gives_an_account_with_a_full_session() {
    for door in Door::both() {
        let email = fresh_email();
        let body = registration(&email, &fresh_password());
        let answer = door
            .client()
            .post("/auth/register")
            .json(&body)
            .send()
            .await
            .expect(201);
        assert_login_result(&answer, &email);
        let me = door
            .client()
            .get("/auth/me")
            .bearer(answer.json()["tokens"]["accessToken"].as_str().unwrap());
        assert_eq!(me.send().await.expect(200).json()["user"]["email"], email);
    }
}

#[tokio::test]
async fn an_email_that_differs_only_in_case_is_taken() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let body = registration(&account.email.to_uppercase(), &fresh_password());
        door.client()
            .post("/auth/register")
            .json(&body)
            .send()
            .await
            .problem(409, "email_taken");
    }
}

#[tokio::test]
async fn of_registrations_that_race_for_one_email_exactly_one_wins() {
    let body = registration(&fresh_email(), &fresh_password());
    let racing = (0..6).map(|_| {
        let call = Door::origin().client().post("/auth/register").json(&body);
        tokio::spawn(call.send())
    });
    let mut statuses = Vec::new();
    for answer in futures_util::future::join_all(racing).await {
        statuses.push(answer.unwrap().status.as_u16());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn the_old_services_snake_case_names_are_understood_and_unknown_fields_ignored() {
    let body = json!({
        "email": fresh_email(), "password": fresh_password(), "first_name": "Grace", "last_name": "Hopper",
        "isAdmin": true, "role": "admin",
    });
    let answer = Door::edge()
        .client()
        .post("/auth/register")
        .json(&body)
        .send()
        .await
        .expect(201);
    let user = &answer.json()["user"];
    assert_eq!(
        (&user["firstName"], &user["lastName"]),
        (&json!("Grace"), &json!("Hopper"))
    );
    assert_eq!(user["role"], "customer");
}

#[tokio::test]
async fn a_phone_number_is_kept_as_unverified() {
    let mut body = registration(&fresh_email(), &fresh_password());
    body["phone"] = json!("+4915112345678");
    let user = Door::origin()
        .client()
        .post("/auth/register")
        .json(&body)
        .send()
        .await
        .expect(201)
        .json()["user"]
        .clone();
    assert_eq!(
        (&user["phone"], &user["phoneVerified"]),
        (&json!("+4915112345678"), &json!(false))
    );
}

#[tokio::test]
async fn every_missing_field_is_named() {
    for door in Door::both() {
        let answer = door.client().post("/auth/register").json(&json!({})).send().await;
        let problem = answer.invalid_fields(&["email", "firstName", "lastName", "password"]);
        assert!(
            problem["errors"]
                .as_array()
                .unwrap()
                .iter()
                .all(|entry| entry["code"] == "required"),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn every_field_that_breaks_a_rule_is_named() {
    let client = Door::origin().client();
    let body =
        json!({"email": "not an address", "password": "short", "firstName": "", "lastName": "x".repeat(101)});
    let answer = client.post("/auth/register").json(&body).send().await;
    answer.invalid_fields(&["email", "firstName", "lastName", "password"]);
}

#[tokio::test]
async fn a_password_that_is_easy_to_guess_is_refused_with_the_reason() {
    let email = fresh_email();
    let local_part = email.split('@').next().unwrap().to_owned();
    let weak = [
        "tiny1!".to_owned(),
        "passwordpassword".to_owned(),
        "aaaaaaaaaaaaaaaa".to_owned(),
        "x".repeat(129),
        local_part,
    ];
    for password in weak {
        let answer = Door::origin()
            .client()
            .post("/auth/register")
            .json(&registration(&email, &password))
            .send()
            .await;
        let problem = answer.invalid_fields(&["password"]);
        assert!(
            !problem.to_string().contains(&password),
            "the answer repeats the password"
        );
    }
}

#[tokio::test]
async fn the_length_of_a_password_counts_code_points_and_its_form_is_normalised() {
    let client = Door::origin().client();
    let email = fresh_email();
    // 128 code points, each of two bytes; with the decomposed spelling, more code points for the same characters.
    let composed: String = "éàüñçåøßðþæœîûêôï".chars().cycle().take(128).collect();
    assert!(composed.len() > 128);
    client
        .post("/auth/register")
        .json(&registration(&email, &composed))
        .send()
        .await
        .expect(201);
    let decomposed = composed.replace('é', "e\u{301}").replace('ñ', "n\u{303}");
    let body = json!({"email": email, "password": decomposed});
    client.post("/auth/login").json(&body).send().await.expect(200);
}
