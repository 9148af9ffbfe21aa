//! Bodies.

use portcullis_tests::account::{fresh_email, fresh_password, registration};
use portcullis_tests::raw::{exchange, exchange_endless, head};
use portcullis_tests::world::{Door, Kind};
use serde_json::json;

use super::{all_is_well, assert_refused};

const POSTS: [&str; 3] = ["/auth/register", "/auth/login", "/auth/refresh"];

#[tokio::test]
async fn what_is_no_json_object_is_malformed() {
    let deep = "[".repeat(30_000);
    let bad: [&[u8]; 13] = [
        b"",
        b"{",
        b"{\"email\": \"a@example.com\"",
        b"{\"email\": \"a@example.com\"} trailing",
        b"{'email': 'a@example.com'}",
        b"{\"email\": \"a@example.com\",}",
        b"email=a@example.com&password=x",
        b"[]",
        b"null",
        b"\"text\"",
        b"42",
        b"NaN",
        deep.as_bytes(),
    ];
    for door in Door::both() {
        let client = door.client();
        for path in POSTS {
            for body in bad {
                let call = client
                    .post(path)
                    .header("content-type", "application/json")
                    .body(body.to_vec());
                call.send().await.problem(400, "malformed_request");
            }
        }
    }
}

#[tokio::test]
async fn a_field_of_the_wrong_type_is_malformed() {
    for door in Door::both() {
        let client = door.client();
        for (path, body) in [
            ("/auth/login", json!({"email": 5, "password": "x"})),
            (
                "/auth/login",
                json!({"email": "a@example.com", "password": ["x"]}),
            ),
            ("/auth/login", json!({"email": {"$ne": ""}, "password": "x"})),
            ("/auth/register", json!({"email": true})),
            ("/auth/refresh", json!({"refreshToken": 1})),
        ] {
            client
                .post(path)
                .json(&body)
                .send()
                .await
                .problem(400, "malformed_request");
        }
    }
}

#[tokio::test]
async fn characters_that_cannot_be_stored_are_malformed() {
    let with_name = |name: &str| {
        let fields = registration(&fresh_email(), &fresh_password()).to_string();
        fields.replace("\"Ada\"", &format!("\"{name}\"")).into_bytes()
    };
    let mut invalid_utf8 = with_name("A?a");
    let position = invalid_utf8.iter().position(|byte| *byte == b'?').unwrap();
    let mut overlong = invalid_utf8.clone();
    invalid_utf8[position] = 0xff;
    overlong.splice(position..=position, [0xc0, 0x80]);
    let bodies = [
        ("an escaped NUL", with_name("A\\u0000a")),
        ("a raw NUL", with_name("A\0a")),
        ("a lone high surrogate", with_name("A\\ud800a")),
        ("a lone low surrogate", with_name("A\\udc00a")),
        ("surrogates in the wrong order", with_name("\\udc00\\ud800")),
        ("invalid UTF-8", invalid_utf8),
        ("overlong UTF-8", overlong),
    ];
    for door in Door::both() {
        for (what, body) in &bodies {
            let call = door
                .client()
                .post("/auth/register")
                .header("content-type", "application/json");
            let answer = call.body(body.clone()).send().await;
            assert_eq!(answer.status, 400, "{what}: {answer:?}");
            answer.problem(400, "malformed_request");
        }
        // In a password and in an unknown field as well.
        let mut body = registration(&fresh_email(), "with a NUL \0 in the middle");
        door.client()
            .post("/auth/register")
            .json(&body)
            .send()
            .await
            .problem(400, "malformed_request");
        body = json!({"email": "nul\0@example.com", "password": fresh_password()});
        door.client()
            .post("/auth/login")
            .json(&body)
            .send()
            .await
            .problem(400, "malformed_request");
    }
}

#[tokio::test]
async fn a_body_of_another_type_is_a_415() {
    for door in Door::both() {
        let client = door.client();
        for path in POSTS {
            for kind in [
                Some("text/plain"),
                Some("application/x-www-form-urlencoded"),
                Some("application/xml"),
                Some("json"),
                None,
            ] {
                let call = client.post(path).body("{}");
                let call = match kind {
                    Some(kind) => call.header("content-type", kind),
                    None => call,
                };
                call.send().await.problem(415, "unsupported_media_type");
            }
            for kind in ["application/json; charset=utf-8", "APPLICATION/JSON"] {
                let answer = client
                    .post(path)
                    .header("content-type", kind)
                    .body("{}")
                    .send()
                    .await;
                answer.problem(400, "validation_failed");
            }
        }
    }
}

#[tokio::test]
async fn a_body_over_64_kib_is_a_413_whether_its_length_is_told_or_not() {
    for door in Door::both() {
        let client = door.client();
        for path in POSTS {
            let mut told = head(&client, format!("POST {path}").as_bytes());
            told.extend(b"Content-Type: application/json\r\nContent-Length: 65537\r\n\r\n");
            told.extend(vec![b' '; 65_537]);
            let answer = exchange(&client, &told).await.expect("an answer");
            answer.problem(413, "payload_too_large");

            let mut untold = head(&client, format!("POST {path}").as_bytes());
            untold.extend(b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
            untold.extend(b"10001\r\n");
            untold.extend(vec![b' '; 65_537]);
            untold.extend(b"\r\n0\r\n\r\n");
            let answer = exchange(&client, &untold).await.expect("an answer");
            answer.problem(413, "payload_too_large");
        }
        // One that just fits is read.
        let mut fits = b"{}".to_vec();
        fits.resize(65_536, b' ');
        let call = client
            .post("/auth/login")
            .header("content-type", "application/json")
            .body(fits);
        call.send().await.problem(400, "validation_failed");
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_cut_off_at_the_limit() {
    for door in Door::both() {
        let client = door.client();
        let mut start = head(&client, b"POST /auth/login");
        start.extend(b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
        let mut chunk = b"1000\r\n".to_vec();
        chunk.extend([b' '; 4096]);
        chunk.extend(b"\r\n");
        let answer = exchange_endless(&client, &start, &chunk).await;
        match (door.kind(), answer) {
            (Kind::Origin, answer) => drop(answer.expect("an answer").problem(413, "payload_too_large")),
            // In `wrangler dev` a proxy stands before the Worker. It may lose the connection of a client that does not
            // stop, and its own words for it carry no request id.
            (Kind::Edge, Some(answer)) if answer.header("x-request-id").is_some() => {
                assert_eq!(answer.status, 413, "{answer:?}");
            }
            (Kind::Edge, Some(_) | None) => {}
        }
    }
    all_is_well().await;
}

#[tokio::test]
async fn a_body_that_stalls_is_not_waited_for() {
    let stalled = Door::both().map(|door| {
        tokio::spawn(async move {
            let client = door.client();
            let mut request = head(&client, b"POST /auth/login");
            request.extend(b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"email\":");
            (door.kind(), exchange(&client, &request).await)
        })
    });
    for stalled in stalled {
        let (kind, answer) = stalled.await.unwrap();
        match kind {
            Kind::Origin => drop(answer.expect("an answer").problem(408, "request_timeout")),
            Kind::Edge => assert_refused("a stalled body", answer.as_ref()),
        }
    }
    all_is_well().await;
}
