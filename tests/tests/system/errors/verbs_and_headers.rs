//! Verbs and headers.

use http::Method;
use portcullis_tests::account::Account;
use portcullis_tests::raw::{exchange, head};
use portcullis_tests::world::Door;

use super::{all_is_well, assert_refused};

#[tokio::test]
async fn a_wrong_verb_is_a_405_that_names_the_right_one() {
    let endpoints = [
        ("/auth/register", "POST"),
        ("/auth/login", "POST"),
        ("/auth/refresh", "POST"),
        ("/auth/logout", "POST"),
        ("/auth/me", "GET"),
        ("/auth/verify", "GET"),
        ("/.well-known/jwks.json", "GET"),
        ("/.well-known/oauth-authorization-server", "GET"),
        ("/live", "GET"),
        ("/ready", "GET"),
        ("/health", "GET"),
    ];
    for door in Door::both() {
        for (path, right) in endpoints {
            for wrong in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                if wrong == right {
                    continue;
                }
                let method = Method::from_bytes(wrong.as_bytes()).unwrap();
                let answer = door.client().call(method, path).send().await;
                assert_eq!(answer.status, 405, "{wrong} {path}: {answer:?}");
                answer.problem(405, "method_not_allowed");
                let verbs: Vec<_> = answer
                    .header("allow")
                    .unwrap()
                    .split(',')
                    .map(str::trim)
                    .collect();
                assert!(
                    verbs.contains(&right) && !verbs.contains(&wrong),
                    "{wrong} {path}: {verbs:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn an_unknown_verb_is_a_405_or_the_platforms_own_501() {
    for door in Door::both() {
        for (verb, path) in [
            ("BREW", "/auth/me"),
            ("BREW", "/api/echo"),
            ("get", "/auth/me"),
            ("TRACE", "/auth/login"),
            ("PROPFIND", "/api/public/x"),
        ] {
            if path.starts_with("/api") && door.kind() == portcullis_tests::world::Kind::Origin {
                continue;
            }
            let client = door.client();
            let mut request = head(&client, format!("{verb} {path}").as_bytes());
            request.extend(b"\r\n");
            let answer = exchange(&client, &request).await.expect("an answer");
            match answer.status.as_u16() {
                // The HTTP parser in front of the product may refuse the request line itself.
                400 | 501 => {}
                _ => drop(answer.problem(405, "method_not_allowed")),
            }
        }
    }
    all_is_well().await;
}

#[tokio::test]
async fn two_authorization_headers_are_ambiguous() {
    for door in Door::both() {
        let account = Account::register(&door).await;
        let token = account.access_token();
        let paths: &[&str] = match door.kind() {
            portcullis_tests::world::Kind::Edge => &["/auth/me", "/api/echo", "/api/public/x"],
            portcullis_tests::world::Kind::Origin => &["/auth/me", "/auth/verify"],
        };
        for path in paths {
            for (first, second) in [
                (format!("Bearer {token}"), format!("Bearer {token}")),
                (format!("Bearer {token}"), "Bearer other".to_owned()),
                ("Basic dTpw".to_owned(), format!("Bearer {token}")),
            ] {
                let mut request = head(&account.client, format!("GET {path}").as_bytes());
                request.extend(format!("Authorization: {first}\r\nAuthorization: {second}\r\n\r\n").bytes());
                let answer = exchange(&account.client, &request).await.expect("an answer");
                assert_eq!(answer.status, 400, "{path}: {answer:?}");
                answer.problem(400, "ambiguous_credentials");
            }
        }
    }
}

#[tokio::test]
async fn a_token_of_a_mebibyte_is_refused_and_not_repeated() {
    for door in Door::both() {
        let client = door.client();
        let mut request = head(&client, b"GET /auth/me");
        request.extend(b"Authorization: Bearer ");
        request.extend(vec![b'a'; 1024 * 1024]);
        request.extend(b"\r\n\r\n");
        let answer = exchange(&client, &request).await;
        assert_refused("a token of 1 MiB", answer.as_ref());
        assert!(answer.unwrap().body.len() < 4096);
    }
    all_is_well().await;
}

#[tokio::test]
async fn a_hundred_headers_are_served_or_refused_precisely() {
    for door in Door::both() {
        for count in [100, 1000, 10_000] {
            let client = door.client();
            let mut request = head(&client, b"GET /auth/me");
            for index in 0..count {
                request.extend(format!("X-Header-{index}: {index}\r\n").bytes());
            }
            request.extend(b"\r\n");
            let answer = exchange(&client, &request).await;
            assert_refused(&format!("{count} headers"), answer.as_ref());
            let status = answer.unwrap().status.as_u16();
            assert!([400, 401, 431].contains(&status), "{count} headers: {status}");
        }
    }
    all_is_well().await;
}

#[tokio::test]
async fn header_values_that_are_no_text_are_harmless() {
    for door in Door::both() {
        for line in [
            &b"Authorization: Bearer \xff\xfe\xfd"[..],
            b"X-Request-Id: \xff\xff\xff\xff\xff\xff\xff\xff",
            b"User-Agent: \xc3\x28",
            b"X-Tenant: \xff",
        ] {
            let client = door.client();
            let mut request = head(&client, b"GET /auth/me");
            request.extend_from_slice(line);
            request.extend(b"\r\n\r\n");
            let answer = exchange(&client, &request).await;
            assert_refused(&String::from_utf8_lossy(line), answer.as_ref());
        }
    }
    all_is_well().await;
}

#[tokio::test]
async fn lines_that_are_no_http_are_refused() {
    for door in Door::both() {
        let host = door.authority();
        for request in [
            "GET /auth/me HTTP/1.1\r\n\r\n".to_owned(),
            format!("GET /auth/me HTTP/1.1\r\nHost: {host}\r\nno colon here\r\n\r\n"),
            format!("GET /auth/me HTTP/1.1\r\nHost: {host}\r\nBad Name: x\r\n\r\n"),
            format!("POST /auth/login HTTP/1.1\r\nHost: {host}\r\nContent-Length: abc\r\n\r\n"),
            format!(
                "POST /auth/login HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"
            ),
            "\0\0\0\0\r\n\r\n".to_owned(),
        ] {
            let answer = exchange(&door.client(), request.as_bytes()).await;
            // A parser may also hang up on what it cannot read.
            if let Some(answer) = answer {
                assert!(answer.status.is_client_error(), "{request:?}: {answer:?}");
            }
        }
    }
    all_is_well().await;
}
