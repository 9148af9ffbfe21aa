//! For how long the key set may be kept by whoever is on its way.

use crate::common::TestServer;
use crate::fixtures::server;

async fn caching(server: &TestServer, query: &str, etag: Option<&str>) -> (u16, String, String) {
    let mut request = server.get(&format!("/.well-known/jwks.json{query}"));
    if let Some(etag) = etag {
        request = request.header("if-none-match", etag);
    }
    let answer = request.send().await.unwrap();
    let header = |name| answer.headers()[name].to_str().unwrap().to_owned();
    (answer.status().as_u16(), header("cache-control"), header("etag"))
}

#[tokio::test]
async fn a_key_set_without_what_was_asked_for_is_not_kept() {
    let server = server().await;
    let now = server.app.core().clock().now();
    server.app.prepare().await.unwrap();
    let set = server.app.tokens().key_set(now).await.unwrap();
    let set: serde_json::Value = serde_json::from_slice(&set.json).unwrap();
    let (kid, version) = (
        set["keys"][0]["kid"].as_str().unwrap(),
        set["version"].as_u64().unwrap(),
    );
    let (_, _, etag) = caching(&server, "", None).await;
    for (query, expected) in [
        (String::new(), "public, max-age=300"),
        (format!("?version={version}"), "public, max-age=300"),
        (format!("?kid={kid}&version=0"), "public, max-age=300"),
        ("?version=nonsense".to_owned(), "public, max-age=300"),
        (format!("?version={}", version + 1), "no-store"),
        (format!("?kid={kid}&version={}", version + 1), "no-store"),
        ("?kid=unheard-of".to_owned(), "no-store"),
    ] {
        for (known, status) in [(None, 200), (Some(etag.as_str()), 304)] {
            let (answered, told, _) = caching(&server, &query, known).await;
            assert_eq!((answered, told.as_str()), (status, expected), "{query} {known:?}");
        }
    }
}
