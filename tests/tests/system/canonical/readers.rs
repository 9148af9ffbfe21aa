//! Programs that read a path in their own way, as upstreams do.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::MatchedPath;
use axum::routing::any;
use http::Request;
use reqwest::Url;
use tower::ServiceExt as _;

/// A reader by its name.
type Reader = (&'static str, fn(&str) -> String);

/// How an upstream may read the path of a request before it looks at what it means.
pub(super) const READERS: [Reader; 7] = [
    ("as it is", str::to_owned),
    ("decoded", decoded),
    ("decoded twice", |path| decoded(&decoded(path))),
    ("decoded until nothing changes", |path| {
        let mut path = path.to_owned();
        loop {
            let next = decoded(&path);
            if next == path {
                return path;
            }
            path = next;
        }
    }),
    ("in one case", |path| decoded(path).to_lowercase()),
    ("without parameters", |path| {
        let bare = |segment: &str| segment.split(';').next().unwrap_or_default().to_owned();
        decoded(path).split('/').map(bare).collect::<Vec<_>>().join("/")
    }),
    ("until the first NUL", |path| {
        decoded(path).split('\0').next().unwrap_or_default().to_owned()
    }),
];

/// The path that comes of a reading once backslashes are slashes, slashes in a row are one and dots are resolved, as a
/// file system or a lenient server does it.
pub(super) fn resolved(reading: &str) -> String {
    let slashes = reading.replace('\\', "/");
    let mut kept: Vec<&str> = Vec::new();
    for segment in slashes.split('/') {
        match segment.trim() {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Undoes one layer of percent-encoding; what is no escape stays.
fn decoded(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let escape = tail.get(..2).filter(|_| *first == b'%').and_then(|digits| {
            let digits = std::str::from_utf8(digits).ok()?;
            u8::from_str_radix(digits, 16)
                .ok()
                .filter(|_| !digits.starts_with('+'))
        });
        bytes.push(escape.unwrap_or(*first));
        rest = if escape.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The target as the WHATWG URL standard reads it, as path and query; `None` where it is no URL.
pub(super) fn by_the_url_standard(target: &[u8]) -> Option<String> {
    let target = std::str::from_utf8(target).ok()?;
    let base = Url::parse("http://edge.example/").ok()?;
    let url = if target.starts_with('/') {
        // Not by `join`, which takes what follows two slashes for a host.
        Url::parse(&format!("http://edge.example{target}")).ok()?
    } else {
        base.join(target).ok()?
    };
    let query = url.query().map_or_else(String::new, |query| format!("?{query}"));
    // The standard has escaped it in paths since 2024; the crate does not yet.
    let path = url.path().replace('^', "%5E");
    Some(format!("{path}{query}"))
}

/// The route that axum takes the target to, among those of the development policy.
pub(super) async fn route_by_axum(target: &str) -> String {
    let name = |matched: Option<MatchedPath>| async move {
        matched.map_or_else(|| "none".to_owned(), |matched| matched.as_str().to_owned())
    };
    let mut router = Router::new().fallback(name);
    for route in [
        "/api/echo",
        "/api/public/",
        "/api/public/{*rest}",
        "/api/admin/ping",
        "/api/reports",
        "/api/venues/{venue}/tickets",
    ] {
        router = router.route(route, any(name));
    }
    let request = Request::get(target)
        .body(Body::empty())
        .expect("a request target");
    let answer = router.oneshot(request).await.unwrap();
    let body = to_bytes(answer.into_body(), 1024).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}
