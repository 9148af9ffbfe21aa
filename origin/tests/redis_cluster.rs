//! The origin on a Redis Cluster of three servers.

use std::collections::BTreeMap;

use portcullis_origin::kernel::clock::{Clock as _, SystemClock};
use portcullis_origin::kernel::config::RedisConfig;
use portcullis_origin::kernel::redis::Redis;
use portcullis_origin::kernel::time::TimeDelta;
use reqwest::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::common::{RedisCluster, TestServer, eventually, redis_url};
use crate::fixtures::{assert_refused, refresh, register, try_refresh};
use crate::limits::{limiter, quota};
use crate::replay;
use crate::startup::{err, run, settings};

/// A connection by way of one server.
fn connect(cluster: &RedisCluster) -> Redis {
    Redis::connect(&RedisConfig {
        urls: vec![cluster.url(0).into()],
        cluster: true,
    })
    .unwrap()
}

#[tokio::test]
async fn limits_hold_on_whatever_server_their_keys_are() {
    let cluster = RedisCluster::start().await;
    let limiter = limiter(connect(&cluster));
    let now = SystemClock.now();
    for number in 0..40 {
        let key = number.to_string();
        for left in [1, 0] {
            let allowed = limiter.check("test", &key, quota(2, 60), now).await.unwrap();
            assert_eq!((allowed.remaining, allowed.exact), (left, true));
        }
        limiter.check("test", &key, quota(2, 60), now).await.unwrap_err();
    }
    for node in 0..3 {
        assert!(cluster.ask::<u32>(node, &["DBSIZE"]).await > 0, "{node}");
    }
}

#[tokio::test]
async fn a_key_that_has_moved_is_found_where_it_is_now() {
    let cluster = RedisCluster::start().await;
    let redis = connect(&cluster);
    eventually("the cluster is connected", || redis.is_up()).await;
    let slot: u16 = cluster.ask(0, &["CLUSTER", "KEYSLOT", "moved"]).await;
    let from = usize::from(slot / 5461);
    let to = (from + 1) % 3;
    let new_home: String = cluster.ask(to, &["CLUSTER", "MYID"]).await;
    for node in [to, from] {
        let slot = slot.to_string();
        let () = cluster
            .ask(node, &["CLUSTER", "SETSLOT", &slot, "NODE", &new_home])
            .await;
    }
    let set: String = redis.query(redis::cmd("SET").arg("moved").arg(1)).await.unwrap();
    assert_eq!(set, "OK");
    assert_eq!(cluster.ask::<u32>(to, &["DBSIZE"]).await, 1);
}

#[tokio::test]
async fn the_edges_nonces_are_shared_by_replicas() {
    let cluster = RedisCluster::start().await;
    let urls = cluster.urls();
    let (here, there) = (
        replay::server(Some(&urls)).await,
        replay::server(Some(&urls)).await,
    );
    for _ in 0..5 {
        assert_eq!(
            replay::race(&[&here, &there]).await,
            BTreeMap::from([(200, 1), (401, replay::COPIES - 1)])
        );
    }
}

#[tokio::test]
async fn while_a_server_is_away_limits_are_kept_in_the_process_and_then_in_the_cluster_again() {
    let mut cluster = RedisCluster::start().await;
    let urls = cluster.urls();
    let server = TestServer::start_with(|settings| {
        settings.insert("REDIS_URL".into(), urls);
    })
    .await;
    let health = async || {
        server.clock.advance(TimeDelta::seconds(2));
        let answer = server.get("/health").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        answer.json::<Value>().await.unwrap()["redis"].clone()
    };
    eventually("the cluster is up", async || health().await == "up").await;
    let mut token = register(&server, "ada@example.com").await.refresh;

    cluster.kill(1).await;
    eventually("the rest of the cluster knows", async || {
        let info: String = cluster.ask(0, &["CLUSTER", "INFO"]).await;
        info.contains("cluster_state:fail")
    })
    .await;
    assert_eq!(health().await, "down");
    for _ in 0..30 {
        token = refresh(&server, &token).await;
    }
    assert_refused(try_refresh(&server, &token).await, 429, "rate_limited").await;

    cluster.revive(1).await;
    eventually("the cluster is up again", async || health().await == "up").await;
    let answer = try_refresh(&server, &token).await;
    // Only what is exact is told.
    assert!(answer.headers().contains_key("ratelimit"));
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_server_that_takes_a_cluster_for_one_server_or_the_reverse_does_not_start() {
    let cluster = RedisCluster::start().await;
    // One that would start after all finds its address taken, and ends.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listen = listener.local_addr().unwrap().to_string();
    for (url, taken_for, advice) in [
        (cluster.url(2), "false", "set redis.cluster to true"),
        (redis_url(), "true", "set redis.cluster to false"),
    ] {
        let mut settings = settings("postgres://nobody@127.0.0.1:1/nothing");
        settings.extend([
            ("REDIS_URL".to_owned(), url),
            ("PORTCULLIS__REDIS__CLUSTER".to_owned(), taken_for.to_owned()),
            ("PORTCULLIS__HTTP__LISTEN".to_owned(), listen.clone()),
        ]);
        let refused = run(&["serve"], &settings).await;
        assert_eq!(refused.status.code(), Some(1));
        assert!(err(&refused).contains(advice), "{}", err(&refused));
    }
}
