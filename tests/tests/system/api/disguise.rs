//! Headers by which a request says that it is another one than the edge has decided on.

use portcullis_tests::account::Account;
use portcullis_tests::raw::exchange;
use portcullis_tests::world::{Door, variable};

use super::{seen_header, seen_headers, token_with};

/// What servers and frameworks have been known to believe.
const DISGUISES: [(&str, &str); 31] = [
    ("x-http-method-override", "DELETE"),
    ("x-http-method", "DELETE"),
    ("x-method-override", "DELETE"),
    ("x_http_method_override", "DELETE"),
    ("x-original-url", "/api/admin/ping"),
    ("x-original-uri", "/api/admin/ping"),
    ("x-rewrite-url", "/api/admin/ping"),
    ("x-original-host", "evil.example"),
    ("x-host", "evil.example"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-prefix", "/api/admin"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-user", "admin"),
    ("forwarded", "for=127.0.0.1;host=evil.example"),
    ("x-real-ip", "127.0.0.1"),
    ("x-client-ip", "127.0.0.1"),
    ("true-client-ip", "127.0.0.1"),
    ("cf_connecting_ip", "127.0.0.1"),
    ("remote-user", "admin"),
    ("x-remote-user", "admin"),
    ("cf-access-authenticated-user-email", "admin@example.com"),
    ("x-webauth-user", "admin"),
    ("x-goog-authenticated-user-email", "admin@example.com"),
    ("x-goog-authenticated-user-id", "1"),
    ("x-ms-client-principal-name", "admin"),
    ("wl-proxy-client-ip", "127.0.0.1"),
    ("proxy-client-ip", "127.0.0.1"),
    ("x-original-method", "DELETE"),
    ("x-override-url", "/api/admin/ping"),
    ("x-envoy-original-path", "/api/admin/ping"),
    ("x-envoy-external-address", "127.0.0.1"),
];

#[tokio::test]
async fn no_header_that_makes_another_request_of_this_one_reaches_an_upstream() {
    let mut call = Door::edge().client().get("/api/public/x");
    for (name, value) in DISGUISES {
        call = call.header(name, value);
    }
    let answer = call.send().await.expect(200);
    assert_eq!(
        (&answer.json()["method"], &answer.json()["path"]),
        (&"GET".into(), &"/api/public/x".into())
    );
    for (name, _) in DISGUISES {
        assert_eq!(seen_headers(&answer, name), [""; 0], "{name}");
    }
}

#[tokio::test]
async fn the_tenant_that_a_client_asks_for_reaches_the_origin_and_no_application() {
    let account = Account::register(&Door::edge()).await;
    let tenant = account.result["user"]["tenantId"].as_str().unwrap();
    for (name, value) in [
        ("x-tenant", "default"),
        ("x-tenant", "another"),
        ("x_tenant", "another"),
    ] {
        let call = account.client.get("/api/echo").bearer(account.access_token());
        let answer = call.header(name, value).send().await.expect(200);
        assert_eq!(seen_headers(&answer, name), [""; 0]);
        assert_eq!(seen_header(&answer, "x-auth-tenant"), tenant);
        let anonymous = account
            .client
            .get("/api/public/x")
            .header(name, value)
            .send()
            .await;
        assert_eq!(seen_headers(&anonymous.expect(200), name), [""; 0]);
    }
    let me = |tenant| {
        let call = account.client.get("/auth/me").bearer(account.access_token());
        call.header("x-tenant", tenant).send()
    };
    me("default").await.expect(200);
    me("nobody-has-this").await.problem(400, "unknown_tenant");
}

#[tokio::test]
async fn an_application_learns_the_tenant_of_the_token_whatever_the_client_says() {
    let token = token_with(serde_json::json!({"tenant_id": "00000000-0000-0000-0000-00000000000b"})).await;
    let call = Door::edge().client().get("/api/echo").bearer(&token);
    let call = call
        .header("x-tenant", "default")
        .header("x-auth-tenant", "default");
    let answer = call.send().await.expect(200);
    assert_eq!(
        seen_header(&answer, "x-auth-tenant"),
        "00000000-0000-0000-0000-00000000000b"
    );
}

#[tokio::test]
async fn the_host_that_a_client_names_goes_no_further_than_the_edge() {
    let client = Door::edge().client();
    let upstream = variable("PORTCULLIS_TEST_UPSTREAM");
    let upstream = upstream.trim_start_matches("http://");
    for host in ["evil.example", upstream, "127.0.0.1:1"] {
        let request = format!("GET /api/public/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = exchange(&client, request.as_bytes()).await.expect("an answer");
        assert_eq!(seen_header(&answer, "host"), upstream, "{host}");
        for (_, value) in seen(&answer) {
            assert!(value != "evil.example", "{answer:?}");
        }
    }
}

fn seen(answer: &portcullis_tests::answer::Answer) -> Vec<(String, String)> {
    let headers = answer.json()["headers"].clone();
    serde_json::from_value(headers).unwrap()
}
