//! Caches: Cloudflare's, between the Worker and what stands behind it, and those between the edge and a client.

use portcullis_shared::jwk::{JwkSet, RsaVerifyingKey};
use portcullis_tests::bare_edge::BareEdge;
use portcullis_tests::forge::Issuer;
use portcullis_tests::hostile::{Act, Hostile, whole};
use serde_json::{Map, Value};

use crate::hostile::{FEED, KEY_SET, claims, origin, plain};

/// Something that caches like to keep.
const FILE: &str = "/app/site.css";

/// An origin and application in one, with a key set, and a token that it stands for.
async fn upstream() -> (Hostile, String) {
    let issuer = Issuer::unknown();
    let key = RsaVerifyingKey::from_components(issuer.kid(), &issuer.modulus(), &[1, 0, 1]).unwrap();
    let upstream = origin().await;
    upstream.answer(KEY_SET, plain(&JwkSet::from_keys(vec![key]).to_json()));
    (upstream, issuer.token(&claims()))
}

/// The values of a header in the heads of all requests for `path`; one list for each.
fn values(upstream: &Hostile, path: &str, name: &str) -> Vec<Vec<String>> {
    let of_head = |head: &String| {
        let lines = head.lines().filter_map(|line| line.split_once(':'));
        let named = lines.filter(|(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim().to_owned()).collect()
    };
    upstream.heads(path).iter().map(of_head).collect()
}

/// What Cloudflare would have been told of each request for `path`.
fn told(upstream: &Hostile, path: &str) -> Vec<Map<String, Value>> {
    let blobs = values(upstream, path, "cf-blob");
    assert!(!blobs.is_empty(), "nothing came for {path}");
    let parsed = blobs.iter().map(|blob| match blob.as_slice() {
        [one] => serde_json::from_str(one).unwrap(),
        _ => Map::new(),
    });
    parsed.collect()
}

#[tokio::test]
async fn cloudflares_cache_is_kept_out_of_everything_that_the_edge_asks_for() {
    let (upstream, token) = upstream().await;
    let edge = BareEdge::start_telling(upstream.url()).await;
    let client = edge.door().client();
    let to_compare = client.get("/no-store").try_send().await;
    to_compare.expect("an answer").expect(200);
    client.get(FILE).send().await.expect(200);
    client.get("/auth/file.js").send().await.expect(200);
    client.get("/me").bearer(&token).send().await.expect(200);
    client
        .post("/app/written")
        .json(&"x".into())
        .send()
        .await
        .expect(200);
    client.get("/app/odd").json(&"x".into()).send().await.expect(200);
    let upgrade = client.get("/app/socket").header("upgrade", "websocket");
    upgrade.header("connection", "upgrade").send().await;
    let session = client
        .get("/auth/me")
        .header("cookie", "__Host-pc_refresh=pcr_x.1.y");
    session.send().await;

    // The words of the option, as this runtime says them.
    let of_the_option = told(&upstream, "/no-store").remove(0);
    assert!(!of_the_option.is_empty());
    for path in [
        FILE,
        "/auth/file.js",
        "/me",
        "/app/written",
        "/app/odd",
        "/app/socket",
        FEED,
        KEY_SET,
        "/auth/refresh",
    ] {
        for told in told(&upstream, path) {
            for (word, value) in &of_the_option {
                assert_eq!(told.get(word), Some(value), "{path}: {told:?}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_client_says_of_caching_reaches_the_upstream_and_nothing_is_added_to_it() {
    let (upstream, token) = upstream().await;
    let edge = BareEdge::start(upstream.url(), upstream.url()).await;
    let client = edge.door().client();
    client.get("/me").bearer(&token).send().await.expect(200);
    let asked = client
        .get("/me")
        .bearer(&token)
        .header("cache-control", "max-age=0");
    asked.send().await.expect(200);
    let asked = client.get("/me").bearer(&token).header("pragma", "no-cache");
    asked.send().await.expect(200);
    let none = || Vec::<String>::new();
    let one = |value: &str| vec![value.to_owned()];
    assert_eq!(
        values(&upstream, "/me", "cache-control"),
        [none(), one("max-age=0"), none()]
    );
    assert_eq!(
        values(&upstream, "/me", "pragma"),
        [none(), none(), one("no-cache")]
    );
}

#[tokio::test]
async fn an_answer_made_for_somebody_is_private_unless_its_upstream_has_said_who_may_keep_it() {
    let (upstream, token) = upstream().await;
    let edge = BareEdge::start(upstream.url(), upstream.url()).await;
    let client = edge.door().client();
    let answer = |headers: &'static str| -> Vec<Act> { vec![whole("200 OK", headers, "ok")] };
    for (headers, for_somebody, for_nobody) in [
        ("", Some("private"), None),
        ("Expires: 0\r\n", Some("private"), None),
        (
            "Cache-Control: public, max-age=60\r\n",
            Some("public, max-age=60"),
            Some("public, max-age=60"),
        ),
        ("Cache-Control: no-store\r\n", Some("no-store"), Some("no-store")),
    ] {
        upstream.answer(FILE, answer(headers));
        let made = client.get(FILE).bearer(&token).send().await.expect(200);
        assert_eq!(made.header("cache-control"), for_somebody, "{headers}");
        let by_cookie = client
            .get(FILE)
            .header("cookie", &format!("__Host-pc_access={token}"));
        let made = by_cookie.send().await.expect(200);
        assert_eq!(made.header("cache-control"), for_somebody, "{headers}");
        let made = client.get(FILE).send().await.expect(200);
        assert_eq!(made.header("cache-control"), for_nobody, "{headers}");
    }
}
