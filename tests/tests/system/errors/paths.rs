//! Odd paths. What the platform has resolved before the Worker runs is decided upon as resolved.

use portcullis_tests::account::Account;
use portcullis_tests::raw::{exchange, head};
use portcullis_tests::world::Door;

use super::{all_is_well, assert_refused};

async fn ask(door: &Door, target: &[u8], token: Option<&str>) -> portcullis_tests::answer::Answer {
    let client = door.client();
    let mut line = b"GET ".to_vec();
    line.extend_from_slice(target);
    let mut request = head(&client, &line);
    if let Some(token) = token {
        request.extend(format!("Authorization: Bearer {token}\r\n").bytes());
    }
    request.extend(b"\r\n");
    let what = String::from_utf8_lossy(target).into_owned();
    exchange(&client, &request)
        .await
        .unwrap_or_else(|| panic!("{what}: no answer"))
}

#[tokio::test]
async fn segments_that_two_readers_could_read_differently_are_malformed_at_the_edge() {
    let account = Account::register(&Door::edge()).await;
    for path in [
        "/api//public/x",
        "/api/public//x",
        "//api/public/x",
        "/api/public/a%2fb",
        "/api/public/a%2Fb",
        "/api/public/%2f",
        "/api/public/a%5cb",
        "/api/public/a%5Cb",
        "/api/public/a%00b",
        "/api/public/x%00",
        "/api/public/%2e%2e%2fadmin/ping",
        "/api/venues/a%2fb/tickets",
        "/auth/%2fme",
        "/auth//me",
    ] {
        for token in [None, Some(account.access_token())] {
            let answer = ask(&Door::edge(), path.as_bytes(), token).await;
            assert_eq!(answer.status, 400, "{path}: {answer:?}");
            answer.problem(400, "malformed_path");
        }
    }
}

#[tokio::test]
async fn dot_segments_never_reach_past_a_decision() {
    let account = Account::register(&Door::edge()).await;
    for path in [
        "/api/public/../admin/ping",
        "/api/public/%2e%2e/admin/ping",
        "/api/public/.%2E/admin/ping",
        "/api/public/x/../../admin/ping",
        "/api/public\\..\\admin\\ping",
        "/api/public/..\\admin/ping",
    ] {
        for (token, resolved) in [(None, 401), (Some(account.access_token()), 403)] {
            let answer = ask(&Door::edge(), path.as_bytes(), token).await;
            match answer.status.as_u16() {
                400 => drop(answer.problem(400, "malformed_path")),
                status => assert_eq!(status, resolved, "{path}: {answer:?}"),
            }
        }
    }
    for path in ["/api/public/./x", "/api/public/%2e/x", "/api/public/x/."] {
        let answer = ask(&Door::edge(), path.as_bytes(), None).await;
        match answer.status.as_u16() {
            400 => drop(answer.problem(400, "malformed_path")),
            status => {
                assert_eq!(status, 200, "{path}: {answer:?}");
                let seen = answer.json()["path"].as_str().unwrap().to_owned();
                assert!(
                    !seen.contains("/.") && !seen.contains("%2e"),
                    "{path} was decided upon as {seen}"
                );
            }
        }
    }
}

#[tokio::test]
async fn odd_paths_mean_nothing_to_the_origin() {
    let account = Account::register(&Door::origin()).await;
    for path in [
        "/auth/../auth/me",
        "/auth/./me",
        "/auth/%2e%2e/auth/me",
        "/auth//me",
        "//auth/me",
        "/auth%2fme",
        "/auth/me%00",
        "/AUTH/me",
        "/auth/me/",
        "/auth\\me",
        "/auth/me;x=1",
        "/auth/m%65%00",
    ] {
        let answer = ask(&Door::origin(), path.as_bytes(), Some(account.access_token())).await;
        assert!([400, 404].contains(&answer.status.as_u16()), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_request_target_is_refused() {
    for door in Door::both() {
        let invalid_utf8 = ask(&door, b"/auth/\xff\xfe", None).await;
        assert_refused("invalid UTF-8 in the path", Some(&invalid_utf8));
        let long = ask(&door, format!("/auth/{}", "a".repeat(100_000)).as_bytes(), None).await;
        assert_refused("a path of 100 KB", Some(&long));
        let control = ask(&door, b"/auth/\x01", None).await;
        assert_refused("a control character in the path", Some(&control));
    }
    all_is_well().await;
}

#[tokio::test]
async fn a_path_that_does_not_exist_is_a_404() {
    for door in Door::both() {
        for path in ["/auth/nothing", "/nothing", "/auth", "/.well-known/nothing"] {
            door.client().get(path).send().await.problem(404, "not_found");
        }
    }
}
