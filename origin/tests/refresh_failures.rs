//! Refresh tokens that are good for nothing: counted for the client that presents them, before anything is looked up.

use reqwest::Response;
use serde_json::json;

use crate::common::{Settings, TestServer};
use crate::fixtures::{assert_refused, refresh, register, try_refresh};

const LIMIT: u8 = 4;

fn limited(settings: &mut Settings) {
    settings.insert(
        "PORTCULLIS__LIMITS__REFRESH_FAILURES_PER_MINUTE_CLIENT".into(),
        LIMIT.to_string(),
    );
    settings.insert("PORTCULLIS__HTTP__TRUSTED_PROXIES".into(), "127.0.0.0/8".into());
}

/// A token of a session that nobody has, and each time of another one.
fn made_up(number: u8) -> String {
    let letter = char::from(b'A' + number);
    format!("pcr_{letter}{}.0.{}", "A".repeat(21), "A".repeat(43))
}

async fn refresh_from(server: &TestServer, client: &str, token: &str) -> Response {
    let body = json!({"refreshToken": token});
    let request = server.post("/auth/refresh").header("x-forwarded-for", client);
    request.json(&body).send().await.unwrap()
}

async fn assert_limited(response: Response) {
    assert!(response.headers().contains_key("retry-after"));
    assert!(
        response.headers()["ratelimit-policy"]
            .to_str()
            .unwrap()
            .starts_with(&format!("\"refresh-failures\";q={LIMIT};w=60"))
    );
    let problem = assert_refused(response, 429, "rate_limited").await;
    assert_eq!(problem["violated-policies"], json!(["refresh-failures"]));
}

#[tokio::test]
async fn a_client_that_makes_sessions_up_is_refused_before_they_are_looked_up_and_others_go_on() {
    let server = TestServer::start_with(limited).await;
    let person = register(&server, "ada@example.com").await;
    for number in 0..LIMIT {
        let refused = refresh_from(&server, "203.0.113.1", &made_up(number)).await;
        assert_refused(refused, 401, "invalid_refresh_token").await;
    }
    assert_limited(refresh_from(&server, "203.0.113.1", &made_up(LIMIT)).await).await;
    assert_limited(refresh_from(&server, "203.0.113.1", "no token at all").await).await;
    let other = refresh_from(&server, "203.0.113.2", &person.refresh).await;
    assert_eq!(other.status(), 200);
    // Without Postgres there is no answer but this one.
    server.app.core().pool().close().await;
    assert_limited(refresh_from(&server, "203.0.113.1", &made_up(LIMIT)).await).await;
    let other = refresh_from(&server, "203.0.113.2", &made_up(LIMIT)).await;
    assert_refused(other, 503, "unavailable").await;
}

#[tokio::test]
async fn refreshes_that_are_good_are_not_counted_for_their_client() {
    let server = TestServer::start_with(limited).await;
    let mut token = register(&server, "ada@example.com").await.refresh;
    for _ in 0..LIMIT {
        token = refresh(&server, &token).await;
        assert_refused(
            try_refresh(&server, "no token at all").await,
            401,
            "invalid_refresh_token",
        )
        .await;
    }
    assert_limited(try_refresh(&server, &token).await).await;
}

#[tokio::test]
async fn without_redis_the_process_counts_by_itself() {
    let server = TestServer::start_with(|settings| {
        limited(settings);
        settings.insert("REDIS_URL".into(), "redis://127.0.0.1:1".into());
    })
    .await;
    let person = register(&server, "ada@example.com").await;
    // The one that finds the quota used up is still looked up.
    for number in 0..=LIMIT {
        let refused = refresh_from(&server, "203.0.113.1", &made_up(number)).await;
        assert_refused(refused, 401, "invalid_refresh_token").await;
    }
    assert_limited(refresh_from(&server, "203.0.113.1", &made_up(9)).await).await;
    let other = refresh_from(&server, "203.0.113.2", &person.refresh).await;
    assert_eq!(other.status(), 200);
}
