//! The rate limiter over real Redis, and without it.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use portcullis_origin::app::App;
use portcullis_origin::http::{self, Problem, RequestContext};
use portcullis_origin::kernel::clock::{Clock, SystemClock};
use portcullis_origin::kernel::config::RedisConfig;
use portcullis_origin::kernel::random::{self, SystemEntropy};
use portcullis_origin::kernel::redis::Redis;
use portcullis_origin::kernel::secrets::{MasterKey, SecretBytes};
use portcullis_origin::kernel::time::TimeDelta;
use portcullis_origin::rate_limit::{Limiter, Quota, client_key};
use reqwest::StatusCode;

use crate::common::{TestServer, redis_url};

fn connect(url: &str) -> Redis {
    Redis::connect(&RedisConfig {
        urls: vec![url.to_owned().into()],
        cluster: false,
    })
    .unwrap()
}

/// A limiter whose keys nobody else has.
pub(crate) fn limiter(redis: Redis) -> Limiter {
    let key = SecretBytes::new(random::bytes::<32>(&SystemEntropy).to_vec());
    Limiter::new(redis, &MasterKey::new("1", key).unwrap()).unwrap()
}

pub(crate) fn quota(limit: u32, seconds: u32) -> Quota {
    Quota::within(NonZeroU32::new(limit).unwrap(), seconds)
}

#[tokio::test]
async fn a_quota_may_be_used_at_once_and_then_comes_back_bit_by_bit() {
    let limiter = limiter(connect(&redis_url()));
    let now = SystemClock.now();
    for left in (0..5).rev() {
        let allowed = limiter.check("test", "someone", quota(5, 60), now).await.unwrap();
        assert_eq!((allowed.remaining, allowed.exact), (left, true));
    }
    let refusal = limiter
        .check("test", "someone", quota(5, 60), now)
        .await
        .unwrap_err();
    assert_eq!(refusal.retry_after, 12);
    let almost = now + TimeDelta::milliseconds(11_999);
    assert_eq!(
        limiter
            .check("test", "someone", quota(5, 60), almost)
            .await
            .unwrap_err()
            .retry_after,
        1
    );
    let later = now + TimeDelta::seconds(12);
    assert_eq!(
        limiter
            .check("test", "someone", quota(5, 60), later)
            .await
            .unwrap()
            .remaining,
        0
    );
    limiter
        .check("test", "someone", quota(5, 60), later)
        .await
        .unwrap_err();
    let much_later = now + TimeDelta::seconds(12 + 60);
    assert_eq!(
        limiter
            .check("test", "someone", quota(5, 60), much_later)
            .await
            .unwrap()
            .remaining,
        4
    );
}

#[tokio::test]
async fn limits_of_others_and_of_other_scopes_are_their_own() {
    let limiter = limiter(connect(&redis_url()));
    let now = SystemClock.now();
    limiter.check("test", "someone", quota(1, 60), now).await.unwrap();
    limiter
        .check("test", "someone", quota(1, 60), now)
        .await
        .unwrap_err();
    limiter
        .check("test", "someone else", quota(1, 60), now)
        .await
        .unwrap();
    limiter
        .check("other", "someone", quota(1, 60), now)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_exactly_the_quota_gets_through() {
    let limiter = Arc::new(limiter(connect(&redis_url())));
    let now = SystemClock.now();
    let racing: Vec<_> = (0..40)
        .map(|_| {
            let limiter = Arc::clone(&limiter);
            tokio::spawn(async move { limiter.check("race", "someone", quota(7, 60), now).await.is_ok() })
        })
        .collect();
    let mut through = 0;
    for racer in racing {
        through += usize::from(racer.await.unwrap());
    }
    assert_eq!(through, 7);
}

#[tokio::test]
async fn redis_never_sees_who_is_limited_and_forgets_in_time() {
    let redis = connect(&redis_url());
    let limiter = limiter(redis.clone());
    let scope = "privacy-test";
    limiter
        .check(scope, "someone@example.com", quota(2, 60), SystemClock.now())
        .await
        .unwrap();
    let keys: Vec<String> = redis
        .query(redis::cmd("KEYS").arg("rl:{privacy-test:*"))
        .await
        .unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        assert!(!key.contains("someone") && key.ends_with('}'), "{key}");
        let milliseconds: i64 = redis.query(redis::cmd("PTTL").arg(&key)).await.unwrap();
        assert!(
            (-2..=30_000).contains(&milliseconds) && milliseconds != -1,
            "{key} lives {milliseconds} ms"
        );
    }
}

#[tokio::test]
async fn without_redis_the_same_quota_holds_in_the_process() {
    let limiter = limiter(connect("redis://127.0.0.1:1"));
    let now = SystemClock.now();
    for _ in 0..3 {
        let allowed = limiter
            .check("test", "someone", quota(3, 3600), now)
            .await
            .unwrap();
        assert!(!allowed.exact);
    }
    let refusal = limiter
        .check("test", "someone", quota(3, 3600), now)
        .await
        .unwrap_err();
    assert!((1..=1201).contains(&refusal.retry_after), "{refusal:?}");
    limiter
        .check("test", "someone else", quota(3, 3600), now)
        .await
        .unwrap();
    // The next request after the pause tries Redis again, and is still limited.
    limiter
        .check("test", "someone", quota(3, 3600), now + TimeDelta::seconds(2))
        .await
        .unwrap_err();
}

#[tokio::test]
async fn the_client_is_told_about_its_limit() {
    async fn limited(
        State(limiter): State<Limiter>,
        context: RequestContext,
    ) -> Result<&'static str, Problem> {
        limiter
            .enforce(&context, "demo", &client_key(context.client_ip), quota(2, 60))
            .await?;
        Ok("through")
    }
    let inner = TestServer::start_on("postgres://unused@127.0.0.1:1/unused", |_| {}).await;
    let routes = Router::<App>::new().route("/limited", get(limited));
    let server = TestServer::serve(
        inner.app.clone(),
        inner.clock.clone(),
        http::application(routes, inner.app.clone()),
    )
    .await;

    for (left, reset) in [(1, 30), (0, 60)] {
        let response = server.get("/limited").send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["ratelimit-policy"], "\"demo\";q=2;w=60");
        assert_eq!(
            response.headers()["ratelimit"],
            format!("\"demo\";r={left};t={reset}")
        );
    }
    let response = server.get("/limited").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(response.headers()["retry-after"], "30");
    assert_eq!(response.headers()["ratelimit-policy"], "\"demo\";q=2;w=60");
    assert_eq!(response.headers()["ratelimit"], "\"demo\";r=0;t=30");
    let problem: serde_json::Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "rate_limited");
    assert_eq!(problem["violated-policies"], serde_json::json!(["demo"]));

    server.clock.advance(TimeDelta::seconds(30));
    assert_eq!(
        server.get("/limited").send().await.unwrap().status(),
        StatusCode::OK
    );
}
